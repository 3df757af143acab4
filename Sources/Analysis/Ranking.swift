public import Profiles

/// What the rows of a ranking are.
public enum Dimension: String, Hashable, Sendable, CaseIterable {
    case function, line, module, process, thread, host, service
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
    /// The heaviest functions (or other things) of the profile, each share with a 95 % interval. Rows of process, thread,
    /// host and service have no callers, so self and total are the same there.
    ///
    /// Functions are told apart by name, module and source file, whether they are inlined or not; lines by function, file
    /// and line, inlined functions' lines too.
    ///
    /// For a ranking by host the unit of chance is a block of time: the hosts in it are given, not drawn.
    public func ranking(by dimension: Dimension, sort: RankingOrder = .self, limit: Int = 20) -> Ranking {
        var groups = RankedGroups(self, by: dimension)
        let rowCount = groups.order(by: sort, limit: max(0, limit))
        let units = UnitsOfChance(slices: slices, hosts: hosts, overHosts: dimension != .host)
        let shares = groups.shares(of: self, units: units)
        let lines = dimension == .function ? groups.heaviestLines(of: self, by: sort) : []
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
