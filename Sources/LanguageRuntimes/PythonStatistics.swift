/// What reading a process's stacks came to.
public struct PythonStatistics: Hashable, Sendable {
    /// Stacks read, those of threads without Python frames included.
    public var stacks: UInt64 = 0
    /// Reads that had to be given up and were tried again.
    public var tries: UInt64 = 0
    /// Stacks given up for good.
    public var inconsistent: UInt64 = 0
    public var systemCalls: UInt64 = 0
    /// Code objects whose names and lines were read.
    public var codesRead: UInt64 = 0
    /// Times that all threads were looked through.
    public var threadSearches: UInt64 = 0

    public init() {}
}
