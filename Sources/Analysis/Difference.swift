import Glibc
public import Profiles

/// A change with its 95 % interval.
public struct Change: Hashable, Sendable {
    public var value: Double
    public var low: Double
    public var high: Double

    /// What is sure of it: the bound that is nearer to 0, and 0 where the interval holds it.
    public var sure: Double { low > 0 ? low : high < 0 ? high : 0 }
}

/// What may be said of a function's change.
public enum Movement: String, Hashable, Sendable, CaseIterable {
    case grew, shrank
    /// Its share changed beyond chance because others moved; its own cores (or weight per unit of work) did not.
    case shareOnly
    case withinNoise
}

/// What orders the rows of a difference.
public enum DifferenceOrder: String, Hashable, Sendable, CaseIterable {
    /// Changes beyond chance first, each group by how much of the change is sure, then by size.
    case evidence
    /// By the size of the change in share.
    case size
}

/// What was done on either side, in units of a counter of the asker's: requests, jobs, bytes.
public struct WorkDone: Hashable, Sendable {
    /// More than 0, as is `against`.
    public var base: Double
    public var against: Double

    public init(base: Double, against: Double) {
        self.base = base
        self.against = against
    }
}

public struct DifferenceOptions: Hashable, Sendable {
    /// Whether self or total values are compared.
    public var sort: RankingOrder
    public var order: DifferenceOrder
    public var limit: Int
    /// The rate of false discoveries that is accepted.
    public var falseDiscoveryRate: Double
    /// Change of a row, as a part of its share, for which it is told how much more would be needed to see it.
    public var relativeChange: Double
    public var work: WorkDone?

    public init(
        sort: RankingOrder = .total, order: DifferenceOrder = .evidence, limit: Int = 20,
        falseDiscoveryRate: Double = 0.05, relativeChange: Double = 0.1, work: WorkDone? = nil
    ) {
        self.work = work
        self.sort = sort
        self.order = order
        self.limit = limit
        self.falseDiscoveryRate = falseDiscoveryRate
        self.relativeChange = relativeChange
    }
}

/// A function's rate on both sides.
public struct Rates: Hashable, Sendable {
    public var base: Double
    public var against: Double
    public var delta: Change
    public var qValue: Double
}

/// One function on both sides.
public struct DifferenceRow: Hashable, Sendable {
    public var name: String
    /// Empty where unknown, as is `module`.
    public var file: String
    /// From 1; 0 where unknown.
    public var line: UInt32
    public var module: String
    public var kind: NamedFrame.Kind?
    public var baseShare: Double
    public var againstShare: Double
    public var delta: Change
    /// Cores per host, or the type's unit per unit of work where that was counted; nil where the type is no CPU time and
    /// nothing was counted.
    public var rates: Rates?
    public var pValue: Double
    /// The smallest rate of false discoveries at which the change in share is one; 1 where too little was seen.
    public var qValue: Double
    public var isSignificant: Bool
    /// Whether enough was seen for any difference to be significant.
    public var isTested: Bool
    public var movement: Movement
    public var power: Power?
}

/// Two profiles, function by function: what changed beyond chance.
///
/// Hosts are the unit of chance, not samples. On either side a function's share is the ratio of sums R = Σx / Σn over
/// hosts; hosts on both sides are pairs, whose errors are subtracted before they are squared. The statistic Δ / √V is held
/// against Student's t with Satterthwaite's degrees of freedom, and the p-value is never smaller than what counting
/// samples could give (`CountTest`), so that few samples alarm nobody. Where a side has one host, blocks of its time take
/// the place of hosts.
public struct Difference: Sendable {
    public var basis: IntervalBasis
    /// Hosts (or blocks of time) on both sides.
    public var pairedUnits: Int
    /// The first rows.
    public var rows: [DifferenceRow]
    /// Rows there were before the limit, of which so many were seen often enough to be tested, and so many changed.
    public var rowCount: Int
    public var testedCount: Int
    public var significantCount: Int
    /// How much more would be needed to see a change of one point of share in any of the rows tested; nil without such.
    public var onePoint: Power?

