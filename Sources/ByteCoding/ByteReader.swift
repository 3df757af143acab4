/// Why bytes could not be read. Offsets count from the start of what the reader was given.
public enum ByteCodingError: Error, Equatable, Sendable, CustomStringConvertible {
    case truncated(offset: Int, needed: Int, available: Int)
    case varintTooLong(offset: Int)
    case lengthOverLimit(offset: Int, length: UInt64, limit: Int)
    case invalidUTF8(offset: Int)

    public var description: String {
        switch self {
        case .truncated(let offset, let needed, let available):
            "ends too early: \(needed) bytes are needed at offset \(offset), \(available) are there"
        case .varintTooLong(let offset):
            "a variable-length integer at offset \(offset) is longer than 64 bits"
        case .lengthOverLimit(let offset, let length, let limit):
            "a length of \(length) at offset \(offset) is over the limit of \(limit)"
        case .invalidUTF8(let offset):
            "the string at offset \(offset) is not UTF-8"
        }
    }
}

/// Reads little-endian values from bytes that nobody vouches for: every length is checked before it is used.
public struct ByteReader: ~Copyable, ~Escapable {
    @usableFromInline let bytes: RawSpan
    /// Where the next read begins.
    public private(set) var offset: Int

    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan) {
        self.bytes = bytes
        offset = 0
    }

    public var remaining: Int { bytes.byteCount - offset }
    public var isAtEnd: Bool { offset == bytes.byteCount }

    @_lifetime(self: copy self)
    public mutating func seek(to position: Int) throws(ByteCodingError) {
        guard position >= 0, position <= bytes.byteCount else {
            throw .truncated(offset: position, needed: 0, available: bytes.byteCount)
        }
        offset = position
    }

    @_lifetime(self: copy self)
    public mutating func skip(_ count: Int) throws(ByteCodingError) {
        try require(count)
        offset += count
    }

    @_lifetime(self: copy self)
    public mutating func readUInt8() throws(ByteCodingError) -> UInt8 {
        try require(1)
        defer { offset += 1 }
        return unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    @_lifetime(self: copy self)
    public mutating func readUInt16() throws(ByteCodingError) -> UInt16 {
        try require(2)
        defer { offset += 2 }
        return unsafe UInt16(littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt16.self))
    }

    @_lifetime(self: copy self)
    public mutating func readUInt32() throws(ByteCodingError) -> UInt32 {
        try require(4)
        defer { offset += 4 }
        return unsafe UInt32(littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self))
    }

    @_lifetime(self: copy self)
    public mutating func readUInt64() throws(ByteCodingError) -> UInt64 {
        try require(8)
        defer { offset += 8 }
        return unsafe UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }

    /// Unsigned LEB128 (DWARF 5, 7.6), at most 64 bits.
    @_lifetime(self: copy self)
    public mutating func readVarint() throws(ByteCodingError) -> UInt64 {
        let start = offset
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try readUInt8()
            guard shift < 63 || (shift == 63 && byte <= 1) else { throw .varintTooLong(offset: start) }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    /// A signed value in zigzag form (protobuf encoding, "signed integers").
    @_lifetime(self: copy self)
    public mutating func readSignedVarint() throws(ByteCodingError) -> Int64 {
        let value = try readVarint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    @_lifetime(self: copy self)
    public mutating func readBytes(_ count: Int) throws(ByteCodingError) -> [UInt8] {
        try require(count)
        defer { offset += count }
        let part = bytes.extracting(offset..<offset + count)
        return unsafe part.withUnsafeBytes { unsafe [UInt8]($0) }
    }

    /// A varint length, then so many bytes.
    @_lifetime(self: copy self)
    public mutating func readPrefixedBytes(limit: Int) throws(ByteCodingError) -> [UInt8] {
        let start = offset
        let length = try readVarint()
        guard length <= UInt64(limit) else { throw .lengthOverLimit(offset: start, length: length, limit: limit) }
        return try readBytes(Int(length))
    }

    /// A varint length, then so many bytes of UTF-8.
    @_lifetime(self: copy self)
    public mutating func readString(limit: Int) throws(ByteCodingError) -> String {
        let start = offset
        let bytes = try readPrefixedBytes(limit: limit)
        guard let string = String(validating: bytes, as: UTF8.self) else { throw .invalidUTF8(offset: start) }
        return string
    }

    private func require(_ count: Int) throws(ByteCodingError) {
        guard count >= 0, count <= remaining else {
            throw .truncated(offset: offset, needed: count, available: remaining)
        }
    }
}
