/// Columns for people: numbers to the right, names to the left, two spaces between.
struct TextTable {
    enum Alignment {
        case left, right
    }

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[String]] = []

    init(_ columns: [(title: String, alignment: Alignment)]) {
        self.columns = columns
    }

    /// One text per column. Control characters are escaped, so that a row stays one line.
    mutating func add(_ row: [String]) {
        rows.append(row.map(escaped))
    }

    /// Lines with their ends; the titles bold where there is colour.
    func text(color: Bool) -> String {
        var widths = columns.map(\.title.count)
        for row in rows {
            for (index, cell) in row.enumerated() where index < widths.count {
                widths[index] = max(widths[index], cell.count)
            }
        }
        let titles = line(columns.map(\.title), widths: widths)
        var text = color ? "\u{1B}[1m\(titles)\u{1B}[0m\n" : "\(titles)\n"
        for row in rows { text += line(row, widths: widths) + "\n" }
        return text
    }

    private func line(_ cells: [String], widths: [Int]) -> String {
        var parts: [String] = []
        for (index, cell) in cells.enumerated() where index < columns.count {
            let padding = String(repeating: " ", count: widths[index] - cell.count)
            let isLast = index == columns.count - 1
            switch columns[index].alignment {
            case .right: parts.append(padding + cell)
            case .left: parts.append(isLast ? cell : cell + padding)
            }
        }
        return parts.joined(separator: "  ")
    }
}

/// A fraction of 1 as a percentage with one digit: `60.1%`.
func percent(_ share: Double) -> String {
    fixed(share * 100, digits: 1) + "%"
}

/// `58.9–61.2%`.
func percentInterval(_ low: Double, _ high: Double) -> String {
    "\(fixed(low * 100, digits: 1))–\(percent(high))"
}

/// Cores, or a dash where the type is no CPU time.
func coresText(_ cores: Double?) -> String {
    guard let cores else { return "-" }
    return fixed(cores, digits: cores < 10 ? 3 : 1)
}

/// A decimal with this many digits after the point, whatever the locale.
func fixed(_ value: Double, digits: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int64((abs(value) * scale).rounded())
    let sign = value < 0 && scaled != 0 ? "-" : ""
    let whole = scaled / Int64(scale)
    guard digits > 0 else { return "\(sign)\(whole)" }
    let fraction = String(scaled % Int64(scale))
    return "\(sign)\(whole).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
}

/// A count with commas between thousands.
func grouped(_ count: some BinaryInteger) -> String {
    let digits = Array(String(count))
    var text = ""
    for (index, digit) in digits.enumerated() {
        if index > 0, (digits.count - index) % 3 == 0, digits[index - 1] != "-" { text.append(",") }
        text.append(digit)
    }
    return text
}
