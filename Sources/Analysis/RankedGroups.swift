import Profiles

/// The things that a ranking ranks, with what each weighs: first for all samples, then, for the rows that will be shown,
/// by unit of chance.
struct RankedGroups {
    struct Label: Hashable {
        var name: String
        var file = ""
        var line: UInt32 = 0
        var module = ""
        var kind: NamedFrame.Kind?
    }

    private(set) var labels: [Label] = []
    /// By group.
    private(set) var own: [UInt64] = []
    private(set) var total: [UInt64] = []
    /// The rows to be shown, in order.
    private(set) var chosen: [Int] = []
    private let membership: Membership

    private static let none = UInt32.max

    private enum Membership {
        /// By frame of the profile, its group or `none`; `isLeafOnly` false where self equals total.
        case frames([UInt32], hasCallers: Bool)
        /// By index of a slice's host or key.
        case hosts([UInt32])
        case keys([UInt32])
    }

    init(_ profile: NamedProfile, by dimension: Dimension) {
        var index: [Label: UInt32] = [:]
        var labels: [Label] = []
        func group(_ label: Label) -> UInt32 {
            var key = label
            key.kind = nil
            if let known = index[key] { return known }
            let new = UInt32(labels.count)
            index[key] = new
            labels.append(label)
            return new
        }
        switch dimension {
        case .function, .line, .module, .process, .thread:
            let groups = profile.frames.map { frame in
                Self.label(of: frame, by: dimension).map { group($0) } ?? Self.none
            }
            membership = .frames(groups, hasCallers: dimension != .process && dimension != .thread)
        case .host:
            let names = profile.hosts.map(\.name)
            let repeated = Set(Dictionary(grouping: names) { $0 }.filter { $0.value.count > 1 }.keys)
            // Two agents that share a name stay two hosts, told apart by the beginning of the agent's identifier.
            membership = .hosts(
                profile.hosts.map { host in
                    group(
                        Label(
                            name: repeated.contains(host.name)
                                ? "\(host.name) (\(host.agent.description.prefix(8)))" : host.name))
                })
        case .service:
            membership = .keys(profile.keys.map { group(Label(name: $0.service)) })
        }
        self.labels = labels
        own = Array(repeating: 0, count: labels.count)
        total = own
        addUp(profile)
    }

    /// Keeps the `limit` heaviest groups that weigh anything; the answer is how many there were.
    mutating func order(by sort: RankingOrder, limit: Int) -> Int {
        let weighty = labels.indices.filter { total[$0] > 0 }
        let sorted = weighty.sorted { left, right in
            let (one, other) = sort == .self ? (own[left], own[right]) : (total[left], total[right])
            if one != other { return one > other }
            let (second, third) = sort == .self ? (total[left], total[right]) : (own[left], own[right])
            if second != third { return second > third }
            return (labels[left].name, labels[left].module) < (labels[right].name, labels[right].module)
        }
        chosen = Array(sorted.prefix(limit))
        return weighty.count
    }

