public import Profiles

/// Stacks added up into one tree: `all` at the root, then processes, threads where they are asked for, then functions
/// by caller, children from heavy to light.
///
/// Nodes stand in preorder in one flat array, so deep trees are walked by loops, never by recursion.
public struct CallTree: Sendable {
    public struct Node: Hashable, Sendable {
        /// Index into `frames`.
        public var frame: UInt32
        /// Index into `nodes`; the root is its own parent.
        public var parent: UInt32
        /// The first index after the node's last descendant.
        public var end: UInt32
        /// 0 for the root.
        public var depth: UInt32
        public var selfValue: UInt64
        public var totalValue: UInt64
        public var selfSamples: UInt64
        public var totalSamples: UInt64
    }

    public let frames: [NamedFrame]
    /// Never empty: `nodes[0]` is the root.
    public let nodes: [Node]

    /// The name of the root.
    public static let rootName = "all"

    public init(frames: [NamedFrame], nodes: [Node]) {
        self.frames = frames
        self.nodes = nodes
    }

    public func frame(of node: Node) -> NamedFrame { frames[Int(node.frame)] }
}

extension NamedProfile {
    /// Frames that differ in their line alone are one in the tree; its line is theirs where they agree, else 0.
    public func callTree(withThreads: Bool = false) -> CallTree {
        let (treeFrames, treeFrameOf) = framesOfTree()
        // Fold the trie: without threads, and by function instead of by line.
        var merged = NamedTrie(reserving: trie.count)
        var mergedNode = [UInt32](repeating: 0, count: trie.count)
        let isThread = frames.map { $0.kind == .thread }
        for index in mergedNode.indices.dropFirst() {
            let above = mergedNode[Int(trie.parent[index])]
            let frame = Int(trie.frame[index])
            mergedNode[index] =
                isThread[frame] && !withThreads ? above : merged.intern(parent: above, frame: treeFrameOf[frame])
        }
        let count = merged.count
        var own = [(value: UInt64, samples: UInt64)](repeating: (0, 0), count: count)
        for index in mergedNode.indices {
            own[Int(mergedNode[index])].value &+= selfValue[index]
            own[Int(mergedNode[index])].samples &+= selfSamples[index]
        }
        var total = own
        for index in (1..<max(1, count)).reversed() {
            let parent = Int(merged.parent[index])
            total[parent].value &+= total[index].value
            total[parent].samples &+= total[index].samples
        }
        // Children of each node, from heavy to light; equal ones by name, so that the answer is always the same.
        var children = [[UInt32]](repeating: [], count: count)
        for index in 1..<max(1, count) where total[index].samples > 0 || total[index].value > 0 {
            children[Int(merged.parent[index])].append(UInt32(index))
        }
        var nodes: [CallTree.Node] = []
        nodes.reserveCapacity(count)
        var pending: [(node: UInt32, parent: UInt32, depth: UInt32)] = [(0, 0, 0)]
        while let (node, parent, depth) = pending.popLast() {
            let index = UInt32(nodes.count)
            let frame = node == 0 ? 0 : merged.frame[Int(node)] + 1
            nodes.append(
                CallTree.Node(
                    frame: frame, parent: parent, end: index + 1, depth: depth,
                    selfValue: own[Int(node)].value, totalValue: total[Int(node)].value,
                    selfSamples: own[Int(node)].samples, totalSamples: total[Int(node)].samples))
            var below = children[Int(node)]
            if below.count > 1 {
                // Lightest first: the last one pushed is the first one taken.
                below.sort { left, right in
                    let (one, other) = (total[Int(left)], total[Int(right)])
                    if one.value != other.value { return one.value < other.value }
                    if one.samples != other.samples { return one.samples < other.samples }
                    return treeFrames[Int(merged.frame[Int(left)])].name
                        > treeFrames[Int(merged.frame[Int(right)])].name
                }
            }
            for child in below { pending.append((child, index, depth + 1)) }
        }
        for index in nodes.indices.dropFirst().reversed() {
            let parent = Int(nodes[index].parent)
            nodes[parent].end = max(nodes[parent].end, nodes[index].end)
        }
        return CallTree(
            frames: [NamedFrame(kind: .marker, name: CallTree.rootName)] + treeFrames, nodes: nodes)
    }

    /// Frames without the distinction by line, and which of them each frame becomes.
    private func framesOfTree() -> ([NamedFrame], [UInt32]) {
        var distinct: [NamedFrame] = []
        var index: [NamedFrame: UInt32] = [:]
        var map: [UInt32] = []
        map.reserveCapacity(frames.count)
        for frame in frames {
            var key = frame
            key.line = 0
            if let known = index[key] {
                if distinct[Int(known)].line != frame.line { distinct[Int(known)].line = 0 }
                map.append(known)
            } else {
                index[key] = UInt32(distinct.count)
                map.append(UInt32(distinct.count))
                distinct.append(frame)
            }
        }
        return (distinct, map)
    }
}
