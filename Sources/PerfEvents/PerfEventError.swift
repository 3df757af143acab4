internal import LinuxSystem

/// Why sampling can't start.
public enum PerfEventError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kernel refused: with what perf_event_paranoid says (nil where unreadable), and whether CAP_PERFMON is there.
    case notPermitted(what: String, paranoid: Int?, hasPerformanceMonitoring: Bool)
    /// No perf events in this kernel or sandbox, or not this one.
    case notSupported(what: String, code: Int32)
    /// Not even the smallest ring fits the limits on locked memory.
    case memoryLockLimit(bytesPerCPU: Int, limitKilobytesPerCPU: Int?)
    /// Too many open files: `needed` descriptors for all CPUs and threads.
    case tooManyDescriptors(needed: Int)
    case noSuchProcess(pid: Int32)
    case invalidRate(Double)
    case system(call: String, subject: String, code: Int32)

    public var description: String {
        switch self {
        case .notPermitted(let what, let paranoid, let hasPerformanceMonitoring):
            "the kernel refuses \(what): perf_event_paranoid is \(paranoid.map(String.init) ?? "unreadable")"
                + (hasPerformanceMonitoring
                    ? " and CAP_PERFMON is there, so a security policy (seccomp, a container's profile) forbids it"
                    : ", and this process has neither root's rights nor CAP_PERFMON; run it as root, give it"
                        + " CAP_PERFMON (setcap cap_perfmon+ep), or lower /proc/sys/kernel/perf_event_paranoid")
        case .notSupported(let what, let code):
            "this kernel does not offer \(what): \(SystemCallError("perf_event_open", code: code))"
        case .memoryLockLimit(let bytes, let limit):
            "\(bytes) bytes of ring buffer per CPU are over the limit on locked memory (perf_event_mlock_kb is "
                + "\(limit.map(String.init) ?? "unreadable")); raise /proc/sys/kernel/perf_event_mlock_kb or"
                + " `ulimit -l`, or give CAP_IPC_LOCK"
        case .tooManyDescriptors(let needed):
            "\(needed) file descriptors are needed for all CPUs and threads; raise `ulimit -n`"
        case .noSuchProcess(let pid): "there is no process \(pid)"
        case .invalidRate(let rate): "\(rate) samples per second: it must be above 0 and at most 100000"
        case .system(let call, let subject, let code): SystemCallError(call, on: subject, code: code).description
        }
    }
}
