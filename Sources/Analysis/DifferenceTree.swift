/// The call tree of two sides together, with what each side weighs at each node.
public struct DifferenceTree: Sendable {
    /// One side at one node.
    public struct Values: Hashable, Sendable {
        public var selfValue: UInt64 = 0
        public var totalValue: UInt64 = 0
        public var selfSamples: UInt64 = 0
        public var totalSamples: UInt64 = 0
    }

    /// Of the samples of both sides.
    public let tree: CallTree
    /// By node of the tree.
    public let base: [Values]
    public let against: [Values]
    /// By node of the samples' trie, its node in the tree.
    let place: [UInt32]

    public init(_ pair: ProfilePair, withThreads: Bool = false, byLine: Bool = false) {
        let (tree, place) = pair.both.placedCallTree(withThreads: withThreads, byLine: byLine)
        self.tree = tree
        self.place = place
        base = Self.values(pair.base, tree, place)
        against = Self.values(pair.against, tree, place)
    }

    private static func values(_ profile: NamedProfile, _ tree: CallTree, _ place: [UInt32]) -> [Values] {
        var values = [Values](repeating: Values(), count: tree.nodes.count)
        for node in place.indices {
            values[Int(place[node])].selfValue &+= profile.selfValue[node]
            values[Int(place[node])].selfSamples &+= profile.selfSamples[node]
        }
        for node in values.indices {
            values[node].totalValue = values[node].selfValue
            values[node].totalSamples = values[node].selfSamples
        }
        // Preorder: a node's parent stands before it.
        for node in values.indices.dropFirst().reversed() {
            let parent = Int(tree.nodes[node].parent)
            values[parent].totalValue &+= values[node].totalValue
            values[parent].totalSamples &+= values[node].totalSamples
        }
        return values
    }
}

extension ProfilePair {
    /// Samples for CPU time at one rate on both sides, else the type's unit.
    public var naturalMeasure: Measure { both.naturalMeasure }
    public var mixesRates: Bool { both.mixesRates }
}
