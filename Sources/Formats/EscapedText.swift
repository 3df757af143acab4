/// Names that came from outside, made harmless for a terminal and for formats of one line a record.
///
/// Control characters (C0, DEL, C1) become `\n`, `\t`, `\r` or `\x1b`; characters that turn the direction of writing
/// or break lines (U+2028 to U+202E, U+2066 to U+2069) become `\u{202e}`. Everything else stays.
public enum EscapedText {
    public static func escape(_ text: String) -> String {
        needsEscape(text) ? String(decoding: escapedBytes(text), as: UTF8.self) : text
    }

    /// Appends the escaped text's UTF-8.
    static func append(_ text: String, to bytes: inout [UInt8]) {
        if needsEscape(text) {
            bytes.append(contentsOf: escapedBytes(text))
        } else {
            bytes.append(contentsOf: text.utf8)
        }
    }

    private static func needsEscape(_ text: String) -> Bool {
        let bytes = text.utf8.span
        var before: UInt8 = 0
        for index in bytes.indices {
            let byte = bytes[index]
            if byte < 0x20 || byte == 0x7F { return true }
            // C2 80…9F is C1; E2 80 and E2 81 begin the directional ones, rare enough to look again.
            if before == 0xC2 && byte < 0xA0 { return true }
            if before == 0xE2 && (byte == 0x80 || byte == 0x81) { return true }
            before = byte
        }
        return false
    }

    private static func escapedBytes(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x0A: bytes.append(contentsOf: "\\n".utf8)
            case 0x09: bytes.append(contentsOf: "\\t".utf8)
            case 0x0D: bytes.append(contentsOf: "\\r".utf8)
            case 0..<0x20, 0x7F...0x9F:
                bytes.append(contentsOf: (scalar.value < 0x10 ? "\\x0" : "\\x").utf8)
                bytes.append(contentsOf: String(scalar.value, radix: 16).utf8)
            case 0x2028...0x202E, 0x2066...0x2069:
                bytes.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".utf8)
            default: bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            }
        }
        return bytes
    }
}
