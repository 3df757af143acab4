/// A table for a terminal: columns as wide as their widest cell, two spaces between them.
///
/// Cells are escaped, so names from outside can't steer the terminal. Width counts characters.
public struct TextTable: Sendable {
    public enum Alignment: Sendable {
        case left, right
    }

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[String]] = []

    public init(columns: [(title: String, alignment: Alignment)]) {
        self.columns = columns
    }

    /// Missing cells stay empty, spare ones are left out.
    public mutating func add(_ cells: [String]) {
        rows.append(columns.indices.map { $0 < cells.count ? EscapedText.escape(cells[$0]) : "" })
    }

    /// Lines ended by line feeds, the titles first.
    ///
    /// - Parameter inColour: sets the titles in bold.
    public func text(inColour: Bool = false) -> String {
        let titles = columns.map(\.title)
        let widths = columns.indices.map { column in
            rows.reduce(titles[column].count) { max($0, $1[column].count) }
        }
        func line(_ cells: [String]) -> String {
            var line = ""
            for column in columns.indices {
                if column > 0 { line += "  " }
                let cell = cells[column]
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                switch columns[column].alignment {
                case .right: line += padding + cell
                case .left: line += column == columns.count - 1 ? cell : cell + padding
                }
            }
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }
        var text = inColour ? "\u{1B}[1m\(line(titles))\u{1B}[0m\n" : line(titles) + "\n"
        for row in rows { text += line(row) + "\n" }
        return text
    }
}
