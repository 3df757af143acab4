public import Analysis

/// A flame scope for a terminal: seconds from left to right, offsets within the second from top to bottom.
public enum FlameScopeText {
    /// Cores from 0 to the brightest.
    private static let shades = Array(" ░▒▓█")
    static let notMeasured: Character = "·"
    /// Lines that a second has at most; several rows are one line beyond that.
    private static let mostLines = 25

    /// - Parameter columns: characters that a line may have, labels included.
    public static func text(_ scope: FlameScope, columns width: Int) -> String {
        let group = (scope.rows + mostLines - 1) / mostLines
        let room = max(10, width - 8)
        var lines: [[[Double?]]] = []
        for row in stride(from: 0, to: scope.rows, by: group) {
            lines.append(
                (0..<scope.columns).map { column in
                    (row..<min(scope.rows, row + group)).map { scope.cores(column: column, row: $0) }
                })
        }
        let cells = lines.map { $0.map(mean) }
        let brightest = max(1e-9, brightest(cells))
        let hasLosses = (0..<scope.columns).map { column in
            (0..<scope.rows).contains { scope.hasLosses[column * scope.rows + $0] }
        }
        var text = ""
        for first in stride(from: 0, to: scope.columns, by: room) {
            let shown = first..<min(scope.columns, first + room)
            var axis = ""
            var column = shown.lowerBound
            while column < shown.upperBound {
                let label = "\(column)s"
                let isRound = column % 10 == 0 || column == shown.lowerBound
                if isRound, column + label.count <= shown.upperBound {
                    axis += label
                    column += label.count
                } else {
                    axis += " "
                    column += 1
                }
            }
            text += "        " + axis + "\n"
            for (number, line) in cells.enumerated() {
                let offset = Int64(number * group) * scope.rowNanoseconds / 1_000_000
                let label = number % 5 == 0 ? "\(offset) ms" : ""
                text += String(repeating: " ", count: 7 - label.count) + label + " "
                text += String(line[shown].map { shade($0, brightest) }) + "\n"
            }
            if hasLosses[shown].contains(true) {
                text += "   lost " + String(hasLosses[shown].map { $0 ? "!" : " " }) + "\n"
            }
            text += "\n"
        }
        text +=
            "\(shades.dropFirst().map(String.init).joined(separator: " ")) up to \(Decimal.text(brightest, places: 2)) "
        text += "cores and more, blank none, \(notMeasured) not measured; a line is "
        text += "\(Int64(group) * scope.rowNanoseconds / 1_000_000) ms of each second"
        if hasLosses.contains(true) { text += "; ! in that second samples were lost" }
        return text + "\n"
    }

    private static func mean(_ cells: [Double?]) -> Double? {
        let known = cells.compactMap { $0 }
        return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
    }

    private static func brightest(_ cells: [[Double?]]) -> Double {
        let known = cells.flatMap { $0.compactMap { $0 } }.filter { $0 > 0 }.sorted()
        guard let highest = known.last else { return 0 }
        return max(highest / 2, known[known.count * 99 / 100])
    }

    private static func shade(_ cores: Double?, _ brightest: Double) -> Character {
        guard let cores else { return notMeasured }
        if cores <= 0 { return shades[0] }
        return shades[min(shades.count - 1, max(1, Int((cores / brightest * 4).rounded(.up))))]
    }
}
