public import Profiles

/// What a selection used over time: a rate for each step of the clock, of everything or of each of the heaviest rows.
public struct Timeline: Sendable {
    public struct Series: Hashable, Sendable {
        public var name: String
        /// By step: the type's unit per second (nanoseconds of CPU time per second are 10⁻⁹ cores); nil where no host
        /// delivered anything.
        public var rates: [Double?]
    }

    /// A level that holds for a while gave way to another.
    public struct Change: Hashable, Sendable {
        /// The start of the first step of the new level.
        public var at: Timestamp
        /// Index into `series`.
        public var series: Int
        /// Mean rates of the two levels.
        public var from: Double
        public var to: Double
    }

    /// The start of the first step, a whole number of steps since 1970.
    public var start: Timestamp
    public var stepNanoseconds: Int64
    /// By step: hosts that delivered.
    public var hosts: [Int]
    /// From heavy to light.
    public var series: [Series]
    /// In order of time.
    public var changes: [Change]
    /// Rows there were before the limit.
    public var rowCount: Int

    public func moment(_ step: Int) -> Timestamp { start + Int64(step) * stepNanoseconds }

    /// Steps of which about sixty make up the range: a terminal's width.
    public static func naturalStep(_ range: TimeRange, window: Int64) -> Int64 {
        let second: Int64 = 1_000_000_000
        let least = max(window, Int64(min(range.seconds, 1e9) / 60 * 1e9))
        let natural = [10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400].map { $0 * second }
        return natural.first { $0 >= least } ?? (least + 86_399 * second) / (86_400 * second) * 86_400 * second
    }

    /// More steps than anybody can look at.
    public static let mostSteps = 10_000
    /// Series times steps.
    public static let mostCells = 1_000_000
}

extension NamedProfile {
    /// - Parameters:
    ///   - dimension: what a series is of; nil for one series of everything.
    ///   - stepNanoseconds: more than 0, and no shorter than a window.
    ///   - delivered: what the hosts delivered in the range, of whatever series: where a host delivered nothing it was
    ///     not measured, and counts neither as idle nor in the rate.
    public func timeline(
        by dimension: Dimension?, sort: RankingOrder = .self, limit: Int = 10, stepNanoseconds step: Int64,
        delivered: SampleSet
    ) -> Timeline {
        let clock = StepClock(range, step: step)
        let count = clock.count
        let measured = MeasuredTime(delivered, clock: clock).seconds
        var hostCounts = [Int](repeating: 0, count: count)
        for place in measured.keys { hostCounts[place.step] += 1 }

        var groups: RankedGroups?
        var rowCount = 1
        if let dimension {
            var ranked = RankedGroups(self, by: dimension)
            rowCount = ranked.order(by: sort, limit: max(1, limit))
            groups = ranked
        }
        let names = groups.map { ranked in ranked.chosen.map { ranked.labels[$0].name } } ?? [CallTree.rootName]
        var rates = [[Double]](repeating: [Double](repeating: 0, count: count), count: names.count)
        var parts: [MeasuredTime.Place: [Int]] = [:]
        for (index, slice) in slices.enumerated() {
            guard let place = clock.step(of: slice.window.start) else { continue }
            parts[MeasuredTime.Place(host: hosts[Int(slice.host)], step: place), default: []].append(index)
        }
        var accumulator = groups?.accumulator(of: self)
        for (part, indices) in parts {
            guard let seconds = measured[part], seconds > 0 else { continue }
            if accumulator == nil {
                let weight = indices.reduce(UInt64(0)) { $0 &+ shownWeight(slices[$1].stacks) }
                rates[0][part.step] += Double(weight) / seconds
            } else {
                _ = accumulator?.addUp(indices)
                guard let values = sort == .self ? accumulator?.own : accumulator?.total else { continue }
                for row in names.indices { rates[row][part.step] += Double(values[row]) / seconds }
            }
        }
        let series = names.indices.map { row in
            Timeline.Series(
                name: names[row], rates: (0..<count).map { hostCounts[$0] > 0 ? rates[row][$0] : nil })
        }
        var timeline = Timeline(
            start: clock.start, stepNanoseconds: step, hosts: hostCounts, series: series, changes: [],
            rowCount: rowCount)
        timeline.markChanges()
        return timeline
    }
}

extension Timeline {
    fileprivate mutating func markChanges() {
        for (number, series) in series.enumerated() {
            let steps = series.rates.indices.filter { series.rates[$0] != nil }
            for level in ChangePoints.levels(steps.map { series.rates[$0] ?? 0 }).changes {
                changes.append(
                    Change(at: moment(steps[level.start]), series: number, from: level.before, to: level.mean))
            }
        }
        changes.sort { ($0.at, $0.series) < ($1.at, $1.series) }
    }
}
