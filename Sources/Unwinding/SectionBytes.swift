/// Bytes of a section that nobody vouches for: every read is checked.
///
/// A pointer and a count instead of a span, so that it can lie in arrays and be copied without a retain; whoever makes
/// one keeps the memory (`UnwindTable`, or the scope of the encoder). Unchecked: nobody writes to that memory.
@safe struct SectionBytes: BitwiseCopyable, @unchecked Sendable {
    private let start: UnsafeRawPointer?
    let count: Int

    init(_ buffer: UnsafeRawBufferPointer) {
        unsafe start = buffer.baseAddress
        count = buffer.count
    }

    static var empty: SectionBytes { unsafe SectionBytes(UnsafeRawBufferPointer(start: nil, count: 0)) }

    var buffer: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: start, count: count) }

    /// Nil unless all of it lies inside.
    func part(at offset: UInt64, count size: UInt64) -> SectionBytes? {
        guard offset <= UInt64(count), size <= UInt64(count) - offset else { return nil }
        return unsafe SectionBytes(UnsafeRawBufferPointer(rebasing: buffer[Int(offset)..<Int(offset) + Int(size)]))
    }

    @inline(__always)
    func load<Value: FixedWidthInteger & BitwiseCopyable>(
        at offset: Int, as type: Value.Type
    ) throws(StepFailure) -> Value {
        guard let start = unsafe start, offset >= 0, offset <= count &- MemoryLayout<Value>.size else {
            throw .broken(.malformedRule)
        }
        return unsafe Value(littleEndian: start.loadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    /// 0 outside.
    @inline(__always)
    func word32(at offset: Int) -> UInt32 {
        guard let start = unsafe start, offset >= 0, offset <= count &- 4 else { return 0 }
        return unsafe UInt32(littleEndian: start.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// 0 outside.
    @inline(__always)
    func word64(at offset: Int) -> UInt64 {
        guard let start = unsafe start, offset >= 0, offset <= count &- 8 else { return 0 }
        return unsafe UInt64(littleEndian: start.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// How many of the values at the start of each record of `stride` bytes are not above `limit`; the values ascend.
    @inline(__always)
    func countNotAbove(_ limit: UInt32, stride: Int) -> Int {
        var low = 0
        var high = count / stride
        while low < high {
            let middle = (low &+ high) >> 1
            if word32(at: middle &* stride) <= limit { low = middle &+ 1 } else { high = middle }
        }
        return low
    }
}

/// Reads a part of a section from front to end.
struct SectionCursor: BitwiseCopyable {
    let bytes: SectionBytes
    var position: Int
    let end: Int

    /// `end` is drawn in to the section's end.
    init(_ bytes: SectionBytes, from position: Int, to end: Int) {
        self.bytes = bytes
        self.end = min(end, bytes.count)
        self.position = max(0, position)
    }

    var isAtEnd: Bool { position >= end }

    @inline(__always)
    mutating func read<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type) throws(StepFailure) -> Value {
        guard position <= end &- MemoryLayout<Value>.size else { throw .broken(.malformedRule) }
        let value = try bytes.load(at: position, as: type)
        position &+= MemoryLayout<Value>.size
        return value
    }

    /// Unsigned LEB128 (DWARF 5, 7.6) of at most 64 bits; longer ones may only pad with zeros.
    @inline(__always)
    mutating func readUnsigned() throws(StepFailure) -> UInt64 {
        let first = try read(UInt8.self)
        if first < 0x80 { return UInt64(first) }
        var value = UInt64(first & 0x7F)
        var shift: UInt64 = 7
        while true {
            let byte = try read(UInt8.self)
            let bits = UInt64(byte & 0x7F)
            if shift < 64 {
                guard shift < 63 || bits <= 1 else { throw .broken(.malformedRule) }
                value |= bits << shift
            } else if bits != 0 || shift > 140 {
                throw .broken(.malformedRule)
            }
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    /// Signed LEB128 of at most 64 bits; longer ones may only repeat the sign.
    @inline(__always)
    mutating func readSigned() throws(StepFailure) -> Int64 {
        var value: Int64 = 0
        var shift: Int64 = 0
        while true {
            let byte = try read(UInt8.self)
            let bits = Int64(byte & 0x7F)
            if shift < 63 {
                value |= bits << shift
            } else {
                // Bit 63 and copies of it.
                guard bits == 0 || bits == 0x7F, shift <= 140 else { throw .broken(.malformedRule) }
                if shift == 63 { value |= bits << 63 }
            }
            shift += 7
            if byte < 0x80 {
                if shift < 64, byte & 0x40 != 0 { value |= -1 << shift }
                return value
            }
        }
    }

    mutating func skip(_ count: UInt64) throws(StepFailure) {
        guard position <= end, count <= UInt64(end - position) else { throw .broken(.malformedRule) }
        position += Int(count)
    }
}
