/// Takes the records of all rings in the order of their times. Called on the sampling thread; views are valid during
/// the call only.
public protocol RecordHandler {
    mutating func sample(_ sample: borrowing Sample)
    mutating func mapped(_ mapping: borrowing Mapping)
    mutating func named(_ name: borrowing CommandName)
    mutating func forked(_ fork: Fork)
    mutating func exited(_ exit: Fork)
    mutating func cgroup(_ cgroup: borrowing CgroupPath)
    /// Records that found no room in a ring. After a loss on `RingKind.sideBand` read /proc again.
    mutating func lost(_ count: UInt64, from ring: RingKind, cpu: Int)
    /// Bytes of a ring that were not a record: one record, or all that a ring held where its chain of sizes broke.
    mutating func malformed(ring: RingKind, cpu: Int)
    /// The kernel stopped sampling on a CPU because it took too long; until `unthrottled` there are no samples.
    mutating func throttled(cpu: Int, time: UInt64)
    mutating func unthrottled(cpu: Int, time: UInt64)
}

/// The two rings of a CPU.
public enum RingKind: String, Sendable, Hashable, CaseIterable {
    case samples
    /// Mappings, names, forks, exits and cgroups, so that heavy samples never push one of these out.
    case sideBand
}
