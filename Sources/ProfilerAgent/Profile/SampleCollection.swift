internal import Profiles

/// Adds the windows of a one-host profile up to one set of samples over one table of stacks.
struct SampleCollection: Sendable {
    private(set) var samples: SampleSet
    /// Single samples, where the windows bring them.
    private(set) var moments = SampleMoments()
    /// 32 bytes each.
    private static let mostMoments = 8 << 20
    private var keys: [SeriesKey: UInt32] = [:]
    /// More blocks of time than this are joined in pairs: an interval needs a few dozen, memory is not endless.
    private static let mostBlocks = 256

    init(host: Host) {
        samples = SampleSet(hosts: [host])
    }

    /// - Parameter dropped: samples of the host that were lost during the window.
    mutating func add(_ window: NamedWindow, range: TimeRange, dropped: UInt64 = 0) {
        let kept = window.moments.prefix(max(0, Self.mostMoments - moments.moments.count))
        let refused = window.refusedMoments &+ UInt64(window.moments.count - kept.count)
        moments.windows.append(SampleMoments.Window(range: range, dropped: dropped, refused: refused))
        moments.refused &+= refused
        guard !window.series.isEmpty else { return }
        let map = samples.stacks.merge(window.stacks)
        var keyOfSeries: [UInt32] = []
        for part in window.series {
            let key: UInt32
            if let known = keys[part.key] {
                key = known
            } else {
                key = UInt32(samples.keys.count)
                samples.keys.append(part.key)
                keys[part.key] = key
            }
            keyOfSeries.append(key)
            let sorted = part.stacks.nodes.indices.sorted {
                map[Int(part.stacks.nodes[$0])] < map[Int(part.stacks.nodes[$1])]
            }
            let counts = StackCounts(
                nodes: sorted.map { map[Int(part.stacks.nodes[$0])] }, counts: sorted.map { part.stacks.counts[$0] },
                weights: sorted.map { part.stacks.weights[$0] })
            samples.slices.append(
                SampleSlice(
                    host: 0, key: key, window: range, samplesPerSecond: part.samplesPerSecond, stacks: counts,
                    quality: part.quality))
        }
        moments.moments += kept.map { moment in
            SampleMoments.Moment(
                time: moment.time, key: keyOfSeries[Int(moment.key)], node: map[Int(moment.node)],
                weight: moment.weight)
        }
        if Set(samples.slices.map(\.window.start)).count > Self.mostBlocks { joinPairs() }
    }

    private mutating func joinPairs() {
        let starts = Array(Set(samples.slices.map(\.window.start))).sorted()
        var block: [Timestamp: Int] = [:]
        for (index, start) in starts.enumerated() { block[start] = index / 2 }
        struct Place: Hashable {
            var block: Int
            var key: UInt32
        }
        var joined: [Place: Int] = [:]
        var slices: [SampleSlice] = []
        var ranges: [Int: TimeRange] = [:]
        for slice in samples.slices {
            let number = block[slice.window.start] ?? 0
            ranges[number] = ranges[number].map { $0.union(slice.window) } ?? slice.window
        }
        for slice in samples.slices {
            let place = Place(block: block[slice.window.start] ?? 0, key: slice.key)
            if let known = joined[place] {
                slices[known].stacks = Self.sum(slices[known].stacks, slice.stacks)
                slices[known].quality = slices[known].quality + slice.quality
            } else {
                joined[place] = slices.count
                slices.append(slice)
            }
        }
        for index in slices.indices {
            if let range = ranges[block[slices[index].window.start] ?? 0] { slices[index].window = range }
        }
        samples.slices = slices
    }

    private static func sum(_ left: StackCounts, _ right: StackCounts) -> StackCounts {
        var sums: [UInt32: (count: UInt64, weight: UInt64)] = [:]
        for part in [left, right] {
            for index in part.nodes.indices {
                sums[part.nodes[index], default: (0, 0)].count &+= part.counts[index]
                sums[part.nodes[index], default: (0, 0)].weight &+= part.weights[index]
            }
        }
        let sorted = sums.sorted { $0.key < $1.key }
        return StackCounts(
            nodes: sorted.map(\.key), counts: sorted.map(\.value.count), weights: sorted.map(\.value.weight))
    }
}
