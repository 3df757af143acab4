public import Analysis
import Profiles

/// A flame scope as one SVG document: seconds from left to right, offsets within the second from top to bottom, CPU time
/// as heat, what was not measured hatched; light and dark, without a script.
public struct FlameScopePicture: Sendable {
    let scope: FlameScope

    public init(_ scope: FlameScope) {
        self.scope = scope
    }

    /// Fills for CPU time, the palest first; 0 has none.
    static let levels = 12
    private static let (left, top, right) = (64, 74, 20)
    private static let mostWidth = 1600
    private static let leastWidth = 760
    private static let plotHeight = 400

    /// Of a cell, in pixels.
    private var cellWidth: Double {
        min(28, max(0.5, Double(Self.mostWidth - Self.left - Self.right) / Double(max(1, scope.columns))))
    }
    private var cellHeight: Double { Double(Self.plotHeight) / Double(max(1, scope.rows)) }
    private var plotWidth: Double { cellWidth * Double(scope.columns) }

    /// - Parameter subtitle: what was sampled, how, for how long.
    public func svg(title: String, subtitle: String = "") -> [UInt8] {
        let width = max(Self.leastWidth, Int(plotWidth.rounded(.up)) + Self.left + Self.right)
        let height = Self.top + Self.plotHeight + 84
        var bytes: [UInt8] = []
        func write(_ literal: String) { bytes.append(contentsOf: literal.utf8) }
        ChartHead.write(
            width: width, height: height, title: title, subtitle: subtitle, description: description, style: Self.style,
            to: &bytes)
        writeCells(to: &bytes)
        writeAxes(to: &bytes)
        writeColumns(to: &bytes)
        writeLegend(top: Self.top + Self.plotHeight + 56, to: &bytes)
        write("</svg>\n")
        return bytes
    }

    /// 0 for a measured cell without CPU time; nil where nothing was measured.
    private func level(_ cores: Double?) -> Int? {
        guard let cores else { return nil }
        let brightest = scope.brightest
        guard cores > 0, brightest > 0 else { return 0 }
        return max(1, min(Self.levels, Int((cores / brightest * Double(Self.levels)).rounded(.up))))
    }

    /// One path for each level, of one rectangle for each run of equal cells below each other.
    private func writeCells(to bytes: inout [UInt8]) {
        func write(_ literal: String) { bytes.append(contentsOf: literal.utf8) }
        let levels = scope.cores.map { level($0) }
        var paths = [[UInt8]](repeating: [], count: Self.levels + 1)
        var gaps: [UInt8] = []
        var lossy: [UInt8] = []
        func runs(_ same: (Int, Int) -> Bool, _ body: (_ column: Int, _ rows: Range<Int>) -> Void) {
            for column in 0..<scope.columns {
                var row = 0
                while row < scope.rows {
                    var end = row + 1
                    let cell = column * scope.rows + row
                    while end < scope.rows, same(cell, column * scope.rows + end) { end += 1 }
                    body(column, row..<end)
                    row = end
                }
            }
        }
        runs({ levels[$0] == levels[$1] }) { column, rows in
            let rectangle = rectangle(column, rows)
            switch levels[column * scope.rows + rows.lowerBound] {
            case nil: gaps.append(contentsOf: rectangle.utf8)
            case let level?: paths[level].append(contentsOf: rectangle.utf8)
            }
        }
        runs({ scope.hasLosses[$0] == scope.hasLosses[$1] }) { column, rows in
            guard scope.hasLosses[column * scope.rows + rows.lowerBound] else { return }
            lossy.append(contentsOf: rectangle(column, rows).utf8)
        }
        write("<g id=\"cells\">\n")
        for (level, path) in paths.enumerated() where !path.isEmpty {
            write("<path class=\"h\(level)\" d=\"")
            bytes.append(contentsOf: path)
            write("\"/>\n")
        }
        write("</g>\n<g id=\"gaps\">\n")
        if !gaps.isEmpty {
            write("<g><title>not measured</title><path fill=\"url(#hatch)\" d=\"")
            bytes.append(contentsOf: gaps)
            write("\"/></g>\n")
        }
        write("</g>\n<g id=\"losses\">\n")
        if !lossy.isEmpty {
            write("<g><title>samples of the host were lost about here</title><path class=\"lost\" d=\"")
            bytes.append(contentsOf: lossy)
            write("\"/></g>\n")
        }
        write("</g>\n")
    }

    private func rectangle(_ column: Int, _ rows: Range<Int>) -> String {
        let (x, y) = (Self.number(x(column)), Self.number(y(rows.lowerBound)))
        let (width, height) = (Self.number(cellWidth), Self.number(cellHeight * Double(rows.count)))
        return "M\(x) \(y)h\(width)v\(height)h-\(width)z"
    }

    private func x(_ column: Int) -> Double { Double(Self.left) + Double(column) * cellWidth }
    private func y(_ row: Int) -> Double { Double(Self.top) + Double(row) * cellHeight }