    public init(_ pair: ProfilePair, options: DifferenceOptions = DifferenceOptions()) {
        var groups = RankedGroups(pair.both, by: .function)
        rowCount = groups.order(by: options.sort, limit: Int.max)
        let comparison = Comparison(pair, groups: groups, sort: options.sort, work: options.work)
        basis = comparison.units.basis
        pairedUnits = comparison.units.pairCount
        let verdicts = Verdicts(comparison, rate: options.falseDiscoveryRate)
        testedCount = verdicts.shares.testedCount
        let significant = verdicts.shares.qValues.map { $0 <= options.falseDiscoveryRate }
        significantCount = significant.reduce(0) { $0 + ($1 ? 1 : 0) }

        var critical = CriticalValues()
        var order = Array(groups.chosen.indices)
        let deltas = order.map { comparison.shares.delta($0) }
        switch options.order {
        case .size:
            order.sort { abs(deltas[$0]) != abs(deltas[$1]) ? abs(deltas[$0]) > abs(deltas[$1]) : $0 < $1 }
        case .evidence:
            let sure = order.map { row in
                significant[row] ? abs(comparison.shares.change(of: row, &critical).sure) : 0
            }
            order.sort { left, right in
                if significant[left] != significant[right] { return significant[left] }
                if sure[left] != sure[right] { return sure[left] > sure[right] }
                let (one, other) = (abs(deltas[left]), abs(deltas[right]))
                return one != other ? one > other : left < right
            }
        }
        let lines = groups.heaviestLines(of: pair.both, by: options.sort)
        let level = options.falseDiscoveryRate * Double(max(1, significantCount)) / Double(max(1, testedCount))
        func power(_ row: Int, size: Double) -> Power {
            Power(
                toSee: size, variance: comparison.shares.variance(of: row),
                ofSamples: comparison.shares.countVariance(of: row), comparison.units,
                samples: pair.both.sampleCount, level: level, &critical)
        }
        onePoint = nil
        for row in groups.chosen.indices where verdicts.shares.isTested[row] {
            let needed = power(row, size: 0.01)
            if needed.times > onePoint?.times ?? 0 { onePoint = needed }
        }
        rows = []
        rows.reserveCapacity(min(order.count, max(0, options.limit)))
        for row in order.prefix(max(0, options.limit)) {
            let label = groups.labels[groups.chosen[row]]
            let (baseShare, againstShare) = comparison.shares.ratios(row)
            let rates = comparison.rates.map { compared in
                let (before, after) = compared.ratios(row)
                return Rates(
                    base: before, against: after, delta: compared.change(of: row, &critical),
                    qValue: verdicts.rates?.qValues[row] ?? 1)
            }
            rows.append(
                DifferenceRow(
                    name: label.name, file: label.file, line: lines[row], module: label.module, kind: label.kind,
                    baseShare: baseShare, againstShare: againstShare,
                    delta: comparison.shares.change(of: row, &critical),
                    rates: rates,
                    pValue: verdicts.sharePValues[row], qValue: verdicts.shares.qValues[row],
                    isSignificant: significant[row], isTested: verdicts.shares.isTested[row],
                    movement: verdicts.movement(of: row, comparison, rate: options.falseDiscoveryRate),
                    power: verdicts.shares.isTested[row]
                        ? power(row, size: options.relativeChange * max(baseShare, againstShare)) : nil))
        }
    }
}

/// The two-sided 95 % quantiles of t and others, by whole degrees of freedom, rounded down.
struct CriticalValues {
    private var known: [Key: Double] = [:]

    private struct Key: Hashable {
        var degreesOfFreedom: Int
        var level: Double
    }

    /// - Parameter level: the probability outside, on both sides together.
    mutating func value(_ degreesOfFreedom: Double, level: Double = 0.05) -> Double {
        let whole = degreesOfFreedom >= 100_000 ? 100_000 : max(1, Int(degreesOfFreedom))
        let key = Key(degreesOfFreedom: whole, level: level)
        if let value = known[key] { return value }
        let value = StudentT.quantile(1 - level / 2, degreesOfFreedom: whole)
        known[key] = value
        return value
    }
}

/// The p-values of all rows, corrected for their number, for shares and for rates.
struct Verdicts {
    let sharePValues: [Double]
    let shares: FalseDiscovery
    let rates: FalseDiscovery?

    init(_ comparison: Comparison, rate: Double) {
        let rows = comparison.shares.base.ratios.indices
        sharePValues = rows.map { comparison.shares.pValue(of: $0) }
        let attainable = rows.map { comparison.shares.attainable($0) }
        shares = FalseDiscovery(pValues: sharePValues, attainable: attainable, rate: rate)
        rates = comparison.rates.map { rates in
            FalseDiscovery(
                pValues: rows.map { rates.pValue(of: $0) }, attainable: rows.map { rates.attainable($0) }, rate: rate)
        }
    }

    /// A share that changed while the rate went the other way or stood, or went by less than half as much and within chance,
    /// changed because others did.
    func movement(of row: Int, _ comparison: Comparison, rate: Double) -> Movement {
        guard shares.qValues[row] <= rate else { return .withinNoise }
        let (before, after) = comparison.shares.ratios(row)
        let moved: Movement = after > before ? .grew : .shrank
        guard let rates, let ratios = comparison.rates?.ratios(row), before > 0, after > 0, ratios.base > 0,
            ratios.against > 0
        else { return moved }
        let inShare = log(after / before)
        let inRates = log(ratios.against / ratios.base)
        if inShare * inRates <= 0 { return .shareOnly }
        return rates.qValues[row] > rate && abs(inRates) < abs(inShare) / 2 ? .shareOnly : moved
    }
}
