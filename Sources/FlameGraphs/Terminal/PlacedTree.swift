import Analysis
import Profiles

/// A call tree with siblings by name and each node's place among all that is counted.
struct PlacedTree: Sendable {
    struct Node: Sendable {
        var frame: UInt32
        var parent: Int
        /// The first index after the node's last descendant.
        var end: Int
        var depth: Int
        var line: UInt32
        var own: UInt64
        var total: UInt64
        /// What stands to its left; its own weight stands at its left, its callees after it.
        var start: UInt64
    }

    let frames: [NamedFrame]
    /// Never empty; callers before callees.
    let nodes: [Node]

    init(_ tree: CallTree) {
        frames = tree.frames
        let order = FlameGraph.alphabeticalPreorder(of: tree)
        var nodes: [Node] = []
        nodes.reserveCapacity(order.count)
        // By node, where its next callee begins and where it ends itself: no callee reaches past its caller.
        var next: [UInt64] = []
        var path: [Int] = []
        for (index, original) in order.enumerated() {
            let node = tree.nodes[Int(original)]
            let depth = Int(node.depth)
            path.removeLast(path.count - min(path.count, depth))
            let parent = path.last ?? 0
            path.append(index)
            let start = index == 0 ? 0 : next[parent]
            let end = index == 0 ? node.totalValue : nodes[parent].start &+ nodes[parent].total
            let total = min(node.totalValue, end &- start)
            let own = min(node.selfValue, total)
            nodes.append(
                Node(
                    frame: node.frame, parent: parent, end: index + 1, depth: depth, line: node.line, own: own,
                    total: total, start: start))
            next.append(start &+ own)
            if index > 0 { next[parent] = start &+ total }
        }
        for index in nodes.indices.dropFirst().reversed() {
            nodes[nodes[index].parent].end = max(nodes[nodes[index].parent].end, nodes[index].end)
        }
        self.nodes = nodes
    }

    func name(of node: Int) -> String { frames[Int(nodes[node].frame)].name }

    /// Callees from left to right.
    func children(of node: Int) -> [Int] {
        var children: [Int] = []
        var child = node + 1
        while child < nodes[node].end {
            children.append(child)
            child = nodes[child].end
        }
        return children
    }

    /// What of `node`'s weight stands on or above a frame that was found, each stack once.
    func matched(within node: Int, found: [Bool]) -> UInt64 {
        var sum: UInt64 = 0
        var index = node
        while index < nodes[node].end {
            if found[Int(nodes[index].frame)] {
                sum &+= nodes[index].total
                index = nodes[index].end
            } else {
                index += 1
            }
        }
        return sum
    }
}

/// Which frames are seen in so many columns while one of them fills the width.
struct CellLayout {
    struct Box: Equatable {
        var node: Int
        /// Cells from `left` up to, not including, `right`.
        var left: Int
        var right: Int
    }

    /// By depth, from left to right. A cell shows the frame at its middle, so what is narrower than a cell is seen here
    /// and there, and nothing is drawn wider than it is by more than one.
    let rows: [[Box]]

    init(_ tree: PlacedTree, focus: Int, columns: Int) {
        var rows: [[Box]] = []
        var above = focus
        while above != 0 {
            above = tree.nodes[above].parent
            rows.append([Box(node: above, left: 0, right: columns)])
        }
        rows.reverse()
        let whole = tree.nodes[focus]
        let scale = whole.total == 0 ? 0 : Double(columns) / Double(whole.total)
        func column(_ place: UInt64) -> Int {
            min(columns, max(0, Int((Double(place &- whole.start) * scale).rounded())))
        }
        var level = [Box(node: focus, left: 0, right: columns)]
        while !level.isEmpty {
            rows.append(level)
            var next: [Box] = []
            for box in level {
                var child = box.node + 1
                while child < tree.nodes[box.node].end {
                    let node = tree.nodes[child]
                    let (left, right) = (column(node.start), column(node.start &+ node.total))
                    if right > left { next.append(Box(node: child, left: left, right: right)) }
                    child = node.end
                }
            }
            level = next
        }
        self.rows = rows
    }

    /// Where a node stands in the row of its depth.
    func place(of node: Int, in tree: PlacedTree) -> Int? {
        let depth = tree.nodes[node].depth
        return rows.indices.contains(depth) ? rows[depth].firstIndex { $0.node == node } : nil
    }

    /// The node itself where it is seen, else the nearest of its callers that is.
    func visible(_ node: Int, in tree: PlacedTree) -> Int {
        var node = node
        while node != 0, place(of: node, in: tree) == nil { node = tree.nodes[node].parent }
        return node
    }
}
