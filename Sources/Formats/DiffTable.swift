import Analysis
import Profiles

/// The answer of `diff` as text: what stands behind either side, what was proved, and the rows.
public struct DiffTable: Sendable {
    private let answer: DiffAnswer

    public init(_ answer: DiffAnswer) { self.answer = answer }

    /// - Parameter inColour: red and blue rows where a change is proved, and bars; for a terminal.
    public func text(inColour: Bool = false) -> String {
        var text = "base     " + SummaryLine.text(answer.base.header, withIntervals: false) + "\n"
        text += "against  " + SummaryLine.text(answer.against.header, withIntervals: false) + "\n"
        text += verdict + "\n"
        if let needed = onePoint { text += needed + "\n" }
        return text + "\n" + table(inColour: inColour)
    }

    /// How many functions changed beyond chance.
    private var verdict: String {
        guard answer.significant > 0 else {
            return "within noise: none of \(tested) changed beyond chance (\(grounds))"
        }
        return "\(Grouped.text(UInt64(answer.significant))) of \(tested) changed beyond chance (\(grounds))"
    }

    /// `143 functions`.
    var tested: String { "\(Grouped.text(UInt64(answer.tested))) \(answer.tested == 1 ? "function" : "functions")" }

    /// What a verdict stands on.
    var grounds: String {
        let few = answer.functions - answer.tested
        let rest = few > 0 ? ", \(Grouped.text(UInt64(few))) more seen too rarely to tell" : ""
        let basis: String
        switch (answer.intervalOver, answer.intervalUnits) {
        case ("hosts", let units):
            basis =
                answer.pairedUnits == 0
                ? "\(units) hosts and more on either side" : "\(answer.pairedUnits) hosts on both sides as pairs"
        case (_, 0): basis = "samples alone, as windows are too few"
        case (_, let units): basis = "\(units) blocks of time"
        }
        return "\(Percent.text(answer.falseDiscoveryRate, places: 0)) false discoveries; \(basis)\(rest)"
    }

    var onePoint: String? {
        guard let power = answer.onePoint else { return nil }
        let change = "a change of 1 point"
        guard let times = power.times, times > 1 else {
            return "\(change) would be seen in any of them: the largest that may hide is "
                + Percent.text(power.visible)
        }
        return "to see \(change) in any of them takes " + Self.needed(power)
    }

    /// `41 hosts (or 120,000 samples of these)`.
    static func needed(_ power: PowerAnswer) -> String {
        // More than that is nobody's fleet.
        let samples = power.samples.flatMap { $0 < 1e11 ? Grouped.text(UInt64($0)) : nil }
        if let hosts = power.hosts, hosts <= 100_000 {
            return "\(Grouped.text(UInt64(hosts))) hosts" + (samples.map { " or \($0) samples of these" } ?? "")
        }
        if let samples { return "\(samples) samples" }
        return "more than can be had"
    }

    private func table(inColour: Bool) -> String {
        let rows = answer.rows
        let hasCores = rows.contains { $0.deltaCores != nil }
        let isPerUnit = rows.contains { $0.deltaPerUnit != nil }
        let unit = answer.base.header.type.unit
        var columns: [(title: String, alignment: TextTable.Alignment)] = []
        if inColour { columns.append(("", .left)) }
        columns += [
            ("points", .right), ("95 % interval", .left), ("base", .right), ("against", .right), ("verdict", .left),
            (answer.sort + " of", .left), ("where", .left),
        ]
        if hasCores { columns += [("cores/host", .right), ("change", .right), ("95 % interval", .left)] }
        if isPerUnit { columns += [("\(unit)/unit", .right), ("change", .right), ("95 % interval", .left)] }
        columns += [("q", .right), ("10 % seen with", .left)]
        var table = TextTable(columns: columns)
        let largest = rows.map { abs($0.delta) }.max() ?? 0
        for row in rows {
            var cells: [String] = []
            if inColour { cells.append(Self.bar(row.delta, largest)) }
            cells += [
                Self.points(row.delta), "\(Self.points(row.deltaLow)) to \(Self.points(row.deltaHigh))",
                Percent.text(row.baseShare), Percent.text(row.againstShare), Self.verdict(row), row.name,
                row.file.map { $0 + (row.line.map { ":\($0)" } ?? "") } ?? row.module ?? "",
            ]
            if hasCores {
                cells.append(row.againstCores.map { Decimal.text($0, places: 3) } ?? "")
                cells.append(row.deltaCores.map { Self.signed($0, places: 3) } ?? "")
                if let low = row.deltaCoresLow, let high = row.deltaCoresHigh {
                    cells.append("\(Self.signed(low, places: 3)) to \(Self.signed(high, places: 3))")
                } else {
                    cells.append("")
                }
            }
            if isPerUnit {
                cells.append(row.againstPerUnit.map { Self.significant($0) } ?? "")
                cells.append(row.deltaPerUnit.map { Self.signed($0) } ?? "")
                if let low = row.deltaPerUnitLow, let high = row.deltaPerUnitHigh {
                    cells.append("\(Self.signed(low)) to \(Self.signed(high))")
                } else {
                    cells.append("")
                }
            }
            cells += [
                row.tested ? Self.rate(row.qValue) : "–",
                row.power.map { ($0.times ?? 2) <= 1 ? "what there is" : Self.needed($0) } ?? "–",
            ]
            table.add(cells)
        }
        let text = table.text(inColour: inColour)
        guard inColour else { return text }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        for (index, row) in rows.enumerated() where index + 1 < lines.count {
            guard let code = Self.colour(row.movement) else { continue }
            lines[index + 1] = "\u{1B}[\(code)m" + lines[index + 1] + "\u{1B}[0m"
        }
        return lines.joined(separator: "\n")
    }

    private static func colour(_ movement: String) -> String? {
        switch Movement(rawValue: movement) {
        case .grew: "31"
        case .shrank: "34"
        case .withinNoise: "2"
        case .shareOnly, nil: nil
        }
    }

    static func verdict(_ row: DiffRow) -> String {
        switch Movement(rawValue: row.movement) {
        case .grew: "grew"
        case .shrank: "shrank"
        case .shareOnly: "only its share: others moved"
        case .withinNoise, nil: row.tested ? "within noise" : "too few samples"
        }
    }

    private static func bar(_ delta: Double, _ largest: Double) -> String {
        guard largest > 0 else { return "" }
        let eighths = Int((abs(delta) / largest * 64).rounded())
        let parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
        return String(repeating: "█", count: eighths / 8) + parts[eighths % 8]
    }

    static func signed(_ value: Double, places: Int) -> String {
        let text = Decimal.text(value, places: places)
        return text.hasPrefix("-") ? text : "+" + text
    }

    /// With three digits that tell something, and no more than three behind the point.
    private static func significant(_ value: Double) -> String {
        Decimal.text(value, places: abs(value) >= 100 ? 0 : abs(value) >= 10 ? 1 : abs(value) >= 1 ? 2 : 3)
    }

    private static func signed(_ value: Double) -> String {
        let text = significant(value)
        return text.hasPrefix("-") ? text : "+" + text
    }

    static func points(_ delta: Double) -> String { signed(delta * 100, places: 2) }

    static func rate(_ qValue: Double) -> String {
        qValue < 0.0001 ? "<0.0001" : Decimal.text(qValue, places: 4)
    }
}
