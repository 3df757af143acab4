internal import CLinux

/// Where things stand in the records of our events. Every event has the same `sample_type` but for the call chain, so
/// that one rule finds the time of every record.
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

    static func sampleType(hasCallChain: Bool) -> UInt64 {
        let common = PERF_SAMPLE_TID.rawValue | PERF_SAMPLE_TIME.rawValue | PERF_SAMPLE_CPU.rawValue
        return UInt64(hasCallChain ? common | PERF_SAMPLE_CALLCHAIN.rawValue : common)
    }
}
