public import Profiles

/// What the rows of a ranking are.
public enum Dimension: Hashable, Sendable, CaseIterable {
    case function, line, module, process, thread, host, service, version
    /// By the value of the label of this name.
    case label(String)

    /// A container is the label of that name.
    public static let container = Dimension.label("container")
    /// All but other labels.
    public static let allCases: [Dimension] = [
        .function, .line, .module, .process, .thread, .host, .service, .version, .container,
    ]
    /// As users type them.
    public static let words = allCases.map(\.word) + ["label:NAME"]

    /// As users type it; nil where there is no such thing.
    public init?(_ word: String) {
        if word.hasPrefix("label:"), word.utf8.count > 6 {
            self = .label(String(word.dropFirst(6)))
        } else if let known = Self.allCases.first(where: { $0.word == word }) {
            self = known
        } else {
            return nil
        }
    }

    public var word: String {
        switch self {
        case .function: "function"
        case .line: "line"
        case .module: "module"
        case .process: "process"
        case .thread: "thread"
        case .host: "host"
        case .service: "service"
        case .version: "version"
        case .label("container"): "container"
        case .label(let name): "label:\(name)"
        }
    }

    /// Whether rows are code, and not those who ran it.
    public var isCode: Bool { self == .function || self == .line || self == .module }

    /// Whether rows come from stacks, and not from whose they are.
    public var needsStacks: Bool {
        switch self {
        case .function, .line, .module, .process, .thread: true
        case .host, .service, .version, .label: false
        }
    }

    /// The row of samples without a version or label.
    public static let missing = "[none]"
}

/// Which side of a call a ranking shows.
public enum CallRelation: Hashable, Sendable {
    case callers, callees
}

/// What the rows are ordered by.
public enum RankingOrder: String, Hashable, Sendable, CaseIterable {
    case `self`, total
}

/// One row of a ranking, in the type's unit.
public struct RankedRow: Hashable, Sendable {
    public var name: String
    /// Empty where unknown or where the row is neither function nor line.
    public var file: String
    /// From 1; 0 where unknown or where the row is neither function nor line. For a function, the line of it that most
    /// of what rows are sorted by fell on.
    public var line: UInt32
    /// Empty where unknown or where the row is no function.
    public var module: String
    /// nil for rows that are no functions or lines.
    public var kind: NamedFrame.Kind?
    public var selfValue: UInt64
    /// Each stack counts once, however often the function stands in it.
    public var totalValue: UInt64
    /// The total as CPU seconds per second of the range; nil where that means nothing.
    public var cores: Double?
    public var selfShare: Share
    public var totalShare: Share
}

/// The heaviest rows of a profile, and what their intervals stand on.
public struct Ranking: Sendable {
    public var basis: IntervalBasis
    public var rows: [RankedRow]
    /// Rows there were before the limit.
    public var rowCount: Int
}

extension NamedProfile {
    /// The heaviest functions (or other things) of the profile, each share with a 95 % interval. Rows that are no code
    /// (process, thread, host, service, version, label) have no callers, so self and total are the same there.
    ///
    /// Functions are told apart by name, module and source file, whether they are inlined or not; lines by function, file
    /// and line, inlined functions' lines too.
    ///
    /// For a ranking by host the unit of chance is a block of time: the hosts in it are given, not drawn. So they are
    /// where rows are only another name for hosts or groups of them: each host has one service, version or value of a
    /// label, or each value has one host.
    public func ranking(by dimension: Dimension, sort: RankingOrder = .self, limit: Int = 20) -> Ranking {
        let groups = RankedGroups(self, by: dimension)
        return ranking(
            groups, overHosts: dimension != .host && !groups.areNestedInHosts(self),
            withLines: dimension == .function, sort: sort, limit: limit)
    }

    /// Who calls the functions of these names, or whom they call: self and total are those of the called function where
    /// it was called by that caller, each stack once. What stands at the root of a stack has `[none]` as its caller.
    ///
    /// Shares are of the whole profile; a profile of the stacks that hold the functions, `filter(_:holding:symbolizer:)`,
    /// makes them shares of these.
    public func ranking(
        _ relation: CallRelation, of functions: Set<String>, sort: RankingOrder = .total, limit: Int = 20
    ) -> Ranking {
        ranking(
            RankedGroups(self, relation, of: functions), overHosts: true, withLines: false, sort: sort, limit: limit)
    }

    private func ranking(
        _ all: RankedGroups, overHosts: Bool, withLines: Bool, sort: RankingOrder, limit: Int
    ) -> Ranking {
        var groups = all
        let rowCount = groups.order(by: sort, limit: max(0, limit))
        let units = UnitsOfChance(slices: slices, hosts: hosts, overHosts: overHosts)
        let shares = groups.shares(of: self, units: units)
        let lines = withLines ? groups.heaviestLines(of: self, by: sort) : []
        let rows = groups.chosen.enumerated().map { index, group in
            let label = groups.labels[group]
            return RankedRow(
                name: label.name, file: label.file, line: lines.isEmpty ? label.line : lines[index],
                module: label.module, kind: label.kind,
                selfValue: groups.own[group], totalValue: groups.total[group], cores: cores(groups.total[group]),
                selfShare: shares[index].own, totalShare: shares[index].total)
        }
        return Ranking(basis: units.basis, rows: rows, rowCount: rowCount)
    }

    /// What the intervals of this profile's shares stand on.
    public var intervalBasis: IntervalBasis {
        UnitsOfChance(slices: slices, hosts: hosts, overHosts: true).basis
    }
}
