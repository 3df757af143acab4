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
        marker = Array(repeating: .none, count: nodes.count)
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
            marker[index] = marker[Int(node.parent)]
            if tableFrames[frame].kind == .marker {
                let named = trie.frame[Int(named)]
                let name = frames[Int(named)].name
                if name == Frame.truncatedMarker { marker[index] = .truncated }
                if name.hasPrefix(Frame.brokenMarkerPrefix) { marker[index] = .broken(named) }
            }
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
