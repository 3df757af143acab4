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
    /// By node of the trie: whether no node above it belongs to the same group, so that recursion counts once per stack.
    private var isFirst: [Bool] = []

    private static let none = UInt32.max

    private enum Membership {
        /// By node of the trie, its group or `none`; without callers self equals total.
        case nodes([UInt32], hasCallers: Bool)
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
            let trie = profile.trie
            var groups: [UInt32] = []
            groups.reserveCapacity(profile.frames.count)
            let files = dimension == .function ? FunctionFiles(profile.frames) : nil
            for (number, frame) in profile.frames.enumerated() {
                var label = Self.label(of: frame, by: dimension)
                if let files { label?.file = files.file(of: number) }
                groups.append(label.map { group($0) } ?? Self.none)
            }
            var nodes = [UInt32](repeating: Self.none, count: trie.count)
            for node in nodes.indices.dropFirst() { nodes[node] = groups[Int(trie.frame[node])] }
            membership = .nodes(nodes, hasCallers: dimension != .process && dimension != .thread)
        case .host:
            membership = .hosts(Host.distinctNames(profile.hosts).map { group(Label(name: $0)) })
        case .service:
            membership = .keys(profile.keys.map { group(Label(name: $0.service)) })
        case .version:
            membership = .keys(
                profile.keys.map { group(Label(name: $0.version.isEmpty ? Dimension.missing : $0.version)) })
        case .label(let name):
            membership = .keys(
                profile.keys.map { key in
                    group(Label(name: key.labels.first { $0.name == name }?.value ?? Dimension.missing))
                })
        }
        self.labels = labels
        addUp(profile)
    }

    /// Rows are the frames above or below each call of the functions; a node of the trie belongs to a row where it is
    /// the called side of such a call.
    init(_ profile: NamedProfile, _ relation: CallRelation, of functions: Set<String>) {
        let trie = profile.trie
        let files = FunctionFiles(profile.frames)
        var index: [Label: UInt32] = [:]
        var labels: [Label] = []
        let isFunction = profile.frames.map { Self.isCode($0) && functions.contains($0.name) }
        // One more for what has no caller.
        var groups = [UInt32](repeating: Self.none, count: profile.frames.count + 1)
        func group(ofFrame frame: Int?) -> UInt32 {
            let place = frame ?? profile.frames.count
            if groups[place] != Self.none { return groups[place] }
            var key = Label(name: Dimension.missing)
            if let frame {
                let named = profile.frames[frame]
                key = Label(name: named.name, file: files.file(of: frame), module: named.module)
            }
            let number = index[key] ?? UInt32(labels.count)
            if index.updateValue(number, forKey: key) == nil {
                key.kind = frame.map { profile.frames[$0].kind }
                labels.append(key)
            }
            groups[place] = number
            return number
        }
        var nodes = [UInt32](repeating: Self.none, count: trie.count)
        for node in nodes.indices.dropFirst() {
            let parent = Int(trie.parent[node])
            let frame = Int(trie.frame[node])
            let above = parent == 0 ? nil : Int(trie.frame[parent])
            switch relation {
            case .callers where isFunction[frame]:
                let isCall = above.map { ![.process, .thread].contains(profile.frames[$0].kind) } ?? false
                nodes[node] = group(ofFrame: isCall ? above : nil)
            case .callees where above.map { isFunction[$0] } ?? false: nodes[node] = group(ofFrame: frame)
            case .callers, .callees: break
            }
        }
        membership = .nodes(nodes, hasCallers: true)
        self.labels = labels
        addUp(profile)
    }

    /// Whether each host is of one row, or each row of one host, so that drawing hosts would be drawing the rows.
    func areNestedInHosts(_ profile: NamedProfile) -> Bool {
        guard case .keys(let groups) = membership, labels.count > 1 else { return false }
        var rowsOfHost: [Host: Set<UInt32>] = [:]
        var hostsOfRow: [UInt32: Set<Host>] = [:]
        for slice in profile.slices where !slice.stacks.nodes.isEmpty {
            let (host, row) = (profile.hosts[Int(slice.host)], groups[Int(slice.key)])
            rowsOfHost[host, default: []].insert(row)
            if labels[Int(row)].name != Dimension.missing { hostsOfRow[row, default: []].insert(host) }
        }
        return rowsOfHost.values.allSatisfy { $0.count == 1 } || hostsOfRow.values.allSatisfy { $0.count == 1 }
    }

    /// Keeps the `limit` heaviest groups that weigh anything; the answer is how many there were.
    mutating func order(by sort: RankingOrder, limit: Int) -> Int {
        let weighty = labels.indices.filter { total[$0] > 0 }
        let sorted = weighty.sorted { left, right in
            let (one, other) = sort == .self ? (own[left], own[right]) : (total[left], total[right])
            if one != other { return one > other }
            let (second, third) = sort == .self ? (total[left], total[right]) : (own[left], own[right])
            if second != third { return second > third }
            let (a, b) = (labels[left], labels[right])
            return (a.name, a.module, a.file, a.line) < (b.name, b.module, b.file, b.line)
        }
        chosen = Array(sorted.prefix(limit))
        return weighty.count
    }

    /// Keeps the groups of these rows, in their order. All must be of a ranking by function of the same samples.
    mutating func choose(_ rows: [DifferenceRow]) {
        var places: [Label: Int] = [:]
        for (index, label) in labels.enumerated() {
            places[Label(name: label.name, file: label.file, module: label.module)] = index
        }
        chosen = rows.compactMap { places[Label(name: $0.name, file: $0.file, module: $0.module)] }
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
        var accumulator = accumulator(of: profile)
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

    /// For each chosen row the line that most of it fell on: of its self or total value, and where that tells nothing, of
    /// the other; the first of equal ones, 0 where no line is known. Recursion counts by the outermost call's line.
    func heaviestLines(of profile: NamedProfile, by sort: RankingOrder) -> [UInt32] {
        guard case .nodes(let groups, _) = membership else { return chosen.map { _ in 0 } }
        let trie = profile.trie
        let subtree = trie.subtreeSums(profile.selfValue)
        var frameOwn = [UInt64](repeating: 0, count: profile.frames.count)
        var frameTotal = frameOwn
        var groupOfFrame = [UInt32](repeating: Self.none, count: profile.frames.count)
        for node in subtree.indices.dropFirst() {
            let frame = Int(trie.frame[node])
            groupOfFrame[frame] = groups[node]
            frameOwn[frame] &+= profile.selfValue[node]
            if isFirst[node] { frameTotal[frame] &+= subtree[node] }
        }
        var rowOfGroup: [UInt32: Int] = [:]
        for (row, group) in chosen.enumerated() { rowOfGroup[UInt32(group)] = row }
        // An inlined and an out-of-line copy of a function are two frames with one line.
        var byLine: [RowLine: (first: UInt64, second: UInt64)] = [:]
        for (index, frame) in profile.frames.enumerated() where frame.line > 0 && groupOfFrame[index] != Self.none {
            guard let row = rowOfGroup[groupOfFrame[index]] else { continue }
            var sums = byLine[RowLine(row: row, line: frame.line)] ?? (0, 0)
            sums.first &+= sort == .self ? frameOwn[index] : frameTotal[index]
            sums.second &+= sort == .self ? frameTotal[index] : frameOwn[index]
            byLine[RowLine(row: row, line: frame.line)] = sums
        }
        var lines = [UInt32](repeating: 0, count: chosen.count)
        var best = [(first: UInt64, second: UInt64)](repeating: (0, 0), count: chosen.count)
        for (place, sums) in byLine {
            let known = best[place.row]
            if lines[place.row] == 0 || sums > known || (sums == known && place.line < lines[place.row]) {
                best[place.row] = sums
                lines[place.row] = place.line
            }
        }
        return lines
    }

    private struct RowLine: Hashable {
        var row: Int
        var line: UInt32
    }

    private static func label(of frame: NamedFrame, by dimension: Dimension) -> Label? {
        let isCode = isCode(frame)
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
        case .host, .service, .version, .label: return nil
        }
    }

    private static func isCode(_ frame: NamedFrame) -> Bool { ![.process, .thread, .marker].contains(frame.kind) }

    private mutating func addUp(_ profile: NamedProfile) {
        if case .nodes(let groups, _) = membership {
            isFirst = Self.firstOccurrences(profile.trie, groups: groups, groupCount: labels.count)
        }
        (own, total) = sums(profile)
    }

    /// Values of the chosen rows in a profile under the same names: the one that was ranked or a part of it.
    func values(of profile: NamedProfile, by sort: RankingOrder) -> [Double] {
        let (own, total) = sums(profile)
        return chosen.map { Double(sort == .self ? own[$0] : total[$0]) }
    }

    private func sums(_ profile: NamedProfile) -> (own: [UInt64], total: [UInt64]) {
        var own = [UInt64](repeating: 0, count: labels.count)
        switch membership {
        case .nodes(let groups, let hasCallers):
            var total = own
            let subtree = profile.trie.subtreeSums(profile.selfValue)
            for node in subtree.indices.dropFirst() {
                let group = groups[node]
                guard group != Self.none else { continue }
                own[Int(group)] &+= profile.selfValue[node]
                if isFirst[node] { total[Int(group)] &+= subtree[node] }
            }
            return (hasCallers ? own : total, total)
        case .hosts(let groups):
            for slice in profile.slices { own[Int(groups[Int(slice.host)])] &+= profile.shownWeight(slice.stacks) }
        case .keys(let groups):
            for slice in profile.slices { own[Int(groups[Int(slice.key)])] &+= profile.shownWeight(slice.stacks) }
        }
        return (own, own)
    }

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
            let group = groups[node]
            if group != none && !open[Int(group)] {
                open[Int(group)] = true
                isFirst[node] = true
            }
            if firstChild[node] != 0 {
                node = Int(firstChild[node])
                continue
            }
            while node != 0 {
                if isFirst[node] { open[Int(groups[node])] = false }
                if sibling[node] != 0 {
                    node = Int(sibling[node])
                    break
                }
                node = Int(trie.parent[node])
            }
        }
        return isFirst
    }

    /// Adds up slices of the profile by chosen row.
    func accumulator(of profile: NamedProfile) -> UnitAccumulator {
        UnitAccumulator(profile, membership: rowMembership(profile), rows: chosen.count)
    }

    /// The chosen rows alone, in the shape that a pass over the slices needs.
    private func rowMembership(_ profile: NamedProfile) -> UnitAccumulator.Membership {
        var rowOfGroup = [UInt32](repeating: Self.none, count: labels.count)
        for (row, group) in chosen.enumerated() { rowOfGroup[group] = UInt32(row) }
        func rows(_ groups: [UInt32]) -> [UInt32] { groups.map { $0 == Self.none ? Self.none : rowOfGroup[Int($0)] } }
        switch membership {
        case .hosts(let groups): return .hosts(rows(groups))
        case .keys(let groups): return .keys(rows(groups))
        case .nodes(let groups, let hasCallers):
            let trie = profile.trie
            let rowOfNode = rows(groups)
            // Stacks that hold the same rows in the same order have one signature, so that a pass over the entries adds
            // to one place for each, wherever the stacks differ otherwise.
            var signatures = NamedTrie()
            var signature = [UInt32](repeating: 0, count: trie.count)
            for node in signature.indices.dropFirst() {
                let above = signature[Int(trie.parent[node])]
                let row = rowOfNode[node]
                signature[node] =
                    row != Self.none && isFirst[node] ? signatures.intern(parent: above, frame: row) : above
            }
            let places = profile.namedNode.map { node -> UnitAccumulator.Place in
                UnitAccumulator.Place(
                    signature: signature[Int(node)], ownRow: hasCallers ? rowOfNode[Int(node)] : Self.none)
            }
            return .stacks(places, signatures: signatures, hasCallers: hasCallers)
        }
    }
}
