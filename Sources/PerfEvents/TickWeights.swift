/// What each tick of one CPU's clock stands for.
///
/// A new period restarts the kernel's timer and throws away what had elapsed of the old one (kernel/events/core.c,
/// `__perf_event_period`), and PERF_SAMPLE_PERIOD keeps the value from the event's opening. So the periods are kept
/// here by time: a sample weighs the period in force at its time, and the first tick after a change weighs, besides,
/// what had elapsed of the period before. Ticks that find the CPU idle are not seen, but the timer keeps its grid
/// (start + n periods) through them, so a tick's number follows from its time: only number one is the first.
public struct TickWeights: Sendable {
    private struct Change {
        var before: UInt64
        var after: UInt64
        var period: UInt64
    }

    /// In force for the newest weighed sample, in nanoseconds.
    public private(set) var period: UInt64
    /// The sum of all weights given.
    public private(set) var total: UInt64 = 0
    /// The timer was started between these.
    private var startedAfter: UInt64
    private var startedBefore: UInt64
    private var previousPeriod: UInt64
    private var carried: UInt64 = 0
    private var lastTick: UInt64?
    private var changes: [Change] = []

    /// The timer was started between `before` and `after`, by CLOCK_MONOTONIC.
    public init(period: UInt64, startedBetween before: UInt64, and after: UInt64) {
        self.period = max(1, period)
        previousPeriod = self.period
        startedAfter = before
        startedBefore = after
        changes.reserveCapacity(8)
    }

    /// The period was changed between `before` and `after`; in force for the samples behind that.
    public mutating func change(to period: UInt64, between before: UInt64, and after: UInt64) {
        changes.append(Change(before: before, after: after, period: max(1, period)))
    }

    /// The kernel started the timer again, with a full period (after throttling).
    public mutating func restart(at time: UInt64) {
        advance(to: time)
        startedAfter = time
        startedBefore = time
        carried = 0
        lastTick = nil
    }

    /// The weight of a sample taken at `time`. Samples come in order of time, late ones excepted.
    public mutating func weigh(at time: UInt64) -> UInt64 {
        advance(to: time)
        var weight = period
        if time < startedAfter {
            weight = previousPeriod
        } else {
            if (time - startedAfter) / period <= 1 { weight += carried }
            carried = 0
            lastTick = max(lastTick ?? 0, time)
        }
        total &+= weight
        return weight
    }

    /// What has elapsed since the last tick at `time`, which the next tick will weigh. nil just behind a tick that was
    /// not seen: it may have found the CPU idle, or be late and still to come.
    public mutating func elapsedSinceTick(at time: UInt64) -> UInt64? {
        advance(to: time)
        let elapsed = elapsed(at: time)
        if let lastTick, time >= lastTick, time - lastTick < period { return elapsed }
        return time > startedBefore && time - startedBefore >= period && elapsed < period / 4 ? nil : elapsed
    }

    private mutating func advance(to time: UInt64) {
        while let change = changes.first, time > change.after {
            // The timer stopped somewhere between: the middle is nearest.
            let moment = change.before + (change.after - change.before) / 2
            carried = elapsed(at: moment)
            previousPeriod = period
            period = change.period
            startedAfter = change.before
            startedBefore = change.after
            lastTick = nil
            changes.removeFirst()
        }
    }

    private func elapsed(at time: UInt64) -> UInt64 {
        let start = startedAfter + (startedBefore - startedAfter) / 2
        guard time > start else { return carried }
        if let lastTick, time >= lastTick, time - lastTick < period { return time - lastTick }
        let sinceStart = time - start
        return sinceStart < period ? sinceStart + carried : sinceStart % period
    }
}
