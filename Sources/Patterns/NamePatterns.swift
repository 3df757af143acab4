/// Patterns for one kind of name: any of the positive ones must match, where there are some, and none of the negated
/// ones.
public struct NamePatterns: Hashable, Sendable {
    private let positive: [Glob]
    private let negative: [Glob]

    public init(positive: [Glob], negative: [Glob]) {
        self.positive = positive
        self.negative = negative
    }

    /// True where every name matches.
    public var isEmpty: Bool { positive.isEmpty && negative.isEmpty }

    public func matches(_ name: String) -> Bool {
        (positive.isEmpty || positive.contains { $0.matches(name) }) && !negative.contains { $0.matches(name) }
    }
}
