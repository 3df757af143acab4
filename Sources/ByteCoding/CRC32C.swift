/// CRC-32C (Castagnoli polynomial 0x1EDC6F41, reflected; RFC 3720, appendix B.4), eight bytes a step by eight tables
/// ("slicing by 8"; Kounavis and Berry, 2005).
public enum CRC32C {
    /// The checksum of `bytes`; pass an earlier result as `previous` to go on where it ended.
    public static func checksum(_ bytes: [UInt8], previous: UInt32 = 0) -> UInt32 {
        unsafe checksum(bytes.span.bytes, previous: previous)
    }

    public static func checksum(_ bytes: RawSpan, previous: UInt32 = 0) -> UInt32 {
        var crc = ~previous
        var offset = 0
        let count = bytes.byteCount
        while offset + 8 <= count {
            let low =
                unsafe UInt32(
                    littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self)) ^ crc
            let high = unsafe UInt32(
                littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset + 4, as: UInt32.self))
            crc =
                table(7, low) ^ table(6, low >> 8) ^ table(5, low >> 16) ^ table(4, low >> 24)
                ^ table(3, high) ^ table(2, high >> 8) ^ table(1, high >> 16) ^ table(0, high >> 24)
            offset += 8
        }
        while offset < count {
            let byte = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt8.self)
            crc = crc >> 8 ^ table(0, crc ^ UInt32(byte))
            offset += 1
        }
        return ~crc
    }

    private static func table(_ slice: Int, _ value: UInt32) -> UInt32 {
        tables[slice << 8 | Int(value & 0xFF)]
    }

    /// Table k holds the effect of a byte followed by k zero bytes.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for value in 0..<256 {
            var crc = UInt32(value)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
            tables[value] = crc
        }
        for slice in 1..<8 {
            for value in 0..<256 {
                let before = tables[(slice - 1) << 8 | value]
                tables[slice << 8 | value] = before >> 8 ^ tables[Int(before & 0xFF)]
            }
        }
        return tables
    }()
}
