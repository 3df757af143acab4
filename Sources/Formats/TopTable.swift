import Analysis
import Profiles

/// The answer of `top` as text: a line on what stands behind it, then the rows with self and total shares and their
/// 95 % intervals.
public struct TopTable: Sendable {
    private let answer: TopAnswer
    private let title: String

    /// - Parameter title: of the column of names, such as `function`.
    public init(_ answer: TopAnswer, title: String = "function") {
        self.answer = answer
        self.title = title
    }

    /// The summary, an empty line and the table; lines end in line feeds.
    public func text(inColour: Bool = false) -> String {
        SummaryLine.text(answer.header) + "\n\n" + Self.table(answer.rows, title: title, inColour: inColour)
    }

    /// The rows alone.
    public static func table(_ rows: [TopRow], title: String, inColour: Bool = false) -> String {
        let hasCores = rows.contains { $0.cores != nil }
        let hasPlace = rows.contains { $0.module != nil || $0.file != nil }
        var columns: [(title: String, alignment: TextTable.Alignment)] = [
            ("self", .right), ("95 % interval", .left), ("total", .right), ("95 % interval", .left),
        ]
        if hasCores { columns.append(("cores", .right)) }
        columns.append((title, .left))
        if hasPlace { columns.append(("where", .left)) }
        var table = TextTable(columns: columns)
        for row in rows {
            var cells = [
                Percent.text(row.selfShare), interval(row.selfShareLow, row.selfShareHigh),
                Percent.text(row.totalShare), interval(row.totalShareLow, row.totalShareHigh),
            ]
            if hasCores { cells.append(row.cores.map { Decimal.text($0, places: 3) } ?? "") }
            cells.append(row.name)
            if hasPlace {
                let line = row.line.map { ":\($0)" } ?? ""
                cells.append(row.file.map { $0 + line } ?? row.module ?? "")
            }
            table.add(cells)
        }
        return table.text(inColour: inColour)
    }

    private static func interval(_ low: Double, _ high: Double) -> String {
        "\(Decimal.text(low * 100, places: 1))–\(Percent.text(high, places: 1))"
    }
}

/// One sentence on what stands behind an answer: range, samples, hosts, losses, whole stacks, what intervals speak of.
public enum SummaryLine {
    /// - Parameter withIntervals: false beside a table that has none.
    public static func text(_ header: AnswerHeader, withIntervals: Bool = true) -> String {
        var parts: [String] = []
        if let range = header.range {
            let (from, to) = TimeText.pair(range.from, range.to)
            parts.append("\(from) to \(to)")
        }
        parts.append(
            "\(Grouped.text(header.samples)) \(header.samples == 1 ? "sample" : "samples") of \(header.type.name)")
        let coverage = header.coverage
        let silent = coverage.hostsSilent > 0 ? " (\(coverage.hostsSilent) silent)" : ""
        parts.append("\(coverage.hosts) \(coverage.hosts == 1 ? "host" : "hosts")\(silent)")
        parts.append(losses(coverage.dropped))
        if let stacks = stacks(coverage, of: header.samples) { parts.append(stacks) }
        if let shown = header.shown, header.value > 0 {
            parts.append("\(Percent.text(Double(shown.value) / Double(header.value))) of it shown")
        }
        if withIntervals { parts.append(intervals(header)) }
        return EscapedText.escape(parts.joined(separator: " · "))
    }

    /// What the intervals speak of.
    public static func intervals(_ header: AnswerHeader) -> String {
        switch (header.intervalOver, header.intervalUnits) {
        case ("hosts", let units): "intervals over \(units.map { "\($0) " } ?? "")hosts"
        case (_, 0): "intervals from samples alone, as windows are too few"
        case (_, let units): "intervals over \(units.map { "\($0) blocks of " } ?? "")time"
        }
    }

    /// `nothing dropped`, or how many samples for which reasons.
    public static func losses(_ dropped: [String: UInt64]) -> String {
        let reasons = dropped.filter { $0.value > 0 }.sorted { $0.key < $1.key }
        if reasons.isEmpty { return "nothing dropped" }
        let total = reasons.reduce(UInt64(0)) { $0 &+ $1.value }
        let list = reasons.map { "\($0.key) \(Grouped.text($0.value))" }.joined(separator: ", ")
        return "\(Grouped.text(total)) dropped (\(list))"
    }

    /// The share of whole stacks where it is known, and how many are cut, at which depth, and broken, for which reasons,
    /// where some are: `98.7 % of stacks whole, 12 cut at 8 to 127 frames, 3 broken (no caller 3)`. nil where there is
    /// nothing to say.
    public static func stacks(_ coverage: Coverage, of samples: UInt64) -> String? {
        var parts: [String] = []
        if let whole = coverage.wholeStacks, samples > 0 {
            // Rounded down: 100 % is said of all alone.
            let share = (min(1, Double(whole) / Double(samples)) * 1000).rounded(.down) / 1000
            parts.append("\(Percent.text(share, places: 1)) of stacks whole")
        }
        if let cut = coverage.cutStacks, cut > 0 {
            let depths = coverage.cutDepths.map { depths in
                depths.least == depths.most
                    ? " at \(depths.least) \(depths.least == 1 ? "frame" : "frames")"
                    : " at \(depths.least) to \(depths.most) frames"
            }
            parts.append("\(Grouped.text(cut)) cut\(depths ?? "")")
        }
        if let broken = coverage.brokenStacks, broken > 0 {
            let reasons = (coverage.brokenReasons ?? [:]).sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            let more = reasons.count > 3 ? ", …" : ""
            let list = reasons.prefix(3).map { "\($0.key) \(Grouped.text($0.value))" }.joined(separator: ", ") + more
            parts.append("\(Grouped.text(broken)) broken" + (list.isEmpty ? "" : " (\(list))"))
        }
        if let unsymbolised = coverage.unsymbolised, unsymbolised > 0, samples > 0 {
            let share = Percent.text(Double(unsymbolised) / Double(samples), places: 1)
            parts.append("\(share) in functions without a name")
        }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }
}

/// A share as people read it: `12.34 %`.
enum Percent {
    static func text(_ share: Double, places: Int = 2) -> String { Decimal.text(share * 100, places: places) + " %" }
}

/// A number with a fixed count of places, rounded half away from zero.
public enum Decimal {
    public static func text(_ value: Double, places: Int) -> String {
        guard value.isFinite else { return "–" }
        var scale: Int64 = 1
        for _ in 0..<places { scale *= 10 }
        let scaled = (abs(value) * Double(scale)).rounded()
        guard scaled < 9e18 else { return value.description }
        let digits = Int64(scaled)
        let sign = value < 0 && digits > 0 ? "-" : ""
        if places == 0 { return sign + String(digits) }
        let fraction = String(digits % scale)
        return "\(sign)\(digits / scale)." + String(repeating: "0", count: places - fraction.count) + fraction
    }
}

/// A count with commas between thousands.
public enum Grouped {
    public static func text(_ value: UInt64) -> String {
        let digits = Array(String(value))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return text
    }
}
