internal import CLinux
internal import Glibc
internal import LinuxSystem

/// Attributes that newer kernels brought; each is dropped singly where the kernel doesn't know it.
public struct EventFeatures: OptionSet, Sendable, Hashable {
    public var rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Build IDs in mapping records (Linux 5.12).
    public static let buildIDs = EventFeatures(rawValue: 1)
    /// Records of new control groups (Linux 5.7).
    public static let cgroups = EventFeatures(rawValue: 2)
    /// PERF_FORMAT_LOST (Linux 6.0).
    public static let lostCounts = EventFeatures(rawValue: 4)

    public static let all: EventFeatures = [.buildIDs, .cgroups, .lostCounts]
}

/// One event to be opened. All events share `RecordLayout`: sample_id_all with thread, time and CPU.
struct EventAttributes {
    var type: UInt32
    var config: UInt64
    var period: UInt64 = 0
    var includeKernel: Bool
    var maximumCallChain: UInt16 = 0
    var userStack: UserStackCopy?
    var isSideBand = false
    var features: EventFeatures
    var isInherited = false
    var enableOnExec = false
    /// Bytes in the ring at which a waiting reader wakes.
    var wakeupBytes: UInt32 = 0

    /// One tick per `period` nanoseconds of CPU time, with a call chain. Never the idle task.
    static func samples(
        period: UInt64, includeKernel: Bool, maximumCallChain: UInt16, userStack: UserStackCopy? = nil
    ) -> EventAttributes {
        EventAttributes(
            type: UInt32(PERF_TYPE_SOFTWARE.rawValue), config: UInt64(PERF_COUNT_SW_CPU_CLOCK.rawValue), period: period,
            includeKernel: includeKernel, maximumCallChain: maximumCallChain, userStack: userStack,
            features: .lostCounts)
    }

    /// No ticks, only the records of what processes do.
    static func sideBand(includeKernel: Bool) -> EventAttributes {
        EventAttributes(
            type: UInt32(PERF_TYPE_SOFTWARE.rawValue), config: UInt64(PERF_COUNT_SW_DUMMY.rawValue),
            includeKernel: includeKernel, isSideBand: true, features: .all)
    }

    func without(_ dropped: EventFeatures) -> EventAttributes {
        var copy = self
        copy.features.subtract(dropped)
        return copy
    }

    /// Opens the event as it is, stopped. The error is what the kernel said.
    func open(pid: pid_t, cpu: Int32) throws(SystemCallError) -> OwnedDescriptor {
        var attributes = perf_event_attr()
        fill(&attributes)
        while true {
            let result = unsafe linux_perf_event_open(&attributes, pid, cpu, -1)
            if result >= 0 { return OwnedDescriptor(result) }
            guard result == -EINTR else { throw SystemCallError("perf_event_open", code: -result) }
        }
    }

    private func fill(_ attributes: inout perf_event_attr) {
        attributes.type = type
        attributes.config = config
        attributes.sample_period = period
        attributes.sample_type = RecordLayout.sampleType(hasCallChain: !isSideBand, hasUserStack: userStack != nil)
        attributes.sample_regs_user = userStack?.registers ?? 0
        attributes.sample_stack_user = UInt32(userStack?.byteCount ?? 0)
        attributes.exclude_callchain_user = userStack == nil ? 0 : 1
        attributes.read_format = features.contains(.lostCounts) ? UInt64(PERF_FORMAT_LOST.rawValue) : 0
        attributes.disabled = 1
        attributes.inherit = isInherited ? 1 : 0
        attributes.exclude_kernel = includeKernel ? 0 : 1
        attributes.exclude_callchain_kernel = includeKernel ? 0 : 1
        attributes.exclude_hv = 1
        attributes.exclude_idle = 1
        attributes.enable_on_exec = enableOnExec ? 1 : 0
        attributes.sample_id_all = 1
        attributes.use_clockid = 1
        attributes.clockid = CLOCK_MONOTONIC
        attributes.watermark = 1
        attributes.wakeup_watermark = max(1, wakeupBytes)
        attributes.sample_max_stack = maximumCallChain
        guard isSideBand else { return }
        attributes.mmap = 1
        attributes.mmap2 = 1
        attributes.comm = 1
        attributes.comm_exec = 1
        attributes.task = 1
        attributes.build_id = features.contains(.buildIDs) ? 1 : 0
        attributes.cgroup = features.contains(.cgroups) ? 1 : 0
    }
}
