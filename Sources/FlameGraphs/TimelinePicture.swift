public import Analysis
public import Profiles

/// A timeline as one SVG document: a line a series over the clock, what was not measured as hatched bands and never as 0,
/// changes of level as dashed lines; light and dark, without a script.
public struct TimelinePicture: Sendable {
    /// More lines than anybody can tell apart; the heaviest are drawn, and the rest is told.
    public static let mostSeries = 40
    /// Changes that the list below the picture tells; all are marked.
    public static let mostListed = 20

    let timeline: Timeline
    let unit: String
    /// What a rate is multiplied by to be in `unit`.
    let scale: Double
    /// By change: what is known of it beside its levels.
    let remarks: [String?]
    let clock: @Sendable (Timestamp) -> String

    /// - Parameters:
    ///   - remarks: by change of the timeline, what changed; empty where nobody asked.
    ///   - clock: a moment as RFC 3339 writes it, in UTC and without a fraction.
    public init(
        _ timeline: Timeline, type: ProfileType, remarks: [String?] = [],
        clock: @escaping @Sendable (Timestamp) -> String
    ) {
        self.timeline = timeline
        self.remarks = remarks
        self.clock = clock
        let isCPU = type == .cpu
        unit = isCPU ? "cores" : "\(type.unit) per second"
        scale = isCPU ? 1e-9 : 1
    }

    // MARK: Places

    static let width = 1200
    private static let (left, right, top, plotHeight) = (76, 24, 62, 320)
    private static var plotWidth: Int { width - left - right }
    private static var bottom: Int { top + plotHeight }

    private var steps: Int { timeline.hosts.count }
    private var drawn: ArraySlice<Timeline.Series> { timeline.series.prefix(Self.mostSeries) }

    /// In tenths of a pixel.
    private func x(_ step: Int) -> Int {
        Self.left * 10 + Int((Double(step) / Double(max(1, steps)) * Double(Self.plotWidth) * 10).rounded())
    }

    private func step(at moment: Timestamp) -> Double {
        (Double(moment.nanoseconds) - Double(timeline.start.nanoseconds)) / Double(timeline.stepNanoseconds)
    }

    private func y(_ value: Double, _ axis: Axis) -> Int {
        let part = axis.top > 0 ? min(1, max(0, value / axis.top)) : 0
        return Self.bottom * 10 - Int((part * Double(Self.plotHeight) * 10).rounded())
    }

    // MARK: The document

    /// - Parameter subtitle: range, samples, hosts.
    public func svg(title: String, subtitle: String = "") -> [UInt8] {
        let axis = Axis(top: drawn.flatMap { $0.rates.compactMap { $0 } }.max().map { $0 * scale } ?? 0)
        let legendTop = Self.bottom + 58
        let listTop = legendTop + (drawn.count + Self.legendColumns - 1) / Self.legendColumns * 18 + restLines * 18
        let listed = min(timeline.changes.count, Self.mostListed)
        let height = listTop + (listed == 0 ? 0 : 22 + (listed + (timeline.changes.count > listed ? 1 : 0)) * 18) + 10
        var bytes: [UInt8] = []
        bytes.reserveCapacity(16_384 + drawn.count * steps * 10)
        func write(_ literal: String) { bytes.append(contentsOf: literal.utf8) }
        func element(_ opening: String, _ text: String, _ closing: String) {
            write(opening)
            SVGText.append(text, to: &bytes)
            write(closing)
        }
        ChartHead.write(
            width: Self.width, height: height, title: title, subtitle: subtitle, description: description,
            style: Self.style, to: &bytes)
        writeAxes(axis, to: &bytes)
        writeGaps(to: &bytes)
        write("<g id=\"series\">\n")
        for (number, series) in drawn.enumerated() {
            element("<g><title>", words(series), "</title>")
            write("<path class=\"line c\(number % Self.colours.count)\"\(Self.dash(number)) d=\"")
            writeLine(series, axis, to: &bytes)
            write("\"/></g>\n")
        }
        write("</g>\n")
        writeChanges(axis, to: &bytes)
        writeLegend(top: legendTop, to: &bytes)
        writeList(top: listTop, listed: listed, to: &bytes)
        write("</svg>\n")
        return bytes
    }

