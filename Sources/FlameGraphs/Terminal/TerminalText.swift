import Formats

/// Text in cells of a terminal.
enum TerminalText {
    struct Letter: Equatable {
        var scalar: Unicode.Scalar
        /// Cells: 1 or 2.
        var width: Int
    }

    /// As much of `text` as has room, with two dots where it was cut. Control characters and those that turn the direction
    /// of writing are written out; marks that stand in no cell of their own are left away; what a terminal might draw in
    /// another width than is reckoned with is shown as U+FFFD.
    ///
    /// - Parameter isUnicode: whether the terminal takes UTF-8; `?` stands for the rest where it doesn't.
    static func letters(_ text: String, room: Int, isUnicode: Bool) -> [Letter] {
        guard room > 0 else { return [] }
        // A name may have 100 KB; no cell needs more than a letter and its marks.
        let enough = String(text.unicodeScalars.prefix(4 * room + 16))
        var letters: [Letter] = []
        var width = 0
        for scalar in EscapedText.escape(enough).unicodeScalars {
            guard let letter = letter(scalar, isUnicode) else { continue }
            letters.append(letter)
            width += letter.width
            if width > room { break }
        }
        let isCut = width > room || enough.unicodeScalars.count < text.unicodeScalars.count
        guard isCut else { return letters }
        let dots = room >= 4 ? 2 : 0
        while width > room - dots, let last = letters.popLast() { width -= last.width }
        return letters + [Letter](repeating: Letter(scalar: ".", width: 1), count: dots)
    }

    private static func letter(_ scalar: Unicode.Scalar, _ isUnicode: Bool) -> Letter? {
        if scalar.isASCII { return Letter(scalar: scalar, width: 1) }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return nil
        case .control, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
            return Letter(scalar: isUnicode ? "\u{FFFD}" : "?", width: 1)
        default: break
        }
        guard isUnicode else { return Letter(scalar: "?", width: 1) }
        // Letters of flags make one sign together or not, as the terminal likes.
        if (0x1F1E6...0x1F1FF).contains(scalar.value) || scalar.properties.isEmojiModifier {
            return Letter(scalar: "\u{FFFD}", width: 1)
        }
        return Letter(scalar: scalar, width: isWide(scalar) ? 2 : 1)
    }

    /// East Asian Wide and Fullwidth (Unicode Standard Annex 11), by blocks, and pictographs.
    private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
            0xA960...0xA97C, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6,
            0x16FE0...0x1B2FB, 0x20000...0x3FFFD:
            true
        default: scalar.properties.isEmojiPresentation
        }
    }
}
