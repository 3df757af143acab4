/// Text within a script element of HTML: a string of JSON in which nothing can end the element or begin a comment
/// (HTML, 4.12.1.3).
enum ScriptText {
    static func append(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(0x22)
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5C:
                bytes.append(0x5C)
                bytes.append(byte)
            case 0..<0x20, 0x26, 0x3C, 0x3E, 0x7F:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(digit(byte >> 4))
                bytes.append(digit(byte & 15))
            default: bytes.append(byte)
            }
        }
        bytes.append(0x22)
    }

    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }
}

/// Base64 with padding (RFC 4648, section 4).
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func append(_ data: [UInt8], to bytes: inout [UInt8]) {
        bytes.reserveCapacity(bytes.count + data.count * 4 / 3 + 4)
        let alphabet = alphabet
        var index = 0
        while index < data.count {
            let count = min(3, data.count - index)
            var group = UInt32(data[index]) << 16
            if count > 1 { group |= UInt32(data[index + 1]) << 8 }
            if count > 2 { group |= UInt32(data[index + 2]) }
            for place in 0..<4 {
                bytes.append(place <= count ? alphabet[Int(group >> UInt32(18 - 6 * place) & 63)] : 0x3D)
            }
            index += 3
        }
    }
}
