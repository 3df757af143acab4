public import Profiles

/// The samples of two selections over one table of stacks, so that a function of the one is the same row of the other.
public struct SamplePair: Sendable {
    /// Of both sides, the base's slices first.
    public let samples: SampleSet
    /// How many of the slices are the base's.
    public let baseSliceCount: Int

    /// Costs one pass over the nodes and slices of `against`. Hosts are one where name and agent are the same.
    public init(base: SampleSet, against: SampleSet) {
        var samples = base
        baseSliceCount = base.slices.count
        let nodeMap = samples.stacks.merge(against.stacks)
        var hostIndex: [Host: UInt32] = [:]
        for (index, host) in samples.hosts.enumerated().reversed() { hostIndex[host] = UInt32(index) }
        var keyIndex: [SeriesKey: UInt32] = [:]
        for (index, key) in samples.keys.enumerated().reversed() { keyIndex[key] = UInt32(index) }
        let hostMap = against.hosts.map { host -> UInt32 in
            if let known = hostIndex[host] { return known }
            samples.hosts.append(host)
            hostIndex[host] = UInt32(samples.hosts.count - 1)
            return UInt32(samples.hosts.count - 1)
        }
        let keyMap = against.keys.map { key -> UInt32 in
            if let known = keyIndex[key] { return known }
            samples.keys.append(key)
            keyIndex[key] = UInt32(samples.keys.count - 1)
            return UInt32(samples.keys.count - 1)
        }
        samples.slices.reserveCapacity(base.slices.count + against.slices.count)
        for var slice in against.slices {
            slice.host = hostMap[Int(slice.host)]
            slice.key = keyMap[Int(slice.key)]
            slice.stacks.renumber { nodeMap[Int($0)] }
            samples.slices.append(slice)
        }
        self.samples = samples
    }

    var baseSlices: [SampleSlice] { Array(samples.slices[..<baseSliceCount]) }
    var againstSlices: [SampleSlice] { Array(samples.slices[baseSliceCount...]) }
}

extension StackCounts {
    /// Replaces each node by another one, and keeps them ascending.
    fileprivate mutating func renumber(_ number: (UInt32) -> UInt32) {
        let renumbered = nodes.map(number)
        if zip(renumbered, renumbered.dropFirst()).allSatisfy({ $0 < $1 }) {
            nodes = renumbered
            return
        }
        let order = renumbered.indices.sorted { renumbered[$0] < renumbered[$1] }
        nodes = order.map { renumbered[$0] }
        counts = order.map { counts[$0] }
        weights = order.map { weights[$0] }
    }
}

/// Two profiles whose frames, tries and functions are the same, to be held against each other.
public struct ProfilePair: Sendable {
    public let base: NamedProfile
    public let against: NamedProfile
    /// The samples of both sides, the base's slices first.
    let both: NamedProfile
    /// Nanoseconds that the hosts of either side were measured for, together; nil where that is all of the range.
    let hostTime: (base: Double, against: Double)?

    /// - Parameter baseRange: what was really covered on that side; the samples' own range where it is nil, as for the
    ///   other side.
    public init(
        _ pair: SamplePair, symbolizer: some Symbolizer, baseRange: TimeRange? = nil, againstRange: TimeRange? = nil
    ) {
        let names = StackNames(pair.samples, symbolizer: symbolizer)
        self.init(
            pair.samples, base: pair.baseSlices, against: pair.againstSlices, names: names, filter: FrameFilter(),
            ranges: (baseRange, againstRange), hostTime: nil)
    }

    /// Two parts of a set of samples, for whose table the names were made: its slices are those of the base, then those of
    /// the other side.
    init(
        _ samples: SampleSet, base: [SampleSlice], against: [SampleSlice], names: StackNames, filter: FrameFilter,
        ranges: (base: TimeRange?, against: TimeRange?), hostTime: (base: Double, against: Double)?
    ) {
        func part(_ slices: [SampleSlice]) -> SampleSet {
            SampleSet(stacks: samples.stacks, hosts: samples.hosts, keys: samples.keys, slices: slices)
        }
        let nodes = names.naming.namedNode.count
        let sums = (base: NodeSums(base, nodes: nodes), against: NodeSums(against, nodes: nodes))
        self.base = NamedProfile(part(base), names: names, range: ranges.base, filter: filter, sums: sums.base)
        self.against = NamedProfile(
            part(against), names: names, range: ranges.against, filter: filter, sums: sums.against)
        both = NamedProfile(
            samples, names: names, range: nil, filter: filter, sums: sums.base + sums.against)
        self.hostTime = hostTime
    }
}