    /// A level piece for each step and a rise or fall between two; nothing where nothing was measured.
    private func writeLine(_ series: Timeline.Series, _ axis: Axis, to bytes: inout [UInt8]) {
        var pen: (x: Int, y: Int)?
        for step in series.rates.indices {
            guard let rate = series.rates[step] else {
                pen = nil
                continue
            }
            let (height, end) = (y(rate * scale, axis), x(step + 1))
            if let last = pen {
                // A piece as high as the one before makes it longer.
                if last.y != height {
                    Self.append("H", last.x, to: &bytes)
                    Self.append("V", height, to: &bytes)
                }
            } else {
                Self.append("M", x(step), to: &bytes)
                Self.append(" ", height, to: &bytes)
            }
            pen = (end, height)
            let isLast = step + 1 == series.rates.count || series.rates[step + 1] == nil
            if isLast { Self.append("H", end, to: &bytes) }
        }
    }

    private func writeAxes(_ axis: Axis, to bytes: inout [UInt8]) {
        func write(_ literal: String) { bytes.append(contentsOf: literal.utf8) }
        func text(_ attributes: String, _ text: String) {
            write("<text \(attributes)>")
            SVGText.append(text, to: &bytes)
            write("</text>\n")
        }
        write("<g id=\"axes\">\n")
        for tick in axis.ticks {
            let place = Double(y(tick, axis)) / 10
            write("<path class=\"grid\" d=\"M\(Self.left) \(place)H\(Self.width - Self.right)\"/>\n")
            text("class=\"end\" x=\"\(Self.left - 6)\" y=\"\(place + 4)\"", axis.text(tick))
        }
        text(
            "class=\"middle\" transform=\"translate(18 \(Self.top + Self.plotHeight / 2)) rotate(-90)\"", unit)
        for tick in TimeTicks(from: timeline.start, to: timeline.moment(steps)).ticks {
            let part = step(at: tick) / Double(max(1, steps))
            let place = (Double(Self.left) * 10 + (part * Double(Self.plotWidth) * 10).rounded()) / 10
            write("<path class=\"tick\" d=\"M\(place) \(Self.bottom)v5\"/>\n")
            text("class=\"middle\" x=\"\(place)\" y=\"\(Self.bottom + 18)\"", label(tick))
        }
        text(
            "class=\"middle\" x=\"\(Self.width / 2)\" y=\"\(Self.bottom + 36)\"",
            "UTC; a step is \(Self.number(Double(timeline.stepNanoseconds) / 1e9)) s")
        write(
            "<path class=\"axis\" d=\"M\(Self.left) \(Self.top)V\(Self.bottom)H\(Self.width - Self.right)\"/>\n</g>\n")
    }

    /// Steps in which no host delivered, those next to each other as one.
    private func writeGaps(to bytes: inout [UInt8]) {
        func write(_ literal: String) { bytes.append(contentsOf: literal.utf8) }
        write("<g id=\"gaps\">\n")
        var step = 0
        while step < steps {
            guard timeline.hosts[step] == 0 else {
                step += 1
                continue
            }
            var end = step
            while end < steps && timeline.hosts[end] == 0 { end += 1 }
            let (start, width) = (Double(x(step)) / 10, Double(x(end) - x(step)) / 10)
            write("<g><title>not measured: ")
            SVGText.append("\(clock(timeline.moment(step))) to \(clock(timeline.moment(end)))", to: &bytes)
            write("</title><rect class=\"gap\" fill=\"url(#hatch)\" x=\"\(start)\" y=\"\(Self.top)\"")
            write(" width=\"\(width)\" height=\"\(Self.plotHeight)\"/>")
            if width >= 90 {
                write("<text class=\"middle\" x=\"\(start + width / 2)\" y=\"\(Self.top + 16)\">not measured</text>")
            }
            write("</g>\n")
            step = end
        }
        write("</g>\n")
    }

