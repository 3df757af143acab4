import ByteCoding
import Testing

@Suite struct ByteCodingTests {
    @Test(arguments: [0, 1, 127, 128, 300, UInt64(UInt32.max), UInt64.max - 1, UInt64.max])
    func `a varint reads back as written`(value: UInt64) throws {
        var writer = ByteWriter()
        writer.writeVarint(value)
        writer.writeSignedVarint(Int64(bitPattern: value))
        let bytes = writer.bytes
        var reader = ByteReader(bytes.span.bytes)
        #expect(try reader.readVarint() == value)
        #expect(try reader.readSignedVarint() == Int64(bitPattern: value))
        let atEnd = reader.isAtEnd
        #expect(atEnd)
    }

    @Test func `fixed-width values are little-endian`() throws {
        let bytes: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
        var reader = ByteReader(bytes.span.bytes)
        #expect(try reader.readUInt8() == 1)
        #expect(try reader.readUInt16() == 0x0302)
        #expect(try reader.readUInt32() == 0x0706_0504)
        #expect(try reader.readUInt64() == 0x0F0E_0D0C_0B0A_0908)
    }

    @Test func `reading past the end says where and how much is missing`() {
        let bytes: [UInt8] = [1, 2, 3]
        var reader = ByteReader(bytes.span.bytes)
        var failure: ByteCodingError?
        do { _ = try reader.readUInt32() } catch { failure = error }
        #expect(failure == .truncated(offset: 0, needed: 4, available: 3))
    }

    @Test func `a varint of more than 64 bits is refused`() {
        let bytes = [UInt8](repeating: 0xFF, count: 9) + [2]
        var reader = ByteReader(bytes.span.bytes)
        var failure: ByteCodingError?
        do { _ = try reader.readVarint() } catch { failure = error }
        #expect(failure == .varintTooLong(offset: 0))
    }

    @Test func `a length over the limit is refused before it is used`() {
        var writer = ByteWriter()
        writer.writeVarint(1 << 40)
        let bytes = writer.bytes
        var reader = ByteReader(bytes.span.bytes)
        var failure: ByteCodingError?
        do { _ = try reader.readString(limit: 100) } catch { failure = error }
        #expect(failure == .lengthOverLimit(offset: 0, length: 1 << 40, limit: 100))
    }

    @Test func `CRC-32C gives the values that RFC 3720 lists`() {
        #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(CRC32C.checksum([UInt8](0..<32)) == 0x46DD_794E)
        #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
    }

    @Test(arguments: 0..<20) func `a checksum in two parts equals the checksum of the whole`(split: Int) {
        let bytes = [UInt8](0..<20)
        let first = CRC32C.checksum(Array(bytes[..<split]))
        #expect(CRC32C.checksum(Array(bytes[split...]), previous: first) == CRC32C.checksum(bytes))
    }
}
