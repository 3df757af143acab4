internal import CLinux

/// Capabilities of a thread (capabilities(7)), those that profiling may need by name.
public struct CapabilitySet: OptionSet, Hashable, Sendable {
    public var rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    public static let readSearch = CapabilitySet(rawValue: 1 << 2)
    public static let lockMemory = CapabilitySet(rawValue: 1 << 14)
    public static let traceProcesses = CapabilitySet(rawValue: 1 << 19)
    public static let administer = CapabilitySet(rawValue: 1 << 21)
    public static let systemLog = CapabilitySet(rawValue: 1 << 34)
    public static let performanceMonitoring = CapabilitySet(rawValue: 1 << 38)
    public static let checkpointRestore = CapabilitySet(rawValue: 1 << 40)

    /// What the calling thread may do now; empty where the kernel doesn't say.
    public static func effective() -> CapabilitySet {
        var bits: UInt64 = 0
        guard unsafe linux_effective_capabilities(&bits) == 0 else { return [] }
        return CapabilitySet(rawValue: bits)
    }
}
