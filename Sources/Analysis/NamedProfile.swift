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
    /// Stacks cut by `depth` are counted as cut here, and no longer as whole.
    public let quality: StackQuality
    /// Hosts and keys as in the samples; slices refer to them.
    public let hosts: [Host]
    public let keys: [SeriesKey]
    let slices: [SampleSlice]
    let trie: NamedTrie
    /// The trie's node for each node of the samples' table; 0 where the samples don't use it.
    let namedNode: [UInt32]
    /// By node of the trie.
    let selfValue: [UInt64]
    let selfSamples: [UInt64]
    /// Kish's effective number of samples: (Σw)² / Σw².
    let effectiveSamples: Double

    /// Costs one pass over the samples' nodes and one over the entries of their slices.
    ///
    /// - Parameters:
    ///   - depth: frames kept per stack, counted from the leaf; process and thread don't count. What is cut away leaves
    ///     a `[truncated]` frame at the root end.
    ///   - range: what was really covered; the samples' own range where it is nil.
    public init(
        _ samples: SampleSet, symbolizer: some Symbolizer, depth: Int = 1024, range: TimeRange? = nil
    ) {
        hosts = samples.hosts
        keys = samples.keys
        slices = samples.slices
        let epoch = Timestamp(nanoseconds: 0)
        self.range = range ?? samples.range ?? TimeRange(start: epoch, end: epoch)
        type = samples.slices.first.map { samples.keys[Int($0.key)].type } ?? .cpu

        var naming = NodeNaming(samples, symbolizer: symbolizer)
        let markedBefore = naming.isMarked
        let newlyCut = naming.cut(to: max(1, depth))
        frames = naming.frames
        trie = naming.trie
        namedNode = naming.namedNode

        var selfValue = [UInt64](repeating: 0, count: naming.trie.count)
        var selfSamples = selfValue
        var squares = 0.0
        var sampleCount: UInt64 = 0
        var totalValue: UInt64 = 0
        var markedSamples: UInt64 = 0
        var cutSamples: UInt64 = 0
        var quality: StackQuality?
        for slice in samples.slices {
            let stacks = slice.stacks
            for index in stacks.nodes.indices {
                let original = Int(stacks.nodes[index])
                let node = Int(naming.namedNode[original])
                let count = stacks.counts[index]
                let weight = stacks.weights[index]
                selfValue[node] &+= weight
                selfSamples[node] &+= count
                sampleCount &+= count
                totalValue &+= weight
                if count > 0 { squares += Double(weight) * Double(weight) / Double(count) }
                if markedBefore[original] { markedSamples &+= count }
                if !newlyCut.isEmpty && newlyCut[original] { cutSamples &+= count }
            }
            quality = quality.map { $0 + slice.quality } ?? slice.quality
        }
        self.selfValue = selfValue
        self.selfSamples = selfSamples
        self.sampleCount = sampleCount
        self.totalValue = totalValue
        effectiveSamples = squares > 0 ? Double(totalValue) * Double(totalValue) / squares : 0
        var sum = quality ?? StackQuality(whole: nil, cut: nil, broken: nil)
        let seenCut = markedSamples &+ cutSamples
        sum.cut = sum.cut.map { max($0, markedSamples) &+ cutSamples } ?? (seenCut > 0 ? seenCut : nil)
        sum.whole = sum.whole.map { $0 - min($0, cutSamples) }
        self.quality = sum
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

    /// `value` as cores: CPU seconds per second of the range; nil where it is no CPU time or the range is empty.
    public func cores(_ value: UInt64) -> Double? {
        Analysis.cores(value, type: type, range: range)
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

/// The first half of the work: nodes of addresses become nodes of names.
private struct NodeNaming {
    private(set) var trie: NamedTrie
    private(set) var namedNode: [UInt32]
    /// By node of the samples' table: whether `[truncated]` stands in the stack.
    private(set) var isMarked: [Bool]
    private var naming = FrameNaming()

    var frames: [NamedFrame] { naming.frames }

    init(_ samples: SampleSet, symbolizer: some Symbolizer) {
        let nodes = samples.stacks.nodes
        let table = samples.stacks
        let tableFrames = table.frames
        var isUsed = [Bool](repeating: false, count: nodes.count)
        for slice in samples.slices { for node in slice.stacks.nodes { isUsed[Int(node)] = true } }
        var usedCount = 0
        for index in nodes.indices.dropFirst().reversed() where isUsed[index] {
            isUsed[Int(nodes[index].parent)] = true
            usedCount += 1
        }
        trie = NamedTrie(reserving: usedCount)
        namedNode = Array(repeating: 0, count: nodes.count)
        isMarked = Array(repeating: false, count: nodes.count)
        // Named frames of each frame of the table, end to end; (0, 0) where it was not asked for yet.
        var pieces: [UInt32] = []
        var place = [(start: UInt32, end: UInt32)](repeating: (0, 0), count: tableFrames.count)
        for index in nodes.indices.dropFirst() where isUsed[index] {
            let node = nodes[index]
            let frame = Int(node.frame)
            if place[frame].end == 0 {
                let start = UInt32(pieces.count)
                for named in naming.named(tableFrames[frame], of: table, symbolizer: symbolizer) {
                    pieces.append(naming.intern(named))
                }
                place[frame] = (start, UInt32(pieces.count))
            }
            var named = namedNode[Int(node.parent)]
            for piece in place[frame].start..<place[frame].end {
                named = trie.intern(parent: named, frame: pieces[Int(piece)])
            }
            namedNode[index] = named
            isMarked[index] =
                isMarked[Int(node.parent)]
                || (tableFrames[frame].kind == .marker
                    && frames[Int(trie.frame[Int(named)])].name == Frame.truncatedMarker)
        }
    }

    /// Leads stacks of more than `depth` frames to new nodes, `[truncated]` and their last frames. The answer says which
    /// nodes of the samples' table were cut and had not been before; empty where none was.
    mutating func cut(to depth: Int) -> [Bool] {
        let isCode = frames.map { ![.process, .thread, .marker].contains($0.kind) }
        // By node of the trie: code frames so far, and the last node of process or thread above.
        var codeDepth = [Int32](repeating: 0, count: trie.count)
        var head = [UInt32](repeating: 0, count: trie.count)
        var deepest: Int32 = 0
        for index in codeDepth.indices.dropFirst() {
            let parent = Int(trie.parent[index])
            let frame = Int(trie.frame[index])
            codeDepth[index] = codeDepth[parent] + (isCode[frame] ? 1 : 0)
            let kind = frames[frame].kind
            head[index] = kind == .process || kind == .thread ? UInt32(index) : head[parent]
            deepest = max(deepest, codeDepth[index])
        }
        guard Int(deepest) > depth else { return [] }
        let marker = naming.intern(NamedFrame(kind: .marker, name: Frame.truncatedMarker))
        var shortened = [UInt32](repeating: 0, count: trie.count)
        var newlyCut = [Bool](repeating: false, count: namedNode.count)
        for original in namedNode.indices {
            let node = Int(namedNode[original])
            guard Int(codeDepth[node]) > depth else { continue }
            if shortened[node] == 0 {
                var last: [UInt32] = []
                var above = node
                while last.count < depth {
                    let frame = trie.frame[above]
                    if isCode[Int(frame)] { last.append(frame) }
                    above = Int(trie.parent[above])
                }
                var named = trie.intern(parent: head[node], frame: marker)
                for frame in last.reversed() { named = trie.intern(parent: named, frame: frame) }
                shortened[node] = named
            }
            namedNode[original] = shortened[node]
            newlyCut[original] = !isMarked[original]
        }
        return newlyCut
    }
}