    /// The shares of the chosen rows, by the ratio estimator over the units of chance.
    ///
    /// With x the row's weight and n the whole weight of a unit, R = Σx / Σn. The variance is the delete-one (jackknife)
    /// form of the linearised one: (k−1)/k · Σ ((x − R·n) / (N − n))², which for units of equal weight is the textbook's
    /// k/(k−1) · Σ (x − R·n)² / N² and does not shrink when one unit outweighs the others.
    func shares(of profile: NamedProfile, units: UnitsOfChance) -> [(own: Share, total: Share)] {
        let whole = Double(profile.totalValue)
        guard whole > 0 else {
            let unknown = Share(value: 0, low: 0, high: 1)
            return chosen.map { _ in (unknown, unknown) }
        }
        let ratios = chosen.map { (own: Double(own[$0]) / whole, total: Double(total[$0]) / whole) }
        guard let studentT = units.studentT else {
            return ratios.map { ratio in
                (
                    Share.wilson(ratio.own, effectiveSamples: profile.effectiveSamples),
                    Share.wilson(ratio.total, effectiveSamples: profile.effectiveSamples)
                )
            }
        }
        var sums = [(own: Double, total: Double)](repeating: (0, 0), count: chosen.count)
        var accumulator = UnitAccumulator(profile, membership: rowMembership(profile), rows: chosen.count)
        for slices in units.slices {
            let weight = Double(accumulator.addUp(slices))
            let others = whole - weight
            for row in chosen.indices {
                guard others > 0 else { continue }
                let ownError = (Double(accumulator.own[row]) - ratios[row].own * weight) / others
                let totalError = (Double(accumulator.total[row]) - ratios[row].total * weight) / others
                sums[row].own += ownError * ownError
                sums[row].total += totalError * totalError
            }
        }
        let factor = Double(units.slices.count - 1) / Double(units.slices.count)
        return chosen.indices.map { row in
            (
                Share.clustered(
                    ratios[row].own, variance: factor * sums[row].own, studentT: studentT,
                    effectiveSamples: profile.effectiveSamples),
                Share.clustered(
                    ratios[row].total, variance: factor * sums[row].total, studentT: studentT,
                    effectiveSamples: profile.effectiveSamples)
            )
        }
    }

    private static func label(of frame: NamedFrame, by dimension: Dimension) -> Label? {
        let isCode = ![.process, .thread, .marker].contains(frame.kind)
        switch dimension {
        case .function:
            return isCode ? Label(name: frame.name, file: frame.file, module: frame.module, kind: frame.kind) : nil
        case .line:
            guard isCode, frame.line > 0, !frame.file.isEmpty else { return nil }
            return Label(
                name: frame.name, file: frame.file, line: frame.line, module: frame.module, kind: frame.kind)
        case .module:
            guard isCode else { return nil }
            if !frame.module.isEmpty { return Label(name: frame.module) }
            switch frame.kind {
            case .kernel: return Label(name: Module.kernel.name)
            case .jit: return Label(name: "[jit]")
            case .interpreted: return Label(name: frame.file.isEmpty ? "[interpreted]" : frame.file)
            default: return Label(name: "[unknown]")
            }
        case .process: return frame.kind == .process ? Label(name: frame.name) : nil
        case .thread: return frame.kind == .thread ? Label(name: frame.name) : nil
        case .host, .service: return nil
        }
    }

    private mutating func addUp(_ profile: NamedProfile) {
        switch membership {
        case .frames(let groups, let hasCallers):
            let trie = profile.trie
            var subtree = profile.selfValue
            for node in subtree.indices.dropFirst().reversed() {
                subtree[Int(trie.parent[node])] &+= subtree[node]
            }
            let isFirst = Self.firstOccurrences(trie, groups: groups, groupCount: labels.count)
            for node in subtree.indices.dropFirst() {
                let group = groups[Int(trie.frame[node])]
                guard group != Self.none else { continue }
                own[Int(group)] &+= profile.selfValue[node]
                if isFirst[node] { total[Int(group)] &+= subtree[node] }
            }
            if !hasCallers { own = total }
        case .hosts(let groups):
            for slice in profile.slices { own[Int(groups[Int(slice.host)])] &+= slice.stacks.totalWeight }
            total = own
        case .keys(let groups):
            for slice in profile.slices { own[Int(groups[Int(slice.key)])] &+= slice.stacks.totalWeight }
            total = own
        }
    }

    /// By node: whether no node above it belongs to the same group, so that recursion counts once per stack.
    private static func firstOccurrences(_ trie: NamedTrie, groups: [UInt32], groupCount: Int) -> [Bool] {
        let count = trie.count
        var firstChild = [UInt32](repeating: 0, count: count)
        var sibling = firstChild
        for node in (1..<max(1, count)).reversed() {
            let parent = Int(trie.parent[node])
            sibling[node] = firstChild[parent]
            firstChild[parent] = UInt32(node)
        }
        var isFirst = [Bool](repeating: false, count: count)
        var open = [Bool](repeating: false, count: groupCount)
        // Down to the first child, else to the next sibling, else up; a group is open while its first node is above.
        var node = Int(firstChild[0])
        while node != 0 {
            let group = groups[Int(trie.frame[node])]
            if group != none && !open[Int(group)] {
                open[Int(group)] = true
                isFirst[node] = true
            }
            if firstChild[node] != 0 {
                node = Int(firstChild[node])
                continue
            }
            while node != 0 {
                if isFirst[node] { open[Int(groups[Int(trie.frame[node])])] = false }
                if sibling[node] != 0 {
                    node = Int(sibling[node])
                    break
                }
                node = Int(trie.parent[node])
            }
        }
        return isFirst
    }

