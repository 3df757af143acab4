extension RawSpan {
    /// A 64-bit word at an offset; 0 where it would lie outside.
    @inline(__always)
    func littleEndianWord(_ offset: Int) -> UInt64 {
        guard offset >= 0, offset <= byteCount - 8 else { return 0 }
        return unsafe UInt64(littleEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }

    /// The same of 32 bits.
    @inline(__always)
    func littleEndianHalf(_ offset: Int) -> UInt32 {
        guard offset >= 0, offset <= byteCount - 4 else { return 0 }
        return unsafe UInt32(littleEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self))
    }
}

extension [UInt8] {
    /// A 64-bit word at an offset; 0 where it would lie outside.
    @inline(__always)
    func littleEndianWord(_ offset: Int) -> UInt64 { unsafe span.bytes.littleEndianWord(offset) }

    /// The same of 32 bits.
    @inline(__always)
    func littleEndianHalf(_ offset: Int) -> UInt32 { unsafe span.bytes.littleEndianHalf(offset) }
}
