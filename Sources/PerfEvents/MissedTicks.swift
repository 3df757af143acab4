/// Holds the weights of one CPU's samples against the time that the kernel says the CPU was busy, and estimates from
/// the gap how many ticks never came: a timer that comes late by more than a period skips to its next turn
/// (`hrtimer_forward`), so that part of the time has no sample.
///
/// On a CPU that was never idle the gap is exact. Else it is blurred by the chance of where ticks fall (binomial:
/// each of n ticks finds the CPU busy with the probability b), by the 10 ms steps of /proc/stat, and by interrupts
/// taken while idle, which the kernel counts as busy and which are no samples; a gap within these is none.
public struct MissedTicks: Sendable {
    /// Of the idle time so much may be interrupts: a tick at 1,000 Hz alone costs 1 %.
    private static let interruptShareOfIdle = 0.02

    private var last: (time: UInt64, idle: UInt64, weighed: UInt64)?
    private var gap = 0.0
    private var variance = 0.0
    private var idleTotal = 0.0
    private var period = 0.0

    /// Ticks that never came, so far; never falls.
    public private(set) var estimate: UInt64 = 0

    public init() {}

    /// The state at one moment: `weighed` is the sum of weights up to `time` and what had elapsed since the last tick
    /// then, `idle` the CPU's idle time since boot; all in nanoseconds.
    public mutating func note(time: UInt64, idle: UInt64, weighed: UInt64, period: UInt64) {
        defer { last = (time, idle, weighed) }
        guard let last, time > last.time, idle >= last.idle, weighed >= last.weighed else { return }
        let elapsed = Double(time - last.time)
        let idleTime = min(Double(idle - last.idle), elapsed)
        let busy = (elapsed - idleTime) / elapsed
        self.period = Double(max(1, period))
        gap += elapsed - idleTime - Double(weighed - last.weighed)
        variance += elapsed * self.period * busy * (1 - busy)
        idleTotal += idleTime
        let blur = idleTotal > 0 ? 3 * variance.squareRoot() + self.period + 2e7 : 0
        let excess = gap - blur - Self.interruptShareOfIdle * idleTotal
        guard excess > 0 else { return }
        estimate = max(estimate, UInt64((excess / self.period).rounded()))
    }

    /// Begins anew behind a pause (the CPU was offline, the timer was restarted): the time between is not counted.
    public mutating func forgetLast() {
        last = nil
    }
}