    private func writeChanges(_ axis: Axis, to bytes: inout [UInt8]) {
        func write(_ literal: String) { bytes.append(contentsOf: literal.utf8) }
        write("<g id=\"changes\">\n")
        for (number, change) in timeline.changes.enumerated() where change.series < drawn.count {
            let place = Double(x(Int(step(at: change.at).rounded()))) / 10
            write("<g><title>")
            SVGText.append(words(number), to: &bytes)
            let colour = change.series % Self.colours.count
            write("</title><path class=\"change c\(colour)\" d=\"M\(place) \(Self.top)V\(Self.bottom)\"/>")
            write("<path class=\"mark f\(colour)\" d=\"M\(place) \(Self.top)l-5 -9h10z\"/></g>\n")
        }
        write("</g>\n")
    }

    // MARK: Legend and list

    private static let legendColumns = 3
    private var restLines: Int { timeline.rowCount > drawn.count ? 1 : 0 }

    private func writeLegend(top: Int, to bytes: inout [UInt8]) {
        func write(_ literal: String) { bytes.append(contentsOf: literal.utf8) }
        write("<g id=\"legend\">\n")
        let column = (Self.width - Self.left - Self.right) / Self.legendColumns
        for (number, series) in drawn.enumerated() {
            let (place, line) = (
                Self.left + number % Self.legendColumns * column, top + number / Self.legendColumns * 18
            )
            write("<g><title>")
            SVGText.append(words(series), to: &bytes)
            write("</title><path class=\"line c\(number % Self.colours.count)\"\(Self.dash(number))")
            write(" d=\"M\(place) \(line - 4)h26\"/><text x=\"\(place + 32)\" y=\"\(line)\">")
            SVGText.append(Self.cut(series.name, to: 34) + "  " + levels(series), to: &bytes)
            write("</text></g>\n")
        }
        if restLines > 0 {
            let line = top + (drawn.count + Self.legendColumns - 1) / Self.legendColumns * 18
            write("<text class=\"faint\" x=\"\(Self.left)\" y=\"\(line)\">")
            write("\(timeline.rowCount - drawn.count) more, lighter ones are not drawn</text>\n")
        }
        write("</g>\n")
    }

    private func writeList(top: Int, listed: Int, to bytes: inout [UInt8]) {
        guard listed > 0 else { return }
        func line(_ number: Int, _ text: String, _ attributes: String = "") {
            bytes.append(contentsOf: "<text\(attributes) x=\"\(Self.left)\" y=\"\(top + 6 + number * 18)\">".utf8)
            SVGText.append(text, to: &bytes)
            bytes.append(contentsOf: "</text>\n".utf8)
        }
        bytes.append(contentsOf: "<g id=\"list\">\n".utf8)
        line(0, "Changes of level", " class=\"bold\"")
        for number in 0..<listed { line(number + 1, Self.cut(words(number), to: 165)) }
        if timeline.changes.count > listed {
            line(listed + 1, "and \(timeline.changes.count - listed) more, marked above", " class=\"faint\"")
        }
        bytes.append(contentsOf: "</g>\n".utf8)
    }

    // MARK: Words

    /// What the picture shows, for those who can't see it.
    private var description: String {
        let empty = timeline.hosts.filter { $0 == 0 }.count
        let most = timeline.hosts.max() ?? 0
        let thin = timeline.hosts.filter { $0 > 0 && $0 < most }.count
        var text = "\(unit) of \(drawn.count) series over \(steps) steps of "
        text += "\(Self.number(Double(timeline.stepNanoseconds) / 1e9)) s, from \(clock(timeline.start)) to "
        text += "\(clock(timeline.moment(steps))). "
        text += empty == 0 ? "All steps were measured" : "\(empty) steps were not measured"
        text += thin == 0 ? ". " : ", \(thin) lack some of the \(most) hosts. "
        text += drawn.prefix(Self.mostListed).map { words($0) }.joined(separator: "; ")
        text += timeline.changes.isEmpty ? ". No change of level." : ". \(timeline.changes.count) changes of level."
        return text
    }

    private func words(_ series: Timeline.Series) -> String { "\(series.name): \(levels(series))" }

    private func levels(_ series: Timeline.Series) -> String {
        let known = series.rates.compactMap { $0 }
        guard let most = known.max() else { return "not measured" }
        let mean = known.reduce(0, +) / Double(known.count)
        return "mean \(Self.number(mean * scale)), most \(Self.number(most * scale))"
    }

