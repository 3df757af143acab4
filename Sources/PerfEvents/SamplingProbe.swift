internal import CLinux
internal import Glibc
internal import LinuxSystem

/// What sampling is possible here, for this process with the rights it has now.
public struct SamplingProbe: Sendable, Equatable {
    /// Sampling every process by the CPU clock.
    public var wholeHost: Bool
    /// Sampling one's own processes by the CPU clock.
    public var ownProcesses: Bool
    /// Kernel frames of one's own processes.
    public var kernelFrames: Bool
    /// A hardware counter of cycles.
    public var hardwareCycles: Bool
    /// Build IDs inside mapping records (Linux 5.12).
    public var buildIDs: Bool
    /// Records of new control groups (Linux 5.7).
    public var cgroups: Bool
    /// A count of lost records beside each event (Linux 6.0).
    public var lostCounts: Bool
    /// Values below /proc/sys/kernel; nil where unreadable.
    public var paranoid: Int?
    public var lockedKilobytesPerCPU: Int?
    public var maximumCallChain: Int?
    public var maximumSampleRate: Int?
    public var isRoot: Bool
    public var hasPerformanceMonitoring: Bool

    /// Opens and closes an event of each kind.
    public static func run() -> SamplingProbe {
        let cpu = Int32(CPUList.online()?.first ?? 0)
        let rights = CapabilitySet.effective()
        func opens(pid: pid_t, cpu: Int32, _ attributes: EventAttributes) -> Bool {
            (try? attributes.open(pid: pid, cpu: cpu)) != nil
        }
        func sideBand(_ change: (inout EventAttributes) -> Void) -> Bool {
            var attributes = EventAttributes.sideBand(includeKernel: false)
            attributes.features = []
            change(&attributes)
            return opens(pid: 0, cpu: -1, attributes)
        }
        let own = EventAttributes.samples(period: 10_000_000, includeKernel: false, maximumCallChain: 16)
        let host = EventAttributes.samples(period: 10_000_000, includeKernel: true, maximumCallChain: 16)
        var cycles = own
        cycles.type = UInt32(PERF_TYPE_HARDWARE.rawValue)
        cycles.config = UInt64(PERF_COUNT_HW_CPU_CYCLES.rawValue)
        return SamplingProbe(
            wholeHost: opens(pid: -1, cpu: cpu, host.without(.all)),
            ownProcesses: opens(pid: 0, cpu: -1, own.without(.all)),
            kernelFrames: opens(pid: 0, cpu: -1, host.without(.all)),
            hardwareCycles: opens(pid: 0, cpu: -1, cycles.without(.all)),
            buildIDs: sideBand { $0.features = .buildIDs },
            cgroups: sideBand { $0.features = .cgroups },
            lostCounts: sideBand { $0.features = .lostCounts },
            paranoid: KernelLimits.paranoid, lockedKilobytesPerCPU: KernelLimits.lockedKilobytesPerCPU,
            maximumCallChain: KernelLimits.maximumCallChain, maximumSampleRate: KernelLimits.maximumSampleRate,
            isRoot: geteuid() == 0, hasPerformanceMonitoring: rights.contains(.performanceMonitoring))
    }
}

/// The settings of the kernel that bound sampling; nil where unreadable.
enum KernelLimits {
    static var paranoid: Int? { SmallFile.integer("/proc/sys/kernel/perf_event_paranoid") }
    static var lockedKilobytesPerCPU: Int? { SmallFile.integer("/proc/sys/kernel/perf_event_mlock_kb") }
    static var maximumCallChain: Int? { SmallFile.integer("/proc/sys/kernel/perf_event_max_stack") }
    static var maximumSampleRate: Int? { SmallFile.integer("/proc/sys/kernel/perf_event_max_sample_rate") }
}
