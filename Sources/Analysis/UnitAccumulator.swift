import Profiles

/// Adds up the slices of one unit of chance by row of a ranking.
struct UnitAccumulator {
    /// Where the samples of one stack belong.
    struct Place {
        /// The rows in the stack, as a node of the signatures' trie.
        var signature: UInt32
        /// The row of the leaf, or `UInt32.max`.
        var ownRow: UInt32
    }

    enum Membership {
        /// By node of the samples' table. A signature's frame is a row, its parent the rows above.
        case stacks([Place], signatures: NamedTrie, hasCallers: Bool)
        /// By index of a slice's host or key, its row or `UInt32.max`.
        case hosts([UInt32])
        case keys([UInt32])
    }

    /// By row, for the unit added up last.
    private(set) var own: [UInt64]
    private(set) var total: [UInt64]
    private let profile: NamedProfile
    private let slices: [SampleSlice]
    private let membership: Membership
    private var bySignature: [UInt64] = []
    private var touched: [UInt32] = []

    init(_ profile: NamedProfile, membership: Membership, rows: Int) {
        self.profile = profile
        slices = profile.slices
        self.membership = membership
        own = Array(repeating: 0, count: rows)
        total = own
        if case .stacks(_, let signatures, _) = membership {
            bySignature = Array(repeating: 0, count: signatures.count)
        }
    }

    /// Forgets the unit before; the answer is the whole weight of this one.
    mutating func addUp(_ indices: [Int]) -> UInt64 {
        for row in own.indices {
            own[row] = 0
            total[row] = 0
        }
        var whole: UInt64 = 0
        switch membership {
        case .hosts(let rows):
            for index in indices { whole &+= add(index, to: rows[Int(slices[index].host)]) }
        case .keys(let rows):
            for index in indices { whole &+= add(index, to: rows[Int(slices[index].key)]) }
        case .stacks(let places, let signatures, let hasCallers):
            for index in indices { whole &+= add(slices[index].stacks, by: places) }
            for signature in touched {
                var above = Int(signature)
                while above != 0 {
                    total[Int(signatures.frame[above])] &+= bySignature[Int(signature)]
                    above = Int(signatures.parent[above])
                }
                bySignature[Int(signature)] = 0
            }
            touched.removeAll(keepingCapacity: true)
            if !hasCallers { own = total }
        }
        return whole
    }

    private mutating func add(_ stacks: StackCounts, by places: [Place]) -> UInt64 {
        let nodes = stacks.nodes
        let weights = stacks.weights
        var whole: UInt64 = 0
        for entry in nodes.indices {
            let weight = weights[entry]
            let place = places[Int(nodes[entry])]
            whole &+= weight
            if place.ownRow != UInt32.max { own[Int(place.ownRow)] &+= weight }
            if place.signature != 0 && weight > 0 {
                if bySignature[Int(place.signature)] == 0 { touched.append(place.signature) }
                bySignature[Int(place.signature)] &+= weight
            }
        }
        return whole
    }

    private mutating func add(_ slice: Int, to row: UInt32) -> UInt64 {
        if row != UInt32.max {
            let weight = profile.shownWeight(slices[slice].stacks)
            own[Int(row)] &+= weight
            total[Int(row)] &+= weight
        }
        return slices[slice].stacks.totalWeight
    }
}
