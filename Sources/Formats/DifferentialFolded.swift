public import Analysis
import Profiles

/// Folded stacks of two sides, as difffolded.pl writes them and flamegraph.pl reads them: `stack BASE AGAINST`, 0 where a
/// side doesn't have the stack; each stack once, lines sorted by their bytes.
public struct DifferentialFolded: Sendable {
    /// UTF-8, every line ended by a line feed.
    public let bytes: [UInt8]
    /// A sentence to say beside the output where the measure may not be what users expect.
    public let note: String?

    /// Parameters as those of `Folded`; samples only where all were taken at one rate.
    public init(
        of pair: ProfilePair, withThreads: Bool = false, withLines: Bool = false, measure: Measure? = nil,
        isPlain: Bool = false
    ) {
        let chosen = measure ?? pair.naturalMeasure
        let isCPU = pair.base.type == .cpu
        note =
            measure == nil && pair.mixesRates && isCPU
            ? "values are microseconds of CPU time, because the samples were taken at different rates" : nil
        let divisor: UInt64 = chosen == .unit && pair.base.type.unit == "nanoseconds" ? 1000 : 1
        let difference = DifferenceTree(pair, withThreads: withThreads, byLine: withLines)
        let tree = difference.tree
        let names = tree.frames.map { Folded.name(of: $0, isPlain: isPlain) }
        var path: [UInt8] = []
        var ends: [Int] = []
        var lines: [Line] = []
        for (index, node) in tree.nodes.enumerated().dropFirst() {
            let depth = Int(node.depth) - 1
            ends.removeLast(ends.count - depth)
            path.removeLast(path.count - (ends.last ?? 0))
            if depth > 0 { path.append(0x3B) }
            path.append(contentsOf: names[Int(node.frame)])
            ends.append(path.count)
            let (before, after) = (difference.base[index], difference.against[index])
            let values =
                chosen == .samples
                ? (before.selfSamples, after.selfSamples) : (before.selfValue, after.selfValue)
            if values.0 > 0 || values.1 > 0 { lines.append(Line(stack: path, before: values.0, after: values.1)) }
        }
        lines.sort { $0.stack.lexicographicallyPrecedes($1.stack) }
        var texts: [[UInt8]] = []
        var index = 0
        while index < lines.count {
            var line = lines[index]
            index += 1
            while index < lines.count, lines[index].stack == line.stack {
                line.before &+= lines[index].before
                line.after &+= lines[index].after
                index += 1
            }
            let numbers = [line.before, line.after].map { String(($0 &+ divisor / 2) / divisor) }
            texts.append(line.stack + Array(" \(numbers[0]) \(numbers[1])\n".utf8))
        }
        // As `sort` would: the space behind a stack counts.
        texts.sort { $0.lexicographicallyPrecedes($1) }
        bytes = texts.flatMap { $0 }
    }

    private struct Line {
        var stack: [UInt8]
        var before: UInt64
        var after: UInt64
    }
}
