import Profiles

/// Steps of a clock, counted from 1970, that a range falls into.
struct StepClock {
    let nanoseconds: Int64
    /// The start of the first step.
    let start: Timestamp
    let count: Int

    /// - Parameter step: nanoseconds, more than 0.
    init(_ range: TimeRange, step: Int64) {
        let first = Self.number(range.start, step)
        nanoseconds = step
        start = Timestamp(nanoseconds: first * step)
        count = max(1, Int(clamping: Self.number(range.end + -1, step) - first + 1))
    }

    init(of timeline: Timeline) {
        nanoseconds = timeline.stepNanoseconds
        start = timeline.start
        count = timeline.hosts.count
    }

    /// The step that a moment lies in; nil outside the range.
    func step(of moment: Timestamp) -> Int? {
        let place = Self.number(moment, nanoseconds) - Self.number(start, nanoseconds)
        return place >= 0 && place < Int64(count) ? Int(place) : nil
    }

    private static func number(_ moment: Timestamp, _ step: Int64) -> Int64 {
        let quotient = moment.nanoseconds / step
        return moment.nanoseconds % step < 0 ? quotient - 1 : quotient
    }
}

/// For how long each host was measured, by step of a clock: a host that delivered anything in a window, of whatever
/// series, was measured in it.
struct MeasuredTime {
    struct Place: Hashable {
        var host: Host
        var step: Int
    }

    /// Seconds.
    private(set) var seconds: [Place: Double] = [:]

    init(_ delivered: SampleSet, clock: StepClock) {
        var windows: Set<Window> = []
        for slice in delivered.slices {
            // What was imported without a duration says nothing of time.
            guard slice.window.seconds > 0, let step = clock.step(of: slice.window.start) else { continue }
            let host = delivered.hosts[Int(slice.host)]
            guard windows.insert(Window(host: host, start: slice.window.start)).inserted else { continue }
            seconds[Place(host: host, step: step), default: 0] += slice.window.seconds
        }
    }

    /// What the hosts were measured for in these steps, together.
    func seconds(of hosts: Set<Host>, in steps: Range<Int>) -> Double {
        seconds.reduce(0) { sum, part in
            steps.contains(part.key.step) && hosts.contains(part.key.host) ? sum + part.value : sum
        }
    }

    private struct Window: Hashable {
        var host: Host
        var start: Timestamp
    }
}
