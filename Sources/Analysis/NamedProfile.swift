public import Profiles

/// Samples under the names that people know: the trie of a `SampleSet` with every address looked up once, and what each
/// stack weighs. Rankings, call trees and folded stacks are made from it.
///
/// The samples must be of one profile type; `filter(_:by:)` sees to that.
public struct NamedProfile: Sendable {
    /// Every distinct frame.
    public let frames: [NamedFrame]
    /// What was really covered.
    public let range: TimeRange
    public let type: ProfileType
    public let sampleCount: UInt64
    /// The sum of weights, in the type's unit.
    public let totalValue: UInt64
    /// Stacks cut by `depth` are counted as cut here, and no longer as whole or broken.
    public let quality: StackQuality
    /// Samples whose innermost function has no name; nil where no stack was looked at. What a filter leaves out doesn't
    /// count.
    public let unsymbolisedSamples: UInt64?
    /// What the markers of cut and broken stacks tell.
    public let incompleteStacks: IncompleteStacks
    /// Hosts and keys as in the samples; slices refer to them.
    public let hosts: [Host]
    public let keys: [SeriesKey]
    let slices: [SampleSlice]
    let trie: NamedTrie
    /// The trie's node for each node of the samples' table; 0 where the samples don't use it.
    let namedNode: [UInt32]
    /// By node of the samples' table, whether the filter of frames shows its stack; empty where all are shown.
    let isShown: [Bool]
    /// What the filter of frames left of the samples; all of them where there is none.
    public let shown: Shown
    /// By node of the trie.
    let selfValue: [UInt64]
    let selfSamples: [UInt64]
    /// Kish's effective number of samples: (Σw)² / Σw².
    let effectiveSamples: Double

    /// What a filter of frames left.
    public struct Shown: Hashable, Sendable {
        public var samples: UInt64
        /// In the type's unit.
        public var value: UInt64
        /// The filters that match no frame at all: `focus`, `ignore`, `hide`, `show-from`.
        public var unmatched: [String] = []
    }

    /// Costs one pass over the samples' nodes and one over the entries of their slices.
    ///
    /// - Parameters:
    ///   - depth: frames kept per stack, counted from the leaf; process and thread don't count, and an inlined function
    ///     counts as part of the one that holds its code, so that debug information cuts no stack. What is cut away leaves
    ///     a `[truncated]` frame at the root end.
    ///   - range: what was really covered; the samples' own range where it is nil.
    ///   - filter: what of the stacks is shown. The whole that shares are of stays the same.
    public init(
        _ samples: SampleSet, symbolizer: some Symbolizer, depth: Int = 1024, range: TimeRange? = nil,
        filter: FrameFilter = FrameFilter()
    ) {
        self.init(
            samples, names: StackNames(samples, symbolizer: symbolizer, depth: depth, filter: filter), range: range,
            filter: filter)
    }

    /// Of samples whose table the names were made for.
    ///
    /// - Parameter known: the sums of the samples' slices, where they are known already.
    init(
        _ samples: SampleSet, names: StackNames, range: TimeRange?, filter: FrameFilter = FrameFilter(),
        sums known: NodeSums? = nil
    ) {
        let sums = known ?? NodeSums(samples.slices, nodes: names.naming.namedNode.count)
        hosts = samples.hosts
        keys = samples.keys
        slices = samples.slices
        let epoch = Timestamp(nanoseconds: 0)
        self.range = range ?? samples.range ?? TimeRange(start: epoch, end: epoch)
        type = samples.slices.first.map { samples.keys[Int($0.key)].type } ?? .cpu

        let naming = names.naming
        let markersBefore = names.markersBefore
        let newlyCut = names.newlyCut
        frames = naming.frames
        trie = naming.trie
        namedNode = naming.namedNode
        isShown = naming.isShown

        var selfValue = [UInt64](repeating: 0, count: naming.trie.count)
        var selfSamples = selfValue
        var sampleCount: UInt64 = 0
        var totalValue: UInt64 = 0
        var shown = Shown(samples: 0, value: 0, unmatched: filter.names(without: naming.matchedFilters))
        var seen = MarkedSamples()
        var incomplete = IncompleteStacks.Counter()
        let depths = naming.depths()
        let isUnnamed = naming.frames.map { $0.name.hasPrefix("[unknown") && $0.kind != .process && $0.kind != .thread }
        var unnamed: UInt64 = 0
        for original in sums.counts.indices where sums.counts[original] > 0 || sums.weights[original] > 0 {
            let (count, weight) = (sums.counts[original], sums.weights[original])
            let node = Int(naming.namedNode[original])
            selfValue[node] &+= weight
            selfSamples[node] &+= count
            sampleCount &+= count
            totalValue &+= weight
            let isShown = naming.isShown.isEmpty || naming.isShown[original]
            if isShown {
                shown.samples &+= count
                shown.value &+= weight
            }
            if node != 0, isUnnamed[Int(naming.trie.frame[node])] { unnamed &+= count }
            let wasCut = markersBefore[original] == .truncated
            let wasBroken = !wasCut && markersBefore[original] != .none
            let isNewlyCut = !newlyCut.isEmpty && newlyCut[original]
            if wasCut { seen.cut &+= count }
            if wasBroken { seen.broken &+= count }
            if isNewlyCut { seen.newlyCut &+= count }
            if isNewlyCut && wasBroken { seen.newlyCutBroken &+= count }
            if (wasCut || isNewlyCut) && isShown {
                incomplete.addCut(depth: depths[node], samples: count)
            } else if case .broken(let frame) = markersBefore[original] {
                incomplete.addBroken(frame, samples: count)
            }
        }
        self.shown = shown
        unsymbolisedSamples = naming.trie.count > 1 ? unnamed : nil
        self.selfValue = selfValue
        self.selfSamples = selfSamples
        self.sampleCount = sampleCount
        self.totalValue = totalValue
        effectiveSamples = sums.squares > 0 ? Double(totalValue) * Double(totalValue) / sums.squares : 0
        self.quality = seen.corrected(sums.quality ?? StackQuality(whole: nil, cut: nil, broken: nil))
        incompleteStacks = incomplete.result(frames: naming.frames)
    }

