import Profiles

/// The rows of two profiles with all that tests and intervals need: ratios on both sides and the variance of their
/// difference, for shares of the whole and for a rate: weight per unit of work where that was counted, else cores per host
/// where weights are CPU time.
struct Comparison {
    let units: DifferenceUnits
    let shares: ComparedRatios
    let rates: ComparedRatios?

    /// The groups chosen of a ranking of both sides.
    init(_ pair: ProfilePair, groups: RankedGroups, sort: RankingOrder, work: WorkDone?) {
        var accumulator = groups.accumulator(of: pair.both)
        let totals = (groups.values(of: pair.base, by: sort), groups.values(of: pair.against, by: sort))
        self.init(pair, totals: totals, work: work) { slices in
            let whole = accumulator.addUp(slices)
            let sums = sort == .self ? accumulator.own : accumulator.total
            return (Double(whole), sums.map { Double($0) })
        }
    }

    /// - Parameters:
    ///   - totals: by row, its weight on either side.
    ///   - work: is spread over hosts, or blocks of time, as evenly as time is.
    ///   - addUp: the whole weight of some slices of `pair.both`, and that of each row.
    init(
        _ pair: ProfilePair, totals: (base: [Double], against: [Double]), work: WorkDone? = nil,
        addUp: ([Int]) -> (whole: Double, rows: [Double])
    ) {
        let units = DifferenceUnits(pair)
        self.units = units
        let (baseValues, againstValues) = totals

        let times = (base: HostTimes(pair, isBase: true), against: HostTimes(pair, isBase: false))
        let whole =
            work.map { ($0.base, $0.against) } ?? pair.hostTime ?? (times.base.nanoseconds, times.against.nanoseconds)
        func sides(_ base: Double, _ against: Double) -> (DifferenceVariance.Side, DifferenceVariance.Side) {
            (
                DifferenceVariance.Side(
                    ratios: baseValues.map { base > 0 ? $0 / base : 0 }, whole: base, units: units.baseCount),
                DifferenceVariance.Side(
                    ratios: againstValues.map { against > 0 ? $0 / against : 0 }, whole: against,
                    units: units.againstCount)
            )
        }
        let shareSides = sides(Double(pair.base.totalValue), Double(pair.against.totalValue))
        var shareVariance = DifferenceVariance(base: shareSides.0, against: shareSides.1)
        let hasRates = work != nil || pair.base.cores(1) != nil && pair.against.cores(1) != nil
        let rateSides = sides(whole.0, whole.1)
        var rateVariance = DifferenceVariance(base: rateSides.0, against: rateSides.1)
        let baseTimes = times.base.parts(units.units.map(\.base), pair.both, units.baseBasis, of: whole.0)
        let againstTimes = times.against.parts(
            units.units.map(\.against), pair.both, units.againstBasis, of: whole.1)
        let nothing = [Double](repeating: 0, count: baseValues.count)
        for (index, unit) in units.units.enumerated() {
            var weights: (Double?, Double?) = (nil, nil)
            var left = nothing
            var right = nothing
            if !unit.base.isEmpty { (weights.0, left) = addUp(unit.base) }
            if !unit.against.isEmpty { (weights.1, right) = addUp(unit.against) }
            shareVariance.add(base: left, weights.0, against: right, weights.1)
            guard hasRates else { continue }
            rateVariance.add(
                base: left, weights.0.map { _ in baseTimes[index] }, against: right,
                weights.1.map { _ in againstTimes[index] })
        }
        let samples = (pair.base.effectiveSamples, pair.against.effectiveSamples)
        shares = ComparedRatios(
            variance: shareVariance, units: units, samples: samples, wholes: (1, 1), exposures: samples)
        guard hasRates else {
            rates = nil
            return
        }
        func wholeRate(_ profile: NamedProfile, _ time: Double) -> Double {
            time > 0 ? Double(profile.totalValue) / time : 0
        }
        func exposure(_ profile: NamedProfile, _ time: Double) -> Double {
            profile.totalValue > 0 ? time * profile.effectiveSamples / Double(profile.totalValue) : 0
        }
        rates = ComparedRatios(
            variance: rateVariance, units: units, samples: samples,
            wholes: (wholeRate(pair.base, whole.0), wholeRate(pair.against, whole.1)),
            exposures: (exposure(pair.base, whole.0), exposure(pair.against, whole.1)))
    }
}

