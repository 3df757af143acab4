/// Appends text and numbers to a document of XML 1.0 in UTF-8.
enum SVGText {
    /// Escapes what has a meaning in XML and puts U+FFFD where XML 1.0 (2.2, Char) allows no character: control
    /// characters, U+FFFE and U+FFFF. Tabs and line ends become it as well, since names stand on one line.
    static func append(_ text: String, to bytes: inout [UInt8]) {
        append(text.utf8.span, to: &bytes)
    }

    static func append(_ text: Span<UInt8>, to bytes: inout [UInt8]) {
        var index = 0
        while index < text.count {
            let byte = text[index]
            switch byte {
            case 0x26: bytes.append(contentsOf: "&amp;".utf8)
            case 0x3C: bytes.append(contentsOf: "&lt;".utf8)
            case 0x3E: bytes.append(contentsOf: "&gt;".utf8)
            case 0x22: bytes.append(contentsOf: "&quot;".utf8)
            case 0x27: bytes.append(contentsOf: "&apos;".utf8)
            case 0..<0x20, 0x7F: bytes.append(contentsOf: "\u{FFFD}".utf8)
            case 0xC2 where index + 1 < text.count && text[index + 1] < 0xA0:
                // C1 control characters: allowed, discouraged, and never seen.
                bytes.append(contentsOf: "\u{FFFD}".utf8)
                index += 1
            case 0xEF where index + 2 < text.count && text[index + 1] == 0xBF && text[index + 2] >= 0xBE:
                bytes.append(contentsOf: "\u{FFFD}".utf8)
                index += 2
            default: bytes.append(byte)
            }
            index += 1
        }
    }

    static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        append(digitsOf: number, separator: nil, to: &bytes)
    }

    static func append(_ number: Int, to bytes: inout [UInt8]) {
        if number < 0 { bytes.append(0x2D) }
        append(digitsOf: UInt64(number.magnitude), separator: nil, to: &bytes)
    }

    /// With commas between thousands.
    static func append(grouped number: UInt64, to bytes: inout [UInt8]) {
        append(digitsOf: number, separator: 0x2C, to: &bytes)
    }

    /// `part` of `whole` in per cent with so many places (at most 6), rounded to the nearest.
    static func append(percentOf part: UInt64, in whole: UInt64, places: Int, to bytes: inout [UInt8]) {
        var scale: UInt64 = 1
        for _ in 0..<places { scale *= 10 }
        let share = whole == 0 ? 0 : Double(part) / Double(whole)
        let scaled = UInt64((share * 100 * Double(scale)).rounded())
        append(scaled / scale, to: &bytes)
        guard places > 0 else { return }
        bytes.append(0x2E)
        var rest = scaled % scale
        var unit = scale / 10
        while unit > 0 {
            bytes.append(0x30 + UInt8(truncatingIfNeeded: rest / unit))
            rest %= unit
            unit /= 10
        }
    }

    private static func append(digitsOf number: UInt64, separator: UInt8?, to bytes: inout [UInt8]) {
        var unit: UInt64 = 1
        var places = 1
        while number / unit >= 10 {
            unit *= 10
            places += 1
        }
        var rest = number
        while unit > 0 {
            bytes.append(0x30 + UInt8(truncatingIfNeeded: rest / unit))
            rest %= unit
            unit /= 10
            places -= 1
            if let separator, places > 0, places % 3 == 0 { bytes.append(separator) }
        }
    }
}
