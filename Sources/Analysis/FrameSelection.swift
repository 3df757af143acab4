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
        var wanted: UInt64 = 0
        var unwanted: UInt64 = 0
        for (index, part) in parts.enumerated() {
            if part.isNegated { unwanted |= 1 << UInt64(index) } else { wanted |= 1 << UInt64(index) }
        }
        let held = bits(table, symbolizer: symbolizer) { name in
            var found: UInt64 = 0
            for (index, part) in parts.enumerated() where part.expression.matches(name) { found |= 1 << UInt64(index) }
            return found
        }
        return held.map { $0 & wanted == wanted && $0 & unwanted == 0 }
    }
}

/// For each node of a table the bits of all names in its stack; each name is asked for once. Processes and threads have
/// none.
private func bits(
    _ table: StackTable, symbolizer: some Symbolizer, of name: (String) -> UInt64
) -> [UInt64] {
    let naming = FrameNaming()
    var byName: [String: UInt64] = [:]
    let ofFrame = table.frames.map { frame -> UInt64 in
        if frame.kind == .process || frame.kind == .thread { return 0 }
        return naming.named(frame, of: table, symbolizer: symbolizer).reduce(0) { all, named in
            if let known = byName[named.name] { return all | known }
            let found = name(named.name)
            byName[named.name] = found
            return all | found
        }
    }
    var bits = [UInt64](repeating: 0, count: table.nodes.count)
    for index in bits.indices.dropFirst() {
        bits[index] = bits[Int(table.nodes[index].parent)] | ofFrame[Int(table.nodes[index].frame)]
    }
    return bits
}

/// The samples whose stacks hold a function of one of the names.
public func filter(
    _ samples: SampleSet, holding functions: Set<String>, symbolizer: some Symbolizer
) -> SampleSet {
    let held = bits(samples.stacks, symbolizer: symbolizer) { functions.contains($0) ? 1 : 0 }
    var filtered = samples
    filtered.keep(StackElements(samples.stacks).end) { held[$0] != 0 }
    return filtered
}

extension NamedProfile {
    /// The functions that `pattern` means: the one of exactly this name where there is one, else all whose names it
    /// matches as a regular expression.
    public func functions(_ pattern: String) throws(PatternError) -> Set<String> {
        let code = frames.filter { ![.process, .thread, .marker].contains($0.kind) }
        if code.contains(where: { $0.name == pattern }) { return [pattern] }
        let expression = try RegularExpression(pattern)
        return Set(code.map(\.name)).filter { expression.matches($0) }
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
