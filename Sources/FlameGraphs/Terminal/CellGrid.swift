/// Rows and columns of a terminal.
public struct TerminalSize: Hashable, Sendable {
    public var columns: Int
    public var rows: Int

    /// At least one cell; no terminal has more than the 500 rows and 1,000 columns that are drawn.
    public init(columns: Int, rows: Int) {
        self.columns = min(1000, max(1, columns))
        self.rows = min(500, max(1, rows))
    }
}

/// What a terminal can show, as its environment says.
public struct TerminalAbilities: Hashable, Sendable {
    public enum Colours: Hashable, Sendable {
        case none
        /// xterm's 256.
        case palette
        case true24Bit
    }

    public var colours: Colours
    /// Whether it takes UTF-8.
    public var isUnicode: Bool
    /// Whether it can be drawn on at all.
    public var movesCursor: Bool

    public init(colours: Colours, isUnicode: Bool, movesCursor: Bool = true) {
        self.colours = colours
        self.isUnicode = isUnicode
        self.movesCursor = movesCursor
    }

    /// By NO_COLOR (https://no-color.org), COLORTERM, TERM, and the locale's character set.
    public init(environment: [String: String]) {
        let kind = environment["TERM", default: ""]
        let locale =
            ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { environment[$0] }.first { !$0.isEmpty }?.lowercased() ?? ""
        if !environment["NO_COLOR", default: ""].isEmpty {
            colours = .none
        } else if ["truecolor", "24bit"].contains(environment["COLORTERM", default: ""].lowercased()) {
            colours = .true24Bit
        } else {
            colours = kind.contains("256color") ? .palette : kind.hasSuffix("-direct") ? .true24Bit : .none
        }
        isUnicode = locale.contains("utf-8") || locale.contains("utf8")
        movesCursor = !["", "dumb", "unknown"].contains(kind)
    }
}

/// What stands in each cell of a terminal. A cell holds one character and never a control character, so what is written
/// has exactly the escape sequences that are made here.
public struct CellGrid: Sendable, Equatable {
    public struct Style: Hashable, Sendable {
        /// Nil is the terminal's own.
        var text: RGB?
        var background: RGB?
        var isBold = false
        var isFaint = false
        var isUnderlined = false
        var isReversed = false
    }

    struct Cell: Equatable {
        /// Nil in the second cell of a wide character.
        var scalar: Unicode.Scalar? = " "
        var style = Style()
    }

    public let size: TerminalSize
    private var cells: [Cell]

    public init(_ size: TerminalSize) {
        self.size = size
        cells = [Cell](repeating: Cell(), count: size.columns * size.rows)
    }

    subscript(row row: Int, column column: Int) -> Cell { cells[row * size.columns + column] }

    /// What a row reads as, its last blanks left away.
    public func text(ofRow row: Int) -> String {
        var text = String.UnicodeScalarView()
        for column in 0..<size.columns { if let scalar = self[row: row, column: column].scalar { text.append(scalar) } }
        while text.last == " " { text.removeLast() }
        return String(text)
    }

    /// Writes into the cells of a row from `column` up to, not including, `end`, and fills what is left of them.
    mutating func put(
        _ letters: [TerminalText.Letter], row: Int, from column: Int, to end: Int, fill: Unicode.Scalar = " ",
        style: Style
    ) {
        guard (0..<size.rows).contains(row) else { return }
        var at = max(0, column)
        let end = min(end, size.columns)
        for letter in letters where at + letter.width <= end {
            cells[row * size.columns + at] = Cell(scalar: letter.scalar, style: style)
            if letter.width == 2 { cells[row * size.columns + at + 1] = Cell(scalar: nil, style: style) }
            at += letter.width
        }
        while at < end {
            cells[row * size.columns + at] = Cell(scalar: fill, style: style)
            at += 1
        }
    }

    /// The bytes that write a row where it belongs, whatever stood there.
    public func bytes(ofRow row: Int, colours: TerminalAbilities.Colours) -> [UInt8] {
        var bytes = Array("\u{1B}[\(row + 1);1H".utf8)
        var style: Style?
        for column in 0..<size.columns {
            let cell = self[row: row, column: column]
            guard let scalar = cell.scalar else { continue }
            if cell.style != style {
                style = cell.style
                bytes += cell.style.sequence(colours).utf8
            }
            bytes += UTF8.encode(scalar).map { Array($0) } ?? [0x3F]
        }
        return bytes + Array("\u{1B}[0m".utf8)
    }
}

extension CellGrid.Style {
    /// Select Graphic Rendition (ECMA-48, 8.3.117), from nothing.
    func sequence(_ colours: TerminalAbilities.Colours) -> String {
        var codes = ["0"]
        if isBold { codes.append("1") }
        if isFaint { codes.append("2") }
        if isUnderlined { codes.append("4") }
        if isReversed { codes.append("7") }
        func add(_ colour: RGB?, _ first: Int) {
            guard let colour else { return }
            switch colours {
            case .none: break
            case .palette: codes.append("\(first);5;\(colour.paletteIndex)")
            case .true24Bit: codes.append("\(first);2;\(colour.red);\(colour.green);\(colour.blue)")
            }
        }
        add(text, 38)
        add(background, 48)
        return "\u{1B}[" + codes.joined(separator: ";") + "m"
    }
}
