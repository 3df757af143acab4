public import Analysis
import Profiles

/// A flame graph of two sides: as wide as one of them, red where a frame provably grew, blue where it shrank, grey where
/// nothing is proved. Frames that only the other side has are drawn with a broken outline, as wide as they were there.
public struct DifferentialFlameGraph: Sendable {
    /// Whose widths the picture has.
    public enum Widths: String, Hashable, Sendable, CaseIterable {
        case against, base
    }

    private let graph: FlameGraph
    private let paint: FlameGraphPaint

    /// - Parameters:
    ///   - movements: by node of the tree, from `DifferenceTree.movements(of:)`.
    ///   - unitName: as for `FlameGraph`.
    public init(
        _ difference: DifferenceTree, movements: [Movement], widths: Widths = .against, measure: Measure = .samples,
        unitName: String = "samples"
    ) {
        let tree = difference.tree
        let divisor: UInt64 = measure == .unit && unitName == "microseconds" ? 1000 : 1
        func counted(_ values: DifferenceTree.Values) -> (own: UInt64, total: UInt64) {
            measure == .samples
                ? (values.selfSamples, values.totalSamples)
                : ((values.selfValue &+ divisor / 2) / divisor, (values.totalValue &+ divisor / 2) / divisor)
        }
        let (shown, other) =
            widths == .against ? (difference.against, difference.base) : (difference.base, difference.against)
        let wholes = (Double(max(1, counted(shown[0]).total)), Double(max(1, counted(other[0]).total)))
        // The other side, as if it had as much in all.
        let scale = wholes.0 / wholes.1
        var weights = [UInt64](repeating: 0, count: tree.nodes.count)
        for node in weights.indices {
            weights[node] =
                shown[node].totalValue > 0
                ? counted(shown[node]).own : UInt64((Double(counted(other[node]).own) * scale).rounded())
        }
        for node in weights.indices.dropFirst().reversed() { weights[Int(tree.nodes[node].parent)] &+= weights[node] }
        var nodes = tree.nodes
        for node in nodes.indices { nodes[node].totalSamples = weights[node] }
        graph = FlameGraph(CallTree(frames: tree.frames, nodes: nodes), measure: .samples, unitName: unitName)

        let baseWhole = Double(max(1, difference.base[0].totalValue))
        let againstWhole = Double(max(1, difference.against[0].totalValue))
        var frames: [FlameGraphPaint.Frame] = []
        frames.reserveCapacity(nodes.count)
        for node in nodes.indices {
            let before = Double(difference.base[node].totalValue) / baseWhole
            let after = Double(difference.against[node].totalValue) / againstWhole
            let count = counted(shown[node]).total
            frames.append(
                FlameGraphPaint.Frame(
                    count: count, share: Double(count) / wholes.0, change: after - before,
                    fill: Self.fill(movements[node], before, after), isElided: shown[node].totalValue == 0))
        }
        paint = FlameGraphPaint(
            frames: frames,
            legend: [
                ("rgb(255,105,105)", "grew"), ("rgb(105,105,255)", "shrank"), ("rgb(215,215,215)", "nothing proved"),
                ("rgb(120,120,120)", "broken outline: only \(widths == .against ? "before" : "after")"),
            ])
    }

    public func svg(title: String, subtitle: String = "") -> [UInt8] {
        graph.svg(title: title, subtitle: subtitle, paint: paint)
    }

    /// The stronger, the larger the part of the frame that came or went: no outlier sets the scale.
    private static func fill(_ movement: Movement, _ before: Double, _ after: Double) -> String {
        let part = abs(after - before) / max(before, after, 1e-12)
        let pale = Int((200 - 190 * min(1, part).squareRoot()).rounded())
        switch movement {
        case .grew: return "rgb(255,\(pale),\(pale))"
        case .shrank: return "rgb(\(pale),\(pale),255)"
        case .shareOnly, .withinNoise: return "rgb(215,215,215)"
        }
    }
}

/// What a picture shows in place of the kinds of frames and of the widths' counts.
struct FlameGraphPaint: Sendable {
    struct Frame {
        /// What is counted here, and as a part of all.
        var count: UInt64
        var share: Double
        /// As a difference of shares.
        var change: Double
        var fill: String
        var isElided: Bool
    }

    /// By node of the tree.
    var frames: [Frame]
    var legend: [(colour: String, word: String)]

    /// `+1.23%`.
    static func signed(_ change: Double) -> String {
        let hundredths = Int((abs(change) * 10_000).rounded())
        let fraction = String(hundredths % 100)
        return (change < 0 && hundredths > 0 ? "-" : "+") + "\(hundredths / 100)."
            + (fraction.count < 2 ? "0" : "") + fraction + "%"
    }
}