    /// The chosen rows alone, in the shape that a pass over the slices needs.
    private func rowMembership(_ profile: NamedProfile) -> UnitAccumulator.Membership {
        var rowOfGroup = [UInt32](repeating: Self.none, count: labels.count)
        for (row, group) in chosen.enumerated() { rowOfGroup[group] = UInt32(row) }
        func rows(_ groups: [UInt32]) -> [UInt32] { groups.map { $0 == Self.none ? Self.none : rowOfGroup[Int($0)] } }
        switch membership {
        case .hosts(let groups): return .hosts(rows(groups))
        case .keys(let groups): return .keys(rows(groups))
        case .frames(let groups, let hasCallers):
            let trie = profile.trie
            let rowOfFrame = rows(groups)
            let isFirst = Self.firstOccurrences(trie, groups: rowOfFrame, groupCount: chosen.count)
            // By node: the node itself or the nearest one above that begins a row; a walk along these links visits each
            // row of a stack once and skips everything else.
            var link = [UInt32](repeating: 0, count: trie.count)
            var rowOfNode = [UInt32](repeating: Self.none, count: trie.count)
            for node in link.indices.dropFirst() {
                rowOfNode[node] = rowOfFrame[Int(trie.frame[node])]
                link[node] = isFirst[node] ? UInt32(node) : link[Int(trie.parent[node])]
            }
            return .nodes(rowOfNode, link: link, hasCallers: hasCallers)
        }
    }
}

/// Adds up the slices of one unit of chance by row.
struct UnitAccumulator {
    enum Membership {
        case nodes([UInt32], link: [UInt32], hasCallers: Bool)
        case hosts([UInt32])
        case keys([UInt32])
    }

    private(set) var own: [UInt64]
    private(set) var total: [UInt64]
    private let profile: NamedProfile
    private let membership: Membership

    init(_ profile: NamedProfile, membership: Membership, rows: Int) {
        self.profile = profile
        self.membership = membership
        own = Array(repeating: 0, count: rows)
        total = own
    }

    /// Forgets the unit before; the answer is the whole weight of this one.
    mutating func addUp(_ slices: [Int]) -> UInt64 {
        for row in own.indices {
            own[row] = 0
            total[row] = 0
        }
        var whole: UInt64 = 0
        for index in slices {
            let slice = profile.slices[index]
            switch membership {
            case .hosts(let rows): whole &+= add(slice.stacks.totalWeight, to: rows[Int(slice.host)])
            case .keys(let rows): whole &+= add(slice.stacks.totalWeight, to: rows[Int(slice.key)])
            case .nodes(let rows, let link, let hasCallers):
                let namedNode = profile.namedNode
                let parent = profile.trie.parent
                for entry in slice.stacks.nodes.indices {
                    let weight = slice.stacks.weights[entry]
                    whole &+= weight
                    let node = Int(namedNode[Int(slice.stacks.nodes[entry])])
                    if hasCallers && rows[node] != UInt32.max { own[Int(rows[node])] &+= weight }
                    var above = Int(link[node])
                    while above != 0 {
                        total[Int(rows[above])] &+= weight
                        above = Int(link[Int(parent[above])])
                    }
                }
                if !hasCallers { own = total }
            }
        }
        return whole
    }

    private mutating func add(_ weight: UInt64, to row: UInt32) -> UInt64 {
        if row != UInt32.max {
            own[Int(row)] &+= weight
            total[Int(row)] &+= weight
        }
        return weight
    }
}
