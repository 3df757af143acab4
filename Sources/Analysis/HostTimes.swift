import Profiles

/// How long the hosts of one side ran what was selected: what cores are a rate over.
///
/// Sides that lie apart in time are each measured over all of their range. Where they lie in the same time (versions,
/// labels) a host runs what is selected for a part of it: from its first window with samples to its last, and as much more
/// at both ends as lies between two windows on average, n + 1 over n − 1 in all for n windows.
struct HostTimes {
    /// All hosts together.
    let nanoseconds: Double
    private let byHost: [Host: Double]

    init(_ pair: ProfilePair, isBase: Bool) {
        let (side, other) = isBase ? (pair.base, pair.against) : (pair.against, pair.base)
        let range = side.range.seconds * 1e9
        let isApart = side.range.end <= other.range.start || other.range.end <= side.range.start
        guard !isApart else {
            byHost = Dictionary(side.hostsWithSamples.map { ($0, range) }) { first, _ in first }
            nanoseconds = range * Double(byHost.count)
            return
        }
        var windows: [UInt32: (first: Timestamp, last: Timestamp, starts: Set<Timestamp>)] = [:]
        for slice in side.slices {
            var seen = windows[slice.host] ?? (slice.window.start, slice.window.end, [])
            seen.first = min(seen.first, slice.window.start)
            seen.last = max(seen.last, slice.window.end)
            seen.starts.insert(slice.window.start)
            windows[slice.host] = seen
        }
        var times: [Host: Double] = [:]
        for (index, seen) in windows {
            let count = Double(seen.starts.count)
            let span = TimeRange(start: seen.first, end: seen.last).seconds * 1e9
            let time = count > 1 ? min(range, span * (count + 1) / (count - 1)) : range
            times[side.hosts[Int(index)], default: 0] = max(times[side.hosts[Int(index)], default: 0], time)
        }
        byHost = times
        nanoseconds = times.values.reduce(0, +)
    }

    /// What part of `whole` falls on each unit: as the times of hosts, or as the windows of blocks of time.
    func parts(_ units: [[Int]], _ profile: NamedProfile, _ basis: IntervalBasis, of whole: Double) -> [Double] {
        let weights = units.map { slices -> Double in
            guard let first = slices.first else { return 0 }
            if case .hosts = basis { return byHost[profile.hosts[Int(profile.slices[first].host)]] ?? 0 }
            return Double(Set(slices.map { profile.slices[$0].window.start }).count)
        }
        let all = weights.reduce(0, +)
        return weights.map { all > 0 ? whole * $0 / all : 0 }
    }
}
