/// One record as it lies in a ring, and its copy elsewhere: of a copied stack only the bytes that are valid come along,
/// as if no more had been asked for.
struct RingRecord {
    let header: RecordHeader
    /// Of the copy, in bytes: a multiple of 8, at most the record's own size.
    let copiedSize: Int
    private let ring: RingBuffer
    private let position: UInt64
    private let stack: CopiedStack?

    /// nil where what lies between the position and `end` can't begin with a record.
    init?(in ring: RingBuffer, at position: UInt64, before end: UInt64, registers: Int?) {
        let rest = end &- position
        guard rest >= UInt64(RecordLayout.headerBytes) else { return nil }
        let header = RecordHeader(word: ring.word(at: position))
        guard header.size >= RecordLayout.headerBytes, header.size % 8 == 0, UInt64(header.size) <= rest else {
            return nil
        }
        var stack: CopiedStack?
        if let registers, header.type == RecordType.sample {
            stack = CopiedStack(size: header.size, registers: registers) { ring.word(at: position &+ UInt64($0)) }
        }
        self.header = header
        self.ring = ring
        self.position = position
        self.stack = stack
        copiedSize = stack.map { $0.start + $0.keptBytes + 8 } ?? header.size
    }

    /// Writes `copiedSize` bytes.
    @unsafe
    func copy(into target: UnsafeMutableRawPointer) {
        guard let stack else { return unsafe ring.copy(header.size, at: position, into: target) }
        unsafe ring.copy(stack.start + stack.keptBytes, at: position, into: target)
        unsafe target.storeBytes(of: UInt16(truncatingIfNeeded: copiedSize), toByteOffset: 6, as: UInt16.self)
        unsafe target.storeBytes(of: UInt64(stack.keptBytes), toByteOffset: stack.start - 8, as: UInt64.self)
        unsafe target.storeBytes(
            of: UInt64(stack.validBytes), toByteOffset: stack.start + stack.keptBytes, as: UInt64.self)
    }
}

/// Where the copy of a stack lies in a sample's record.
private struct CopiedStack {
    /// Behind the word that gives its size.
    let start: Int
    let validBytes: Int
    /// Whole words: at least one, since a size of 0 means that there is no copy.
    var keptBytes: Int { max(8, (validBytes + 7) / 8 * 8) }

    /// nil where there is none, or where the lengths don't agree: `RecordDecoder` tells what is wrong with them.
    init?(size: Int, registers: Int, word: (Int) -> UInt64) {
        guard size >= RecordLayout.smallestSample else { return nil }
        let frames = word(RecordLayout.smallestSample - 8)
        guard frames <= UInt64((size - RecordLayout.smallestSample) / 8) else { return nil }
        let abi = RecordLayout.smallestSample + 8 * Int(frames)
        guard size - abi >= 16 else { return nil }
        start = abi + 16 + (word(abi) == 0 ? 0 : 8 * registers)
        guard size - start >= 16 else { return nil }
        let bytes = word(start - 8)
        guard bytes == UInt64(size - start - 8) else { return nil }
        let valid = word(size - 8)
        guard valid <= bytes else { return nil }
        validBytes = Int(valid)
    }
}
