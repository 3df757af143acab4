import Profiles

/// An axis of numbers from 0 to a round one.
struct Axis {
    /// The greatest value that is drawn.
    let top: Double
    let ticks: [Double]

    /// - Parameter value: the greatest one there is.
    init(top value: Double) {
        guard value > 0, value.isFinite else {
            top = 1
            ticks = [0, 1]
            return
        }
        var power = 1.0
        while power > value / 5 { power /= 10 }
        while power * 10 <= value / 5 { power *= 10 }
        // 1, 2, 2.5, 5 or 10 times a power of ten, so that there are up to six.
        let step = [1, 2, 2.5, 5, 10].map { $0 * power }.first { $0 * 5 >= value } ?? power * 10
        let count = max(1, Int((value / step).rounded(.up)))
        top = step * Double(count)
        ticks = (0...count).map { Double($0) * step }
    }

    func text(_ tick: Double) -> String {
        tick == 0 ? "0" : tick < 0.01 || tick >= 1e15 ? "\(tick)" : TimelinePicture.number(tick)
    }
}

/// Round moments of the clock within a span, some ten of them.
struct TimeTicks {
    let ticks: [Timestamp]

    init(from start: Timestamp, to end: Timestamp) {
        let (span, isTooLong) = end.nanoseconds.subtractingReportingOverflow(start.nanoseconds)
        guard !isTooLong, span > 0 else {
            ticks = []
            return
        }
        let seconds: [Int64] = [
            1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800,
            604_800,
        ]
        let day: Int64 = 86_400_000_000_000
        let step = seconds.map { $0 * 1_000_000_000 }.first { span / $0 <= 11 } ?? (span / 10 / day + 1) * day
        var tick = start.nanoseconds / step * step
        if tick < start.nanoseconds { tick += step }
        var ticks: [Timestamp] = []
        while tick <= end.nanoseconds {
            ticks.append(Timestamp(nanoseconds: tick))
            let (next, isBeyond) = tick.addingReportingOverflow(step)
            if isBeyond { break }
            tick = next
        }
        self.ticks = ticks
    }
}