/// One kind of ratio (shares, or rates) of all rows on both sides.
struct ComparedRatios {
    private let variance: DifferenceVariance
    /// Effective samples of either side.
    private let samples: (base: Double, against: Double)
    /// The ratio of everything: 1 for shares.
    private let wholes: (base: Double, against: Double)
    /// What counts are proportional to where nothing differs.
    private let exposures: (base: Double, against: Double)
    private let isAlone: (base: Bool, against: Bool)
    private let isShare: Bool

    init(
        variance: DifferenceVariance, units: DifferenceUnits, samples: (Double, Double), wholes: (Double, Double),
        exposures: (Double, Double)
    ) {
        self.variance = variance
        self.samples = samples
        self.wholes = wholes
        self.exposures = exposures
        isAlone = (units.baseCount == 0, units.againstCount == 0)
        isShare = wholes == (1, 1)
    }

    var base: DifferenceVariance.Side { variance.base }

    func ratios(_ row: Int) -> (base: Double, against: Double) {
        (variance.base.ratios[row], variance.against.ratios[row])
    }

    func delta(_ row: Int) -> Double { variance.against.ratios[row] - variance.base.ratios[row] }

    private func shares(_ row: Int) -> (base: Double, against: Double) {
        let ratios = ratios(row)
        return (
            wholes.base > 0 ? ratios.base / wholes.base : 0, wholes.against > 0 ? ratios.against / wholes.against : 0
        )
    }

    /// What drawing samples adds to the variance on either side.
    private func countVariances(_ row: Int) -> (base: Double, against: Double) {
        func one(_ share: Double, _ whole: Double, _ samples: Double) -> Double {
            samples > 0 ? whole * whole * max(0, share * (1 - share)) / samples : 0
        }
        let shares = shares(row)
        return (one(shares.base, wholes.base, samples.base), one(shares.against, wholes.against, samples.against))
    }

    func countVariance(of row: Int) -> Double {
        let (base, against) = countVariances(row)
        return base + against
    }

    /// Between units, and at least that of drawing samples.
    func variance(of row: Int) -> (value: Double, degreesOfFreedom: Double) {
        let (base, against) = countVariances(row)
        let alone = (isAlone.base ? base : 0) + (isAlone.against ? against : 0)
        let between = variance.variance(of: row, alone: alone)
        return between.value >= base + against ? between : (base + against, between.degreesOfFreedom)
    }

    func pValue(of row: Int) -> Double {
        let delta = delta(row)
        if delta == 0 { return 1 }
        let (value, freedom) = variance(of: row)
        let between = value > 0 ? StudentT.twoSidedTail(delta / value.squareRoot(), degreesOfFreedom: freedom) : 0
        return max(between, countPValue(of: row))
    }

    private func countPValue(of row: Int) -> Double {
        let shares = shares(row)
        if isShare {
            return CountTest.pValue(
                share: shares.against, of: samples.against, against: shares.base, of: samples.base)
        }
        let all = exposures.base + exposures.against
        return CountTest.conditional(
            shares.against * samples.against, shares.base * samples.base,
            fraction: all > 0 ? exposures.against / all : 0)
    }

    /// From pooled counts alone.
    func attainable(_ row: Int) -> Double {
        let shares = shares(row)
        var count = shares.base * samples.base + shares.against * samples.against
        if isShare { count = min(count, max(0, samples.base + samples.against - count)) }
        let all = exposures.base + exposures.against
        return CountTest.attainable(count, fraction: all > 0 ? exposures.against / all : 0)
    }

    /// The difference ± t·√V, and nowhere narrower than Newcombe's interval (1998, method 10) from Wilson's on the samples.
    func change(of row: Int, _ critical: inout CriticalValues) -> Change {
        let delta = delta(row)
        let shares = shares(row)
        let before = Share.wilson(shares.base, effectiveSamples: samples.base)
        let after = Share.wilson(shares.against, effectiveSamples: samples.against)
        func reach(_ one: Double, _ other: Double) -> Double {
            let (left, right) = (one * wholes.against, other * wholes.base)
            return (left * left + right * right).squareRoot()
        }
        let (value, freedom) = variance(of: row)
        let between = critical.value(freedom) * value.squareRoot()
        return Change(
            value: delta,
            low: delta - max(between, reach(after.value - after.low, before.high - before.value)),
            high: delta + max(between, reach(after.high - after.value, before.value - before.low)))
    }
}
