/// The copied part of a thread's stack, read by the thread's own addresses.
struct StackCopy: ~Escapable {
    let bytes: RawSpan
    /// Address of the first byte: the stack pointer at the moment of the copy.
    let start: UInt64

    /// No stack is larger; what lies further above its copy is no part of it.
    static let maximumBytes: UInt64 = 1 << 30

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan, start: UInt64) {
        self.bytes = bytes
        self.start = start
    }

    @inline(__always)
    var byteCount: UInt64 { UInt64(bytes.byteCount) }

    /// One past the last copied address.
    var end: UInt64 { start &+ byteCount }

    @inline(__always)
    func word(at address: UInt64) throws(StepFailure) -> UInt64 {
        let offset = address &- start
        guard byteCount >= 8, offset <= byteCount &- 8 else { throw missing(address) }
        return unsafe UInt64(
            littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: Int(offset), as: UInt64.self))
    }

    /// The `size` (1 to 8) bytes at an address, as an unsigned number.
    func value(at address: UInt64, size: UInt64) throws(StepFailure) -> UInt64 {
        let offset = address &- start
        guard size >= 1, size <= 8 else { throw .broken(.malformedRule) }
        guard byteCount >= size, offset <= byteCount - size else { throw missing(address) }
        var value: UInt64 = 0
        for index in 0..<size {
            let byte = unsafe bytes.unsafeLoad(fromUncheckedByteOffset: Int(offset + index), as: UInt8.self)
            value |= UInt64(byte) << (8 * index)
        }
        return value
    }

    private func missing(_ address: UInt64) -> StepFailure {
        guard address >= start, address - start < Self.maximumBytes else { return .broken(.outsideStack) }
        return .cut
    }
}