    /// Whether samples of different nominal rates are mixed, so that their number says nothing about their weight.
    public var mixesRates: Bool {
        guard let first = slices.first else { return false }
        return slices.contains { $0.samplesPerSecond != first.samplesPerSecond }
    }

    /// Hosts that some of the samples are of.
    public var hostsWithSamples: [Host] {
        Set(slices.map(\.host)).sorted().map { hosts[Int($0)] }
    }

    /// Whether a filter of frames was given.
    public var isFiltered: Bool { !isShown.isEmpty }

    /// What of a slice's weight is shown.
    func shownWeight(_ stacks: StackCounts) -> UInt64 {
        if isShown.isEmpty { return stacks.totalWeight }
        return stacks.nodes.indices.reduce(UInt64(0)) {
            isShown[Int(stacks.nodes[$1])] ? $0 &+ stacks.weights[$1] : $0
        }
    }

    /// `value` as cores: CPU seconds per second of the range; nil where it is no CPU time or the range is empty.
    public func cores(_ value: UInt64) -> Double? {
        Analysis.cores(value, type: type, range: range)
    }
}

/// What slices add up to by node of their table: there are many more entries than nodes, and what a sample counts as
/// depends on its node alone.
struct NodeSums {
    private(set) var counts: [UInt64]
    private(set) var weights: [UInt64]
    /// Of the weights of single samples: Σ w² / n over the entries.
    private(set) var squares = 0.0
    private(set) var quality: StackQuality?

    init(_ slices: [SampleSlice], nodes: Int) {
        counts = [UInt64](repeating: 0, count: nodes)
        weights = counts
        for slice in slices {
            let stacks = slice.stacks
            for index in stacks.nodes.indices {
                let (node, count, weight) = (Int(stacks.nodes[index]), stacks.counts[index], stacks.weights[index])
                counts[node] &+= count
                weights[node] &+= weight
                if count > 0 { squares += Double(weight) * Double(weight) / Double(count) }
            }
            quality = quality.map { $0 + slice.quality } ?? slice.quality
        }
    }

    /// Of both over the same table.
    static func + (left: NodeSums, right: NodeSums) -> NodeSums {
        var sums = left
        for node in right.counts.indices {
            sums.counts[node] &+= right.counts[node]
            sums.weights[node] &+= right.weights[node]
        }
        sums.squares += right.squares
        if let quality = right.quality { sums.quality = sums.quality.map { $0 + quality } ?? quality }
        return sums
    }
}

/// The names of a table's stacks, which several profiles may share.
struct StackNames {
    let naming: NodeNaming
    /// By node of the table, as the samples came; and which of the nodes were cut here.
    let markersBefore: [NodeNaming.Marker]
    let newlyCut: [Bool]

    init(
        _ samples: SampleSet, symbolizer: some Symbolizer, depth: Int = 1024, filter: FrameFilter = FrameFilter()
    ) {
        var naming = NodeNaming(samples, symbolizer: symbolizer, filter: filter)
        markersBefore = naming.marker
        newlyCut = naming.cut(to: max(1, depth))
        self.naming = naming
    }
}

/// CPU seconds per second of the range; nil where `value` is no CPU time or the range is empty.
func cores(_ value: UInt64, type: ProfileType, range: TimeRange) -> Double? {
    guard type.name == ProfileType.cpu.name, type.unit == ProfileType.cpu.unit, range.seconds > 0 else { return nil }
    return Double(value) / 1e9 / range.seconds
}

/// What a picture or a folded line counts.
public enum Measure: String, Hashable, Sendable, CaseIterable {
    case samples
    /// The type's unit; CPU time in microseconds.
    case unit
}

extension NamedProfile {
    /// Samples for CPU time at one rate, else the type's unit.
    public var naturalMeasure: Measure {
        type.name == ProfileType.cpu.name && !mixesRates ? .samples : .unit
    }

    /// The word for what `measure` counts: `samples`, `microseconds` for nanoseconds, else the type's unit.
    public func unitName(_ measure: Measure) -> String {
        switch measure {
        case .samples: "samples"
        case .unit: type.unit == "nanoseconds" ? "microseconds" : type.unit
        }
    }
}
