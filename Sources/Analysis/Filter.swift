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
/// Where part of a slice's samples go by process or thread, its whole and broken stacks are no longer known (nil); cut
/// ones are counted by their marker.
public func filter(_ samples: SampleSet, by selection: Selection) -> SampleSet {
    let services = NamePatterns(selection.services)
    let hosts = NamePatterns(selection.hosts)
    let keyPasses = samples.keys.map { $0.type.name == selection.type && services.matches($0.service) }
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
    filtered.slices = filtered.slices.compactMap { slice in
        var slice = slice
        let stacks = slice.stacks
        var kept = StackCounts()
        var cut: UInt64 = 0
        for (index, node) in stacks.nodes.enumerated() where nodePasses[Int(node)] {
            kept.nodes.append(node)
            kept.counts.append(stacks.counts[index])
            kept.weights.append(stacks.weights[index])
            if elements.isCut[Int(node)] { cut &+= stacks.counts[index] }
        }
        if kept.nodes.isEmpty { return nil }
        if kept.nodes.count < stacks.nodes.count {
            slice.quality = StackQuality(whole: nil, cut: slice.quality.cut == nil ? nil : cut, broken: nil)
        }
        slice.stacks = kept
        return slice
    }
    return filtered
}

/// What the elements at a stack's root say, for each node of a table.
struct StackElements {
    /// String index of the process's name, or `Frame.none`.
    var process: [UInt32]
    /// String index of the thread's name, or `Frame.none`.
    var thread: [UInt32]
    /// Whether `[truncated]` stands at the stack's root end.
    var isCut: [Bool]

    init(_ table: StackTable) {
        let nodes = table.nodes
        let frames = table.frames
        let marker = table.strings.firstIndex(of: Frame.truncatedMarker).map { UInt32($0) }
        process = Array(repeating: Frame.none, count: nodes.count)
        thread = process
        isCut = Array(repeating: false, count: nodes.count)
        // A parent's index is smaller than its children's, so it is done when they come.
        for index in nodes.indices.dropFirst() {
            let parent = Int(nodes[index].parent)
            let frame = frames[Int(nodes[index].frame)]
            process[index] = frame.kind == .process ? frame.name : process[parent]
            thread[index] = frame.kind == .thread ? frame.name : thread[parent]
            isCut[index] = isCut[parent] || (frame.kind == .marker && marker != nil && frame.name == marker)
        }
    }
}
