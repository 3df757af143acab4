/// Writes JSON (RFC 8259) in the order in which it is told, by a flat sequence of calls, so that a tree of any depth
/// needs no recursion. Numbers that JSON can't hold (not finite) become null.
public struct JSONWriter: Sendable {
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false

    public init() {}

    public mutating func beginObject() { open(0x7B) }
    public mutating func endObject() { close(0x7D) }
    public mutating func beginArray() { open(0x5B) }
    public mutating func endArray() { close(0x5D) }

    public mutating func key(_ name: String) {
        separate()
        quote(name)
        bytes.append(0x3A)
        needsComma = false
    }

    public mutating func null() { write("null") }
    public mutating func value(_ value: Bool) { write(value ? "true" : "false") }
    public mutating func value(_ value: some FixedWidthInteger) { write(String(value)) }
    public mutating func value(_ value: Double) { write(value.isFinite ? value.description : "null") }

    public mutating func value(_ value: String) {
        separate()
        quote(value)
        needsComma = true
    }

    public mutating func member(_ name: String, _ value: String?) {
        key(name)
        if let value { self.value(value) } else { null() }
    }

    public mutating func member(_ name: String, _ value: Double?) {
        key(name)
        if let value { self.value(value) } else { null() }
    }

    public mutating func member<Integer: FixedWidthInteger>(_ name: String, _ value: Integer?) {
        key(name)
        if let value { self.value(value) } else { null() }
    }

    public mutating func member(_ name: String, _ value: Bool) {
        key(name)
        self.value(value)
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(0x2C) }
    }

    private mutating func write(_ literal: String) {
        separate()
        bytes.append(contentsOf: literal.utf8)
        needsComma = true
    }

    private mutating func quote(_ text: String) {
        bytes.append(0x22)
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5C:
                bytes.append(0x5C)
                bytes.append(byte)
            case 0x0A: bytes.append(contentsOf: "\\n".utf8)
            case 0x09: bytes.append(contentsOf: "\\t".utf8)
            case 0x0D: bytes.append(contentsOf: "\\r".utf8)
            case 0..<0x20:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(contentsOf: (byte < 0x10 ? "0" : "").utf8)
                bytes.append(contentsOf: String(byte, radix: 16).utf8)
            default: bytes.append(byte)
            }
        }
        bytes.append(0x22)
    }
}

/// An answer that writes itself as JSON, keys in the order of its description and null where something is unknown.
public protocol JSONAnswer: Sendable {
    /// Writes one JSON value.
    func write(to writer: inout JSONWriter)
}

extension JSONAnswer {
    /// One line of UTF-8, without a line end.
    public func json() -> [UInt8] {
        var writer = JSONWriter()
        write(to: &writer)
        return writer.bytes
    }
}
