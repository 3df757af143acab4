internal import CLinux

/// Where things stand in the records of our events. Every event has the same `sample_type` but for the call chain and
/// what follows it in a sample, so that one rule finds the time of every record.
enum RecordLayout {
    static let headerBytes = 8
    /// sample_id_all appends: pid, tid (4 bytes each), time (8), cpu, reserved (4 each).
    static let trailerBytes = 24
    /// The time within a sample, behind header, pid and tid.
    static let sampleTimeOffset = 16
    /// Header, pid, tid, time, cpu, reserved, number of entries.
    static let smallestSample = 40
    /// Sizes are 16 bits in the header, in steps of 8.
    static let largestRecord = 65_528

    static func sampleType(hasCallChain: Bool, hasUserStack: Bool) -> UInt64 {
        var type = PERF_SAMPLE_TID.rawValue | PERF_SAMPLE_TIME.rawValue | PERF_SAMPLE_CPU.rawValue
        if hasCallChain { type |= PERF_SAMPLE_CALLCHAIN.rawValue }
        if hasUserStack { type |= PERF_SAMPLE_REGS_USER.rawValue | PERF_SAMPLE_STACK_USER.rawValue }
        return UInt64(type)
    }

    /// Bytes of a sample's largest possible record.
    static func largestSample(maximumCallChain: Int, userStack: UserStackCopy?) -> Int {
        // Markers of the kernel's and the user's part stand in the chain besides its frames; registers come with their
        // ABI, the stack with its size before and the bytes that are valid behind it.
        let chain = smallestSample + 8 * (maximumCallChain + 2)
        guard let userStack else { return chain }
        return chain + 8 * (1 + userStack.registers.nonzeroBitCount) + 16 + userStack.byteCount
    }
}