    private func words(_ change: Int) -> String {
        let found = timeline.changes[change]
        var text = "\(clock(found.at))  \(Self.number(found.from * scale)) → \(Self.number(found.to * scale)) \(unit)"
        if timeline.series.count > 1 { text += "  \(timeline.series[found.series].name)" }
        if change < remarks.count, let remark = remarks[change] { text += "  " + remark }
        return text
    }

    /// `09:30`, with seconds or the date where ticks need them.
    private func label(_ tick: Timestamp) -> String {
        let text = clock(tick)
        guard text.utf8.count >= 19 else { return text }
        let bytes = Array(text.utf8)
        func part(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
        let second: Int64 = 1_000_000_000
        if tick.nanoseconds % (86_400 * second) == 0 { return part(5..<10) }
        return tick.nanoseconds % (60 * second) == 0 ? part(11..<16) : part(11..<19)
    }

    /// Three places or four figures, whichever is more.
    static func number(_ value: Double) -> String {
        guard value.isFinite, value.magnitude < 1e15 else { return value.description }
        let places = value.magnitude < 1 ? 3 : value.magnitude < 100 ? 2 : 0
        var scale: Int64 = 1
        for _ in 0..<places { scale *= 10 }
        let digits = Int64((value * Double(scale)).rounded())
        var text = String(digits.magnitude)
        while text.count <= places { text = "0" + text }
        if places > 0 {
            let point = text.index(text.endIndex, offsetBy: -places)
            var fraction = String(text[point...])
            while fraction.hasSuffix("0") { fraction.removeLast() }
            text = String(text[..<point]) + (fraction.isEmpty ? "" : "." + fraction)
        }
        return digits < 0 ? "-" + text : text
    }

    private static func cut(_ text: String, to count: Int) -> String {
        text.unicodeScalars.count > count ? String(text.unicodeScalars.prefix(count - 1)) + "…" : text
    }

    /// A letter and tenths of a pixel.
    private static func append(_ letter: String, _ tenths: Int, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: letter.utf8)
        SVGText.append(tenths / 10, to: &bytes)
        guard tenths % 10 != 0 else { return }
        bytes.append(0x2E)
        SVGText.append(tenths % 10, to: &bytes)
    }

    // MARK: Looks

    /// Wong's colours for all eyes (Nature Methods 8, 441, 2011) and two more, as they stand on white and on black.
    private static let colours: [(light: String, dark: String)] = [
        ("#0072b2", "#56b4e9"), ("#d55e00", "#ff8c42"), ("#009e73", "#2fd6a3"), ("#b0479a", "#e59acb"),
        ("#a07800", "#e6c229"), ("#5b4bb7", "#a69bf5"), ("#6b7280", "#b6bcc8"), ("#8c2d04", "#d98f6c"),
    ]

    /// Lines of one colour differ by their dashes.
    private static func dash(_ number: Int) -> String {
        let dashes = ["", "8 3", "2 3", "10 3 2 3", "1 2"]
        let kind = number / colours.count % dashes.count
        return kind == 0 ? "" : " stroke-dasharray=\"\(dashes[kind])\""
    }

    private static var style: String {
        func colours(_ pick: (Int) -> String) -> String {
            Self.colours.indices.map { ".c\($0){stroke:\(pick($0))}.f\($0){fill:\(pick($0))}" }.joined()
        }
        return """
            text{font:12px Verdana,sans-serif;fill:#222}.head{font-size:17px;text-anchor:middle}.middle{text-anchor:middle}\
            .end{text-anchor:end}.bold{font-weight:bold}.faint{fill:#666}.ground{fill:#fff}.line{fill:none;stroke-width:1.5}\
            .grid{stroke:#e4e4e4}.axis,.tick{stroke:#666;fill:none}.hatch{stroke:#b8b8b8;stroke-width:2}\
            .gap{stroke:#b8b8b8}.change{stroke-dasharray:4 3;opacity:.8}\(colours { Self.colours[$0].light })\
            @media (prefers-color-scheme:dark){text{fill:#ddd}.faint{fill:#999}.ground{fill:#1b1b1f}.grid{stroke:#333}\
            .axis,.tick{stroke:#999}.hatch,.gap{stroke:#555}\(colours { Self.colours[$0].dark })}
            """
    }
}
