public import Analysis
import Profiles

/// A flame graph: a call tree laid out as frames, the root at the bottom, as wide as what they weigh.
///
/// Siblings stand in alphabetical order, so that two pictures of one program can be compared by eye. Frames below 0.1
/// pixel are left out.
public struct FlameGraph: Sendable {
    /// One visible frame, widths and places in what the picture counts.
    struct Box {
        /// Index into `tree.nodes`.
        var node: UInt32
        var start: UInt64
        var width: UInt64
    }

    let tree: CallTree
    let boxes: [Box]
    /// The root's weight.
    let total: UInt64
    /// Levels of visible frames, the root's among them.
    let levels: Int
    /// `samples`, `microseconds`, `bytes`, …
    let unitName: String

    /// Pixels of the picture without scripts, and of the frames within it.
    static let width = 1200
    static let margin = 10
    static let frameHeight = 16
    static let smallestWidth = 0.1

    /// - Parameters:
    ///   - measure: what widths and titles count.
    ///   - unitName: the word for it, from `NamedProfile.unitName(_:)`; nanoseconds are counted as microseconds where
    ///     it says `microseconds`.
    public init(_ tree: CallTree, measure: Measure = .samples, unitName: String = "samples") {
        self.tree = tree
        self.unitName = unitName
        let divisor: UInt64 = measure == .unit && unitName == "microseconds" ? 1000 : 1
        func weight(_ node: CallTree.Node) -> UInt64 {
            measure == .samples ? node.totalSamples : (node.totalValue &+ divisor / 2) / divisor
        }
        total = weight(tree.nodes[0])
        let pixels = Double(Self.width - 2 * Self.margin)
        let smallest = total == 0 ? 0 : Self.smallestWidth * Double(total) / pixels
        let rank = FlameGraph.alphabeticalRanks(tree)
        var boxes: [Box] = []
        var deepest: UInt32 = 0
        var pending: [Box] = [Box(node: 0, start: 0, width: total)]
        var children: [UInt32] = []
        while let box = pending.popLast() {
            boxes.append(box)
            let node = tree.nodes[Int(box.node)]
            deepest = max(deepest, node.depth)
            children.removeAll(keepingCapacity: true)
            var child = box.node + 1
            while child < node.end {
                children.append(child)
                child = tree.nodes[Int(child)].end
            }
            children.sort { rank[Int(tree.nodes[Int($0)].frame)] < rank[Int(tree.nodes[Int($1)].frame)] }
            // A frame's own weight stands at its left, its callees after it, as in flamegraph.pl's pictures. Microseconds
            // are rounded: children never reach past their parent.
            let end = box.start &+ box.width
            let below = children.reduce(UInt64(0)) { $0 &+ weight(tree.nodes[Int($1)]) }
            var start = below < box.width ? end &- below : box.start
            for child in children {
                let width = min(weight(tree.nodes[Int(child)]), end &- start)
                if width > 0 && Double(width) >= smallest {
                    pending.append(Box(node: child, start: start, width: width))
                }
                start &+= width
            }
        }
        self.boxes = boxes
        levels = Int(deepest) + 1
    }

    /// By frame: its place among all frames in the order of names' bytes, then of kinds and modules.
    static func alphabeticalRanks(_ tree: CallTree) -> [Int] {
        let frames = tree.frames
        let bytes = frames.map { Array($0.name.utf8) }
        let sorted = frames.indices.sorted { left, right in
            if bytes[left] != bytes[right] { return bytes[left].lexicographicallyPrecedes(bytes[right]) }
            return (frames[left].module, frames[left].file) < (frames[right].module, frames[right].file)
        }
        var rank = [Int](repeating: 0, count: frames.count)
        for (place, frame) in sorted.enumerated() { rank[frame] = place }
        return rank
    }
}
