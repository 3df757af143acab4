/// What to sample, and how often.
public struct SamplingOptions: Sendable {
    public enum Scope: Sendable, Equatable {
        /// Every process of the host, by one event per CPU. Needs CAP_PERFMON, root or perf_event_paranoid ≤ 0.
        case wholeHost
        /// All threads of these processes and, from now on, their children: one event per thread and CPU that children
        /// inherit. The period does not vary (a change would not reach children), and each child starts with a full
        /// period, so children that live shorter than that are not seen.
        case processes([Int32])
    }

    /// Samples per second and CPU on average: above 0, at most 100,000.
    public var samplesPerSecond: Double
    /// Without it time spent in the kernel gives no samples at all, as perf_event_paranoid ≥ 2 demands of a user
    /// without CAP_PERFMON.
    public var includeKernel: Bool
    /// Frames at most, kernel and user together; the kernel's perf_event_max_stack (127) is the upper bound.
    public var maximumCallChain: UInt16
    public var scope: Scope
    /// What is copied of each sampled thread for unwinding; nil: the kernel walks user stacks by frame pointers.
    public var userStack: UserStackCopy?
    /// `Scope.processes` only: the events start by themselves when the process calls execve, `start` does nothing.
    public var enableOnExec: Bool

    public init(
        samplesPerSecond: Double = 100, includeKernel: Bool = true, maximumCallChain: UInt16 = 127,
        scope: Scope = .wholeHost, userStack: UserStackCopy? = nil, enableOnExec: Bool = false
    ) {
        self.samplesPerSecond = samplesPerSecond
        self.includeKernel = includeKernel
        self.maximumCallChain = maximumCallChain
        self.scope = scope
        self.userStack = userStack
        self.enableOnExec = enableOnExec
    }

    /// The mean time between two ticks of one CPU, in nanoseconds, at least the kernel's own limit of 10 µs.
    public var meanPeriod: UInt64 {
        samplesPerSecond > 0 ? UInt64(max(10_000, min(1e12, (1e9 / samplesPerSecond).rounded()))) : 1_000_000_000
    }
}

/// What is copied of a sampled thread at the moment of the sample (PERF_SAMPLE_REGS_USER, PERF_SAMPLE_STACK_USER).
/// The call chain then holds the kernel's frames alone.
public struct UserStackCopy: Sendable, Hashable {
    /// Most that a record can hold beside a call chain of 127 frames.
    public static let maximumBytes = 63 << 10

    /// Bytes from the stack pointer upward: a multiple of 8, at most `maximumBytes`.
    public let byteCount: Int
    /// Bits of the registers to be copied, in the numbering of asm/perf_regs.h.
    public let registers: UInt64

    /// `byteCount` is brought into its bounds.
    public init(byteCount: Int, registers: UInt64) {
        self.byteCount = min(max(byteCount, 256), Self.maximumBytes) / 8 * 8
        self.registers = registers
    }
}
