/// A JSON value (RFC 8259) of a file that nobody vouches for.
enum JSONText {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONText])
    case object([String: JSONText])

    /// The one value that a text holds. Of equal keys the last counts.
    static func parse(_ bytes: [UInt8]) throws(FormatError) -> JSONText {
        var parser = JSONParser(bytes: bytes)
        return try parser.document()
    }

    subscript(key: String) -> JSONText? {
        if case .object(let members) = self { members[key] } else { nil }
    }

    var array: [JSONText]? { if case .array(let values) = self { values } else { nil } }
    var string: String? { if case .string(let text) = self { text } else { nil } }
    var number: Double? { if case .number(let value) = self { value } else { nil } }
    /// A whole number that a double holds exactly.
    var integer: Int? { number.flatMap { $0 == $0.rounded() && $0.magnitude <= 9_007_199_254_740_992 ? Int($0) : nil } }
}

/// Reads JSON from left to right.
struct JSONParser {
    let bytes: [UInt8]
    var offset = 0
    private var budget = MemoryBudget()
    private static let depth = 64

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    func failed(_ reason: String) -> FormatError { FormatError(.offset(offset), "JSON: \(reason)") }
    var byte: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    mutating func skipSpace() {
        while let byte, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    mutating func document() throws(FormatError) -> JSONText {
        let value = try value(depth: 0)
        skipSpace()
        guard offset == bytes.count else { throw failed("something follows the value") }
        return value
    }

    mutating func value(depth: Int) throws(FormatError) -> JSONText {
        guard depth < Self.depth else { throw failed("nested deeper than \(Self.depth)") }
        skipSpace()
        guard let byte else { throw failed("it ends where a value should stand") }
        // The place in a list, with its room to grow.
        try budget.take(32, at: .offset(offset))
        switch byte {
        case 0x7B: return try object(depth: depth)
        case 0x5B: return try array(depth: depth)
        case 0x22: return .string(try string())
        case 0x74: return try word("true", .bool(true))
        case 0x66: return try word("false", .bool(false))
        case 0x6E: return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ text: StaticString, _ value: JSONText) throws(FormatError) -> JSONText {
        let letters = Array("\(text)".utf8)
        guard bytes[offset...].starts(with: letters) else { throw failed("no value") }
        offset += letters.count
        return value
    }

    private mutating func object(depth: Int) throws(FormatError) -> JSONText {
        offset += 1
        var members: [String: JSONText] = [:]
        skipSpace()
        if byte == 0x7D {
            offset += 1
            return .object(members)
        }
        while true {
            skipSpace()
            guard byte == 0x22 else { throw failed("a key should stand here") }
            let key = try string()
            // A small table is as large as several members.
            try budget.take(members.isEmpty ? 192 : 96, at: .offset(offset))
            skipSpace()
            guard byte == 0x3A else { throw failed("':' should stand here") }
            offset += 1
            members[key] = try value(depth: depth + 1)
            skipSpace()
            if byte == 0x2C {
                offset += 1
            } else if byte == 0x7D {
                offset += 1
                return .object(members)
            } else {
                throw failed("',' or '}' should stand here")
            }
        }
    }

    private mutating func array(depth: Int) throws(FormatError) -> JSONText {
        offset += 1
        var values: [JSONText] = []
        skipSpace()
        if byte == 0x5D {
            offset += 1
            return .array(values)
        }
        try budget.take(64, at: .offset(offset))
        while true {
            values.append(try value(depth: depth + 1))
            skipSpace()
            if byte == 0x2C {
                offset += 1
            } else if byte == 0x5D {
                offset += 1
                return .array(values)
            } else {
                throw failed("',' or ']' should stand here")
            }
        }
    }

    private mutating func number() throws(FormatError) -> JSONText {
        let start = offset
        while let byte, (byte >= 0x30 && byte <= 0x39) || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains(byte) { offset += 1 }
        guard offset > start, bytes[start] != 0x2B, bytes[start] != 0x2E,
            let value = Double(String(decoding: bytes[start..<offset], as: UTF8.self)), value.isFinite
        else {
            offset = start
            throw failed("no value")
        }
        return .number(value)
    }

    mutating func string() throws(FormatError) -> String {
        offset += 1
        var text: [UInt8] = []
        let start = offset
        while let byte {
            switch byte {
            case 0x22:
                offset += 1
                try budget.take(text.count > 15 ? 32 + text.count : 0, at: .offset(start))
                guard let string = String(validating: text, as: UTF8.self) else {
                    offset = start
                    throw failed("a string is not UTF-8")
                }
                return string
            case 0x5C: try escape(into: &text)
            case 0..<0x20: throw failed("a control character in a string")
            default:
                text.append(byte)
                offset += 1
            }
        }
        throw failed("a string has no end")
    }

    private mutating func escape(into text: inout [UInt8]) throws(FormatError) {
        offset += 1
        guard let byte else { throw failed("a string has no end") }
        offset += 1
        let simple: [UInt8: UInt8] = [
            0x22: 0x22, 0x5C: 0x5C, 0x2F: 0x2F, 0x62: 8, 0x66: 12, 0x6E: 10, 0x72: 13, 0x74: 9,
        ]
        if let one = simple[byte] {
            text.append(one)
            return
        }
        guard byte == 0x75 else { throw failed("an unknown escape") }
        var code = try hexadecimal()
        if code >= 0xD800, code < 0xDC00, bytes[offset...].starts(with: [0x5C, 0x75]) {
            let before = offset
            offset += 2
            let low = try hexadecimal()
            if low >= 0xDC00, low < 0xE000 {
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            } else {
                offset = before
            }
        }
        // Half of a pair is no character.
        text.append(contentsOf: String(Unicode.Scalar(code) ?? "\u{FFFD}").utf8)
    }

    private mutating func hexadecimal() throws(FormatError) -> UInt32 {
        guard offset + 4 <= bytes.count,
            bytes[offset..<offset + 4].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let code = UInt32(String(decoding: bytes[offset..<offset + 4], as: UTF8.self), radix: 16)
        else { throw failed("an escape without four hexadecimal digits") }
        offset += 4
        return code
    }
}
