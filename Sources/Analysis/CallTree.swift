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
        /// The line of the frame's file that most of the total fell on, from 1; 0 where unknown.
        public var line: UInt32

        public init(
            frame: UInt32, parent: UInt32, end: UInt32, depth: UInt32, selfValue: UInt64, totalValue: UInt64,
            selfSamples: UInt64, totalSamples: UInt64, line: UInt32 = 0
        ) {
            self.frame = frame
            self.parent = parent
            self.end = end
            self.depth = depth
            self.selfValue = selfValue
            self.totalValue = totalValue
            self.selfSamples = selfSamples
            self.totalSamples = totalSamples
            self.line = line
        }
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
    /// - Parameter byLine: keeps lines of one function apart; else they are one frame of the tree, whose nodes know
    ///   their heaviest line.
    public func callTree(withThreads: Bool = false, byLine: Bool = false) -> CallTree {
        placedCallTree(withThreads: withThreads, byLine: byLine).tree
    }

    /// The tree, and for each node of the trie where it stands in it; 0 for what weighs nothing.
    func placedCallTree(withThreads: Bool, byLine: Bool) -> (tree: CallTree, place: [UInt32]) {
        let (treeFrames, treeFrameOf) = framesOfTree(byLine: byLine)
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
        // What a filter leaves out lies on the root, and is no part of the tree.
        for index in mergedNode.indices.dropFirst(isShown.isEmpty ? 0 : 1) {
            own[Int(mergedNode[index])].value &+= selfValue[index]
            own[Int(mergedNode[index])].samples &+= selfSamples[index]
        }
        var total = own
        for index in (1..<max(1, count)).reversed() {
            let parent = Int(merged.parent[index])
            total[parent].value &+= total[index].value
            total[parent].samples &+= total[index].samples
        }
        let lines = heaviestLines(of: mergedNode, count: count)
        let children = Children(merged, total: total, frames: treeFrames)
        var nodes: [CallTree.Node] = []
        nodes.reserveCapacity(count)
        var place = [UInt32](repeating: 0, count: count)
        var pending: [(node: UInt32, parent: UInt32, depth: UInt32)] = [(0, 0, 0)]
        while let (node, parent, depth) = pending.popLast() {
            let index = UInt32(nodes.count)
            place[Int(node)] = index
            let frame = node == 0 ? 0 : merged.frame[Int(node)] + 1
            nodes.append(
                CallTree.Node(
                    frame: frame, parent: parent, end: index + 1, depth: depth,
                    selfValue: own[Int(node)].value, totalValue: total[Int(node)].value,
                    selfSamples: own[Int(node)].samples, totalSamples: total[Int(node)].samples,
                    line: lines[Int(node)]))
            // The lightest first: the last one pushed is the first one taken.
            for child in children.fromHeavyToLight(of: node).reversed() { pending.append((child, index, depth + 1)) }
        }
        for index in nodes.indices.dropFirst().reversed() {
            let parent = Int(nodes[index].parent)
            nodes[parent].end = max(nodes[parent].end, nodes[index].end)
        }
        let tree = CallTree(
            frames: [NamedFrame(kind: .marker, name: CallTree.rootName)] + treeFrames, nodes: nodes)
        return (tree, mergedNode.map { place[Int($0)] })
    }

    /// The frames of the tree, each with its function's file, and which of them each frame of the profile becomes.
    private func framesOfTree(byLine: Bool) -> ([NamedFrame], [UInt32]) {
        let files = FunctionFiles(frames)
        var distinct: [NamedFrame] = []
        var index: [NamedFrame: UInt32] = [:]
        var map: [UInt32] = []
        map.reserveCapacity(frames.count)
        for (number, frame) in frames.enumerated() {
            var key = frame
            key.file = files.file(of: number)
            if !byLine { key.line = 0 }
            if let known = index[key] {
                map.append(known)
            } else {
                index[key] = UInt32(distinct.count)
                map.append(UInt32(distinct.count))
                distinct.append(key)
            }
        }
        return (distinct, map)
    }

    /// For each of `count` merged nodes the line that most of its total fell on, the first of equal ones.
    private func heaviestLines(of mergedNode: [UInt32], count: Int) -> [UInt32] {
        var lines = [UInt32](repeating: 0, count: count)
        var isMixed = [Bool](repeating: false, count: count)
        var anyIsMixed = false
        for index in mergedNode.indices.dropFirst() {
            let line = frames[Int(trie.frame[index])].line
            guard line > 0 else { continue }
            let node = Int(mergedNode[index])
            if lines[node] == 0 {
                lines[node] = line
            } else if lines[node] != line {
                isMixed[node] = true
                anyIsMixed = true
            }
        }
        guard anyIsMixed else { return lines }
        let subtree = trie.subtreeSums(selfValue)
        var values: [NodeLine: UInt64] = [:]
        for index in mergedNode.indices.dropFirst() where isMixed[Int(mergedNode[index])] {
            let line = frames[Int(trie.frame[index])].line
            if line > 0 { values[NodeLine(node: mergedNode[index], line: line), default: 0] &+= subtree[index] }
        }
        var best = [UInt64](repeating: 0, count: count)
        for (place, value) in values {
            let node = Int(place.node)
            // Until a value is seen the line is one of the node's own, so only a heavier or a smaller equal one wins.
            if value > best[node] || (value == best[node] && place.line < lines[node]) {
                best[node] = value
                lines[node] = place.line
            }
        }
        return lines
    }

    private struct NodeLine: Hashable {
        var node: UInt32
        var line: UInt32
    }
}

/// The children of each node of a trie, from heavy to light, in one flat array; nodes that weigh nothing are left out.
private struct Children {
    /// Where each node's children begin in `sorted`, and behind the last node the end.
    private var starts: [UInt32]
    private var sorted: [UInt32]

    init(_ trie: NamedTrie, total: [(value: UInt64, samples: UInt64)], frames: [NamedFrame]) {
        var starts = [UInt32](repeating: 0, count: trie.count + 1)
        let isHeavy = { (node: Int) in total[node].samples > 0 || total[node].value > 0 }
        for node in 1..<max(1, trie.count) where isHeavy(node) { starts[Int(trie.parent[node]) + 1] += 1 }
        for node in 1..<starts.count { starts[node] += starts[node - 1] }
        var sorted = [UInt32](repeating: 0, count: Int(starts[starts.count - 1]))
        var next = starts
        for node in 1..<max(1, trie.count) where isHeavy(node) {
            let parent = Int(trie.parent[node])
            sorted[Int(next[parent])] = UInt32(node)
            next[parent] += 1
        }
        for node in 0..<trie.count where starts[node + 1] - starts[node] > 1 {
            sorted[Int(starts[node])..<Int(starts[node + 1])].sort { left, right in
                let (one, other) = (total[Int(left)], total[Int(right)])
                if one.value != other.value { return one.value > other.value }
                if one.samples != other.samples { return one.samples > other.samples }
                // Equal ones by name, so that the answer is always the same.
                return frames[Int(trie.frame[Int(left)])].name < frames[Int(trie.frame[Int(right)])].name
            }
        }
        self.starts = starts
        self.sorted = sorted
    }

    func fromHeavyToLight(of node: UInt32) -> ArraySlice<UInt32> {
        sorted[Int(starts[Int(node)])..<Int(starts[Int(node) + 1])]
    }
}
