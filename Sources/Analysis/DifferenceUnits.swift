import Profiles

/// The units of chance of two sides: hosts, those on both sides as pairs, or blocks of time where a side has one host.
struct DifferenceUnits {
    /// One host, or one block of time, with its slices on either side.
    struct Unit {
        var base: [Int] = []
        var against: [Int] = []
    }

    /// What the interval on the difference stands on: hosts only where both sides do.
    let basis: IntervalBasis
    private(set) var units: [Unit] = []
    /// What either side's units are.
    let baseBasis: IntervalBasis
    let againstBasis: IntervalBasis
    /// Units on either side; 0 where its samples stand alone.
    let baseCount: Int
    let againstCount: Int
    /// How many of the units are on both sides.
    private(set) var pairCount = 0

    /// Slices are numbered as in `pair.both`.
    init(_ pair: ProfilePair) {
        let base = UnitsOfChance(slices: pair.base.slices, hosts: pair.base.hosts, overHosts: true)
        let against = UnitsOfChance(slices: pair.against.slices, hosts: pair.against.hosts, overHosts: true)
        baseCount = base.basis.unitCount
        againstCount = against.basis.unitCount
        (baseBasis, againstBasis) = (base.basis, against.basis)
        basis = Self.weaker(base.basis, against.basis)
        let offset = pair.base.slices.count
        if baseCount > 0 { units = base.slices.map { Unit(base: $0) } }
        guard againstCount > 0 else { return }
        var unitOfHost: [Host: Int] = [:]
        if case .hosts = basis {
            for (index, slices) in base.slices.enumerated() {
                unitOfHost[pair.both.hosts[Int(pair.both.slices[slices[0]].host)]] = index
            }
        }
        for slices in against.slices {
            let moved = slices.map { $0 + offset }
            if let first = moved.first, let known = unitOfHost[pair.both.hosts[Int(pair.both.slices[first].host)]] {
                units[known].against = moved
                pairCount += 1
            } else {
                units.append(Unit(against: moved))
            }
        }
    }

    private static func weaker(_ one: IntervalBasis, _ other: IntervalBasis) -> IntervalBasis {
        switch (one, other) {
        case (.hosts(let count), .hosts(let second)): .hosts(min(count, second))
        case (.samples, _), (_, .samples): .samples
        case (.time(let count), .time(let second)): .time(blocks: min(count, second))
        case (.time, _): one
        case (_, .time): other
        }
    }
}

/// Sums of squared errors of a difference of two ratios, by row; units on both sides count with the difference of their
/// two errors, so that what a host always does falls out.
///
/// With x the row's weight and n the denominator of a unit (its whole weight, or its time), R = Σx / Σn on each side, and
/// the error of a unit is (x − R·n) / (N − n): the delete-one form, as in `RankedGroups.shares`.
struct DifferenceVariance {
    /// One side's part: the rows' ratios, the denominators' sum, the number of units.
    struct Side {
        var ratios: [Double]
        var whole: Double
        var units: Int

        /// What a unit's error is multiplied by.
        func scale(_ denominator: Double) -> Double {
            let others = whole - denominator
            guard others > 0, units >= 2 else { return 0 }
            return (Double(units - 1) / Double(units)).squareRoot() / others
        }
    }

    enum Stratum: Int {
        case base, against, both
    }

    let base: Side
    let against: Side
    /// The rows of each stratum end to end.
    private var squares: [Double]
    private var counts = [0, 0, 0]

    init(base: Side, against: Side) {
        self.base = base
        self.against = against
        squares = Array(repeating: 0, count: 3 * base.ratios.count)
    }

    /// Adds one unit; a side that it isn't on has no denominator.
    mutating func add(
        base values: [Double], _ denominator: Double?, against otherValues: [Double], _ otherDenominator: Double?
    ) {
        let stratum: Stratum = denominator == nil ? .against : otherDenominator == nil ? .base : .both
        counts[stratum.rawValue] += 1
        let left = base.scale(denominator ?? 0) * (denominator == nil ? 0 : 1)
        let right = against.scale(otherDenominator ?? 0) * (otherDenominator == nil ? 0 : 1)
        let (leftWhole, rightWhole) = (denominator ?? 0, otherDenominator ?? 0)
        let first = stratum.rawValue * values.count
        for row in values.indices {
            let error =
                right * (otherValues[row] - against.ratios[row] * rightWhole)
                - left * (values[row] - base.ratios[row] * leftWhole)
            squares[first + row] += error * error
        }
    }

    /// The variance of the row's difference with its degrees of freedom (Satterthwaite's over pairs and either side).
    ///
    /// - Parameter alone: what sides whose samples stand alone add to it.
    func variance(of row: Int, alone: Double) -> (value: Double, degreesOfFreedom: Double) {
        var sum = alone
        var weighted = 0.0
        for stratum in 0..<3 where counts[stratum] > 0 {
            let part = squares[stratum * base.ratios.count + row]
            sum += part
            weighted += part * part / Double(max(1, counts[stratum] - 1))
        }
        let freedom = sum * sum / weighted
        return (sum, weighted > 0 && freedom.isFinite ? freedom : .infinity)
    }
}
