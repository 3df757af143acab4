public import Patterns
public import Profiles

extension NamePatterns {
    /// As users typed them, in a `Selection`.
    public init(_ patterns: [NamePattern]) {
        self.init(
            positive: patterns.filter { !$0.isNegated }.map { Glob($0.glob) },
            negative: patterns.filter { $0.isNegated }.map { Glob($0.glob) })
    }
}

/// The samples that a question is about. Tables are kept as they are, so node, host and key indices stay valid; slices
/// without a sample left go.
///
/// Where part of a slice's samples go by process or thread, its cut and broken stacks are counted by their markers. Whole
/// ones are known where each stack that is not whole had a marker, else they, and the broken ones, are nil.
///
/// Frames of the selection have names only with a symbolizer: they are `filter(_:byFrames:symbolizer:)`'s.
public func filter(_ samples: SampleSet, by selection: Selection) -> SampleSet {
    let series = SeriesPatterns(selection)
    let hosts = NamePatterns(selection.hosts)
    let keyPasses = samples.keys.map { $0.type.name == selection.type && series.matches($0) }
    let hostPasses = samples.hosts.map { hosts.matches($0.name) }
    var filtered = samples
    filtered.slices = samples.slices.filter { keyPasses[Int($0.key)] && hostPasses[Int($0.host)] }
    let processes = NamePatterns(selection.processes)
    let threads = NamePatterns(
        selection.threads.map { NamePattern(glob: foldedThreadName($0.glob), isNegated: $0.isNegated) })
    guard !processes.isEmpty || !threads.isEmpty else { return filtered }

    let elements = StackElements(samples.stacks)
    func verdicts(_ patterns: NamePatterns) -> [Bool] {
        patterns.isEmpty ? [] : samples.stacks.strings.map { patterns.matches($0) }
    }
    let processPasses = verdicts(processes)
    let threadPasses = verdicts(threads)
    func passes(_ name: UInt32, _ verdicts: [Bool], _ patterns: NamePatterns) -> Bool {
        if verdicts.isEmpty { return true }
        return name == Frame.none ? patterns.matches("") : verdicts[Int(name)]
    }
    let nodePasses = elements.process.indices.map { node in
        passes(elements.process[node], processPasses, processes)
            && passes(elements.thread[node], threadPasses, threads)
    }
    filtered.keep(elements.end) { nodePasses[$0] }
    return filtered
}

extension SampleSet {
    /// Keeps the samples of nodes that pass, and tells what is known of their quality.
    mutating func keep(_ ends: [StackElements.End], where passes: (Int) -> Bool) {
        slices = slices.compactMap { slice in
            var slice = slice
            let stacks = slice.stacks
            var kept = StackCounts()
            var before = EndCounts()
            var after = EndCounts()
            for (index, node) in stacks.nodes.enumerated() {
                let count = stacks.counts[index]
                before.add(ends[Int(node)], count)
                guard passes(Int(node)) else { continue }
                kept.nodes.append(node)
                kept.counts.append(count)
                kept.weights.append(stacks.weights[index])
                after.add(ends[Int(node)], count)
            }
            if kept.nodes.isEmpty { return nil }
            if kept.nodes.count < stacks.nodes.count {
                let cut = slice.quality.cut == nil ? nil : after.cut
                // Markers that account for all of the slice account for its part.
                slice.quality =
                    slice.quality == before.quality
                    ? after.quality : StackQuality(whole: nil, cut: cut, broken: nil)
            }
            slice.stacks = kept
            return slice
        }
    }
}

/// Samples by how their stacks end.
private struct EndCounts {
    var whole: UInt64 = 0
    var cut: UInt64 = 0
    var broken: UInt64 = 0

    var quality: StackQuality { StackQuality(whole: whole, cut: cut, broken: broken) }

    mutating func add(_ end: StackElements.End, _ count: UInt64) {
        switch end {
        case .whole: whole &+= count
        case .cut: cut &+= count
        case .broken: broken &+= count
        }
    }
}

/// What the elements at a stack's root say, for each node of a table.
struct StackElements {
    /// String index of the process's name, or `Frame.none`.
    var process: [UInt32]
    /// String index of the thread's name, or `Frame.none`.
    var thread: [UInt32]
    /// What the marker at a stack's root end says.
    enum End {
        /// There is none.
        case whole
        case cut, broken
    }

    var end: [End]

    init(_ table: StackTable) {
        let nodes = table.nodes
        let frames = table.frames
        process = Array(repeating: Frame.none, count: nodes.count)
        thread = process
        end = Array(repeating: .whole, count: nodes.count)
        // A parent's index is smaller than its children's, so it is done when they come.
        for index in nodes.indices.dropFirst() {
            let parent = Int(nodes[index].parent)
            let frame = frames[Int(nodes[index].frame)]
            process[index] = frame.kind == .process ? frame.name : process[parent]
            thread[index] = frame.kind == .thread ? frame.name : thread[parent]
            end[index] = end[parent]
            if frame.kind == .marker, frame.name != Frame.none {
                let name = table.strings[Int(frame.name)]
                if name == Frame.truncatedMarker { end[index] = .cut }
                if name.hasPrefix(Frame.brokenMarkerPrefix) { end[index] = .broken }
            }
        }
    }
}
