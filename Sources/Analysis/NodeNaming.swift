import Profiles

/// The first half of the work: nodes of addresses become nodes of names.
struct NodeNaming {
    private(set) var trie: NamedTrie
    private(set) var namedNode: [UInt32]
    /// What stands at a stack's root end.
    enum Marker: Hashable {
        case none, truncated
        /// Index of the marker's frame.
        case broken(UInt32)
    }

    /// By node of the samples' table.
    private(set) var marker: [Marker]
    private var naming = FrameNaming()
    /// By node of the samples' table, whether a filter of frames shows its stack; empty where there is no filter. A stack
    /// that is not shown has no named node.
    private(set) var isShown: [Bool] = []
    /// The filters that match some frame.
    private(set) var matchedFilters: FilterMarks = []

    var frames: [NamedFrame] { naming.frames }

    init(_ samples: SampleSet, symbolizer: some Symbolizer, filter: FrameFilter) {
        var filters = filter.isEmpty ? nil : LocationFilter(filter)
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
        marker = Array(repeating: .none, count: nodes.count)
        // Named frames of each frame of the table, end to end.
        var pieces: [UInt32] = []
        var place = [(start: UInt32, end: UInt32)](repeating: (0, 0), count: tableFrames.count)
        // A marker counts, whether it is shown or not.
        var markerFrame: [Int: UInt32] = [:]
        var isPlaced = [Bool](repeating: false, count: tableFrames.count)
        // What the filters match in each frame, and in each node and those above it.
        var frameMarks = [FilterMarks](repeating: [], count: filters == nil ? 0 : tableFrames.count)
        var nodeMarks = [FilterMarks](repeating: [], count: filters == nil ? 0 : nodes.count)
        for index in nodes.indices.dropFirst() where isUsed[index] {
            let node = nodes[index]
            let frame = Int(node.frame)
            let isLocation = tableFrames[frame].kind != .process && tableFrames[frame].kind != .thread
            if !isPlaced[frame] {
                isPlaced[frame] = true
                let start = UInt32(pieces.count)
                var named = naming.named(tableFrames[frame], of: table, symbolizer: symbolizer)
                    .map { naming.intern($0) }
                if tableFrames[frame].kind == .marker { markerFrame[frame] = named.last }
                if isLocation, filters != nil {
                    (named, frameMarks[frame]) =
                        filters?.location(named, of: tableFrames[frame], in: table, frames: naming.frames) ?? (
                            named, []
                        )
                }
                pieces += named
                place[frame] = (start, UInt32(pieces.count))
            }
            var named = namedNode[Int(node.parent)]
            var isPart = true
            if let filters {
                nodeMarks[index] = nodeMarks[Int(node.parent)].union(frameMarks[frame])
                isPart = !isLocation || filters.isBegun(nodeMarks[index])
            }
            for piece in place[frame].start..<(isPart ? place[frame].end : place[frame].start) {
                named = trie.intern(parent: named, frame: pieces[Int(piece)])
            }
            namedNode[index] = named
            marker[index] = marker[Int(node.parent)]
            if tableFrames[frame].kind == .marker, let name = markerFrame[frame] {
                if frames[Int(name)].name == Frame.truncatedMarker { marker[index] = .truncated }
                if frames[Int(name)].name.hasPrefix(Frame.brokenMarkerPrefix) { marker[index] = .broken(name) }
            }
        }
        if let filters {
            isShown = nodeMarks.map { filters.shows($0) }
            matchedFilters = filters.matched
            for index in namedNode.indices where !isShown[index] { namedNode[index] = 0 }
        }
    }

    /// Whether each frame counts in the depth of a stack: what is inlined belongs to the frame around it.
    private func countedFrames() -> [Bool] {
        frames.map { ![.process, .thread, .marker, .inlined].contains($0.kind) }
    }

    /// By node of the trie: how many frames that count stand from the root to it.
    func depths() -> [Int32] {
        let isCounted = countedFrames()
        var depths = [Int32](repeating: 0, count: trie.count)
        for index in depths.indices.dropFirst() {
            depths[index] = depths[Int(trie.parent[index])] + (isCounted[Int(trie.frame[index])] ? 1 : 0)
        }
        return depths
    }

    /// Leads stacks of more than `depth` frames to new nodes, `[truncated]` and their last frames. The answer says which
    /// nodes of the samples' table were cut and had not been before; empty where none was.
    mutating func cut(to depth: Int) -> [Bool] {
        let isCode = frames.map { ![.process, .thread, .marker].contains($0.kind) }
        let isCounted = countedFrames()
        let codeDepth = depths()
        guard Int(codeDepth.max() ?? 0) > depth else { return [] }
        // By node of the trie: the last node of process or thread above.
        var head = [UInt32](repeating: 0, count: trie.count)
        for index in head.indices.dropFirst() {
            let kind = frames[Int(trie.frame[index])].kind
            head[index] = kind == .process || kind == .thread ? UInt32(index) : head[Int(trie.parent[index])]
        }
        let marker = naming.intern(NamedFrame(kind: .marker, name: Frame.truncatedMarker))
        var shortened = [UInt32](repeating: 0, count: trie.count)
        var newlyCut = [Bool](repeating: false, count: namedNode.count)
        for original in namedNode.indices {
            let node = Int(namedNode[original])
            guard Int(codeDepth[node]) > depth else { continue }
            if shortened[node] == 0 {
                var last: [UInt32] = []
                var counted = 0
                var above = node
                while counted < depth {
                    let frame = trie.frame[above]
                    if isCode[Int(frame)] { last.append(frame) }
                    if isCounted[Int(frame)] { counted += 1 }
                    above = Int(trie.parent[above])
                }
                var named = trie.intern(parent: head[node], frame: marker)
                for frame in last.reversed() { named = trie.intern(parent: named, frame: frame) }
                shortened[node] = named
            }
            namedNode[original] = shortened[node]
            newlyCut[original] = self.marker[original] != .truncated
        }
        return newlyCut
    }
}
