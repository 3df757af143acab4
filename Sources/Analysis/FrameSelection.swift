public import Patterns
public import Profiles

/// The frames that a selection asks for: of each expression some frame's name has to match, or, where it is negated,
/// none. Processes and threads are no frames; markers of stacks that are not whole are.
public struct FrameSelection: Hashable, Sendable {
    private struct Part: Hashable {
        var expression: RegularExpression
        var isNegated: Bool
    }

    private let parts: [Part]

    /// Most expressions: each has a bit of a word.
    public static let most = 64

    public init(_ patterns: [NamePattern]) throws(PatternError) {
        if patterns.count > Self.most {
            throw PatternError(pattern: patterns[Self.most].glob, reason: "more than \(Self.most) expressions")
        }
        var parts: [Part] = []
        for pattern in patterns {
            parts.append(Part(expression: try RegularExpression(pattern.glob), isNegated: pattern.isNegated))
        }
        self.parts = parts
    }

    public var isEmpty: Bool { parts.isEmpty }

    /// By node, whether its stack holds what it should and nothing that it shouldn't.
    fileprivate func passes(_ table: StackTable, symbolizer: some Symbolizer) -> [Bool] {
        let naming = FrameNaming()
        var byName: [String: UInt64] = [:]
        // A bit for each part that some name of the frame matches.
        func bits(_ frame: Frame) -> UInt64 {
            if frame.kind == .process || frame.kind == .thread { return 0 }
            var all: UInt64 = 0
            for named in naming.named(frame, of: table, symbolizer: symbolizer) {
                if let known = byName[named.name] {
                    all |= known
                } else {
                    var found: UInt64 = 0
                    for (index, part) in parts.enumerated() where part.expression.matches(named.name) {
                        found |= 1 << UInt64(index)
                    }
                    byName[named.name] = found
                    all |= found
                }
            }
            return all
        }
        let ofFrame = table.frames.map(bits)
        let wanted = parts.enumerated().reduce(UInt64(0)) { $1.element.isNegated ? $0 : $0 | 1 << UInt64($1.offset) }
        let unwanted = parts.enumerated().reduce(UInt64(0)) { $1.element.isNegated ? $0 | 1 << UInt64($1.offset) : $0 }
        var seen = [UInt64](repeating: 0, count: table.nodes.count)
        for index in seen.indices.dropFirst() {
            seen[index] = seen[Int(table.nodes[index].parent)] | ofFrame[Int(table.nodes[index].frame)]
        }
        return seen.map { $0 & wanted == wanted && $0 & unwanted == 0 }
    }
}

/// The samples whose stacks hold the frames that a selection asks for. Each distinct frame is named once and each distinct
/// name matched once.
public func filter(
    _ samples: SampleSet, byFrames frames: FrameSelection, symbolizer: some Symbolizer
) -> SampleSet {
    guard !frames.isEmpty else { return samples }
    let passes = frames.passes(samples.stacks, symbolizer: symbolizer)
    var filtered = samples
    filtered.keep(StackElements(samples.stacks).end) { passes[$0] }
    return filtered
}
