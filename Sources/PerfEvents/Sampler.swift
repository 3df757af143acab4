public import LinuxSystem

/// Samples this host, or some of its processes, and hands on what the kernel's rings hold in order of time.
///
/// Made for one thread: `start`, then again and again `wait` and `drain`, at the end `drainAll`.
public struct Sampler: ~Copyable {
    /// What ended a wait.
    public enum WakeReason: Sendable, Equatable {
        /// A ring is filled to its watermark.
        case ring
        case timeout
        /// Another thread called `waker.wake()`.
        case signal
    }

    /// Wakes `wait` from another thread.
    public let waker: WakeSignal

    /// Opens all events, stopped.
    public init(_ options: SamplingOptions) throws(PerfEventError) {
        do { waker = try WakeSignal() } catch { throw .system(call: error.call, subject: "", code: error.code) }
    }

    /// Starts sampling. Nothing to do where `SamplingOptions.enableOnExec` is set.
    public mutating func start() {}

    /// Sleeps until a ring has filled to its watermark, `waker` is used or the time is over.
    public mutating func wait(upTo timeout: Duration) -> WakeReason { .timeout }

    /// One round: takes everything out of the rings and hands on what is older than the start of the round before.
    public mutating func drain(into handler: inout some RecordHandler) {}

    /// Stops sampling, takes everything out of the rings and hands on all of it.
    public mutating func drainAll(into handler: inout some RecordHandler) {}

    /// CPUs that have events now, ascending.
    public var openCPUs: [Int] { [] }
    /// Bytes of both rings of one CPU.
    public var ringBytesPerCPU: Int { 0 }
    /// The limits on locked memory allow less than the rate asks for.
    public var wasRingReduced: Bool { false }
    /// What the kernel's events offer beyond the oldest supported one.
    public var features: EventFeatures { [] }
    /// Estimated since `start`: ticks that were due and never came, because the timer came late by more than a period.
    public var missedTicks: UInt64 { 0 }
    /// The limit on a chain's frames in force.
    public var maximumCallChain: Int { 0 }
    /// `SamplingOptions.Scope.processes`: all of them have ended.
    public var haveTargetsEnded: Bool { false }
}
