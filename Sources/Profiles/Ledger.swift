/// Why a sample that was taken is not stored.
public enum DropReason: String, CaseIterable, Sendable, Hashable {
    /// The kernel found no room in the ring buffer.
    case ringFull
    /// A record that could not be decoded.
    case malformed
    /// More distinct stacks in one window than the agent's memory budget holds.
    case tableFull
    /// The spool was at its size limit; the oldest batches went.
    case spoolFull
    /// The spool could not be written.
    case spoolFailed
    /// A record of the spool was damaged.
    case spoolDamaged
    /// The aggregator will never take the batch.
    case refused
    /// Taken by an agent that died before the window's end.
    case killed

    /// The counter's place in a ledger's file; never reused.
    public var index: Int {
        switch self {
        case .ringFull: 0
        case .malformed: 1
        case .tableFull: 2
        case .spoolFull: 3
        case .spoolFailed: 4
        case .spoolDamaged: 5
        case .refused: 6
        case .killed: 7
        }
    }
}

/// The account of one epoch of one agent: what was taken, what was dropped and why, and what can only be estimated.
///
/// Always taken = stored + pending + the sum of dropped. All numbers count samples since the epoch's start.
public struct Ledger: Hashable, Sendable {
    public var taken: UInt64 = 0
    public var dropped: [DropReason: UInt64] = [:]
    /// Samples that came after newer ones had been processed; taken all the same.
    public var lateRecords: UInt64 = 0
    /// Estimated: ticks that the kernel's own busy time says were due and that never came.
    public var missedTicks: UInt64 = 0
    /// Estimated: ticks during which the kernel had throttled sampling.
    public var throttledTicks: UInt64 = 0

    public init() {}

    public var droppedTotal: UInt64 { dropped.values.reduce(0, &+) }
}