    private func writeAxes(to bytes: inout [UInt8]) {
        func write(_ literal: String) { bytes.append(contentsOf: literal.utf8) }
        write("<g id=\"axes\">\n")
        let bottom = Self.top + Self.plotHeight
        let seconds = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600].first { Double($0) * cellWidth >= 40 } ?? 1200
        for column in stride(from: 0, through: scope.columns, by: seconds) {
            let place = Self.number(x(column))
            write("<path class=\"tick\" d=\"M\(place) \(bottom)v5\"/>")
            write("<text class=\"middle\" x=\"\(place)\" y=\"\(bottom + 18)\">\(column)</text>\n")
        }
        for milliseconds in stride(from: 0, through: 1000, by: 200) {
            let place = Self.number(Double(Self.top) + Double(milliseconds) / 1000 * Double(Self.plotHeight))
            write("<path class=\"tick\" d=\"M\(Self.left - 5) \(place)h5\"/>")
            write("<text class=\"end\" x=\"\(Self.left - 8)\" y=\"\(place)\" dy=\"4\">\(milliseconds)</text>\n")
        }
        let middle = Self.number(Double(Self.left) + max(plotWidth, 200) / 2)
        write("<text class=\"middle\" x=\"\(middle)\" y=\"\(bottom + 34)\">seconds since the start</text>\n")
        write("<text class=\"middle\" transform=\"translate(16 \(Self.top + Self.plotHeight / 2)) rotate(-90)\">")
        write("milliseconds within the second</text>\n</g>\n")
    }

    /// What a pointer says of a second.
    private func writeColumns(to bytes: inout [UInt8]) {
        func write(_ literal: String) { bytes.append(contentsOf: literal.utf8) }
        write("<g id=\"seconds\">\n")
        for column in 0..<scope.columns {
            write("<g><title>\(words(column))</title><rect class=\"second\" x=\"\(Self.number(x(column)))\"")
            write(" y=\"\(Self.top)\" width=\"\(Self.number(cellWidth))\" height=\"\(Self.plotHeight)\"/></g>\n")
        }
        write("</g>\n")
    }

    private func writeLegend(top: Int, to bytes: inout [UInt8]) {
        func write(_ literal: String) { bytes.append(contentsOf: literal.utf8) }
        write("<g id=\"legend\">\n")
        var x = Self.left
        func entry(_ swatch: String, _ text: String) {
            write("<rect \(swatch) x=\"\(x)\" y=\"\(top - 11)\" width=\"14\" height=\"14\"/>")
            write("<text x=\"\(x + 19)\" y=\"\(top)\">\(text)</text>\n")
            x += 19 + 7 * text.unicodeScalars.count + 16
        }
        entry("class=\"h0 edge\"", "idle")
        let brightest = scope.brightest
        if brightest > 0 {
            for part in 1...4 {
                let level = Self.levels * part / 4
                entry(
                    "class=\"h\(level)\"",
                    TimelinePicture.number(brightest * Double(part) / 4) + (part == 4 ? " cores and more" : ""))
            }
        }
        entry("fill=\"url(#hatch)\"", "not measured")
        if scope.hasLosses.contains(true) { entry("class=\"lost\"", "samples lost") }
        write("</g>\n")
    }

    private func words(_ column: Int) -> String {
        guard let found = scope.summary(column: column) else { return "second \(column): not measured" }
        let offset = Int64(found.row) * scope.rowNanoseconds / 1_000_000
        return "second \(column): \(TimelinePicture.number(found.mean)) cores on average, "
            + "most \(TimelinePicture.number(found.highest)) at \(offset) ms"
    }

    private var description: String {
        let known = scope.cores.compactMap { $0 }
        let gaps = scope.cores.count - known.count
        var text = "CPU time by second and by offset within it, in cells of \(scope.rowNanoseconds / 1_000_000) ms: "
        guard let most = known.max() else { return text + "nothing was measured." }
        text += "\(TimelinePicture.number(known.reduce(0, +) / Double(known.count))) cores on average, "
        text += "most \(TimelinePicture.number(most)). "
        text += gaps == 0 ? "All cells were measured." : "\(gaps) of \(scope.cores.count) cells were not measured."
        if scope.hasLosses.contains(true) { text += " Samples were lost." }
        return text
    }

    /// Hundredths of a pixel.
    private static func number(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        if hundredths % 100 == 0 { return "\(hundredths / 100)" }
        let fraction = hundredths % 100
        return "\(hundredths / 100)." + (fraction < 10 ? "0" : "") + "\(fraction)"
    }

    private static var style: String {
        // From pale yellow by red to nearly black, as in the original; on dark ground from dark to bright.
        func fills(_ stops: [(Double, Double, Double)]) -> String {
            (1...levels).map { level in
                let place = Double(level - 1) / Double(levels - 1) * Double(stops.count - 1)
                let (low, high) = (stops[Int(place)], stops[min(stops.count - 1, Int(place) + 1)])
                let part = place - place.rounded(.down)
                func mix(_ one: Double, _ other: Double) -> Int { Int((one + (other - one) * part).rounded()) }
                return ".h\(level){fill:rgb(\(mix(low.0, high.0)),\(mix(low.1, high.1)),\(mix(low.2, high.2)))}"
            }.joined()
        }
        return """
            text{font:12px Verdana,sans-serif;fill:#222}.head{font-size:17px;text-anchor:middle}.middle{text-anchor:middle}\
            .end{text-anchor:end}.ground{fill:#fff}.h0{fill:#f2f2f2}.edge{stroke:#999}.tick{stroke:#666}\
            .hatch{stroke:#b8b8b8;stroke-width:2}.second{fill:transparent}.lost{fill:none;stroke:#06c;stroke-width:1.5}\
            \(fills([(255, 236, 190), (253, 141, 60), (200, 30, 30), (70, 0, 10)]))\
            @media (prefers-color-scheme:dark){text{fill:#ddd}.ground{fill:#1b1b1f}.h0{fill:#2a2a30}.tick{stroke:#999}\
            .hatch{stroke:#555}.lost{stroke:#6bf}\(fills([(74, 20, 24), (170, 40, 30), (253, 141, 60), (255, 244, 200)]))}
            """
    }
}
