/// Finds where a series of numbers changes its level.
///
/// Binary segmentation (Scott and Knott 1974): the split of a segment whose two means differ most, as CUSUM measures
/// it, is taken where that exceeds a bound, then both parts are looked at; a split that its neighbours no longer
/// support is taken back. The noise is estimated from the differences of neighbours and of neighbours' neighbours,
/// which a change of level hardly touches: what two steps have in common (load drifts, it does not jump) makes means less
/// certain, and is allowed for as in a process of first order.
enum ChangePoints {
    struct Level: Equatable {
        /// The first number of the level.
        var start: Int
        var mean: Double
        /// The level before it.
        var before: Double
    }

    struct Levels {
        var changes: [Level] = []
    }

    /// Numbers that a level has at least.
    static let shortest = 3
    /// In standard errors of a difference of means. Of simulated series without a change, 30 to 1,000 numbers long, at
    /// most 3 in 100 have one found where neighbours are independent or correlated by up to 0.5, 9 in 100 at 0.7.
    static let bound = 5.0

    static func levels(_ values: [Double]) -> Levels {
        guard values.count >= 4 * shortest, let noise = longRunDeviation(values), noise > 0 else { return Levels() }
        var sums = [0.0]
        sums.reserveCapacity(values.count + 1)
        for value in values { sums.append((sums.last ?? 0) + value) }
        func mean(_ start: Int, _ end: Int) -> Double { (sums[end] - sums[start]) / Double(end - start) }
        func evidence(_ start: Int, _ split: Int, _ end: Int) -> Double {
            let (one, other) = (Double(split - start), Double(end - split))
            return abs(mean(start, split) - mean(split, end)) * (one * other / (one + other)).squareRoot() / noise
        }
        var splits: [Int] = []
        var pending = [(0, values.count)]
        while let (start, end) = pending.popLast() {
            guard end - start >= 2 * shortest else { continue }
            var best = (evidence: 0.0, split: 0)
            for split in start + shortest...end - shortest {
                let found = evidence(start, split, end)
                if found > best.evidence { best = (found, split) }
            }
            guard best.evidence > bound else { continue }
            splits.append(best.split)
            pending += [(start, best.split), (best.split, end)]
        }
        splits.sort()
        // The weakest goes first; its neighbours are judged anew without it.
        while true {
            let edges = [0] + splits + [values.count]
            let strengths = splits.indices.map { evidence(edges[$0], edges[$0 + 1], edges[$0 + 2]) }
            guard let weakest = strengths.indices.min(by: { strengths[$0] < strengths[$1] }),
                strengths[weakest] <= bound
            else { break }
            splits.remove(at: weakest)
        }
        let edges = [0] + splits + [values.count]
        return Levels(
            changes: splits.indices.map { index in
                Level(
                    start: splits[index], mean: mean(edges[index + 1], edges[index + 2]),
                    before: mean(edges[index], edges[index + 1]))
            })
    }

    /// The deviation of one number as it counts towards a mean of many; nil where nothing moves.
    private static func longRunDeviation(_ values: [Double]) -> Double? {
        let one = spread(zip(values, values.dropFirst()).map { $1 - $0 })
        let two = spread(zip(values, values.dropFirst(2)).map { $1 - $0 })
        guard one > 0 else { return nil }
        // Var(x₁ − x₀) = 2σ²(1 − ρ), Var(x₂ − x₀) = 2σ²(1 − ρ²).
        let correlation = min(0.8, max(0, two * two / (one * one) - 1))
        let variance = one * one / (2 * (1 - correlation))
        return (variance * (1 + correlation) / (1 - correlation)).squareRoot()
    }

    /// The standard deviation by the median of absolute values, or, where more than half of them are nothing, by squares.
    private static func spread(_ differences: [Double]) -> Double {
        guard !differences.isEmpty else { return 0 }
        let sorted = differences.map { abs($0) }.sorted()
        let median = sorted[sorted.count / 2]
        if median > 0 { return median / 0.6744897501960817 }
        return (differences.reduce(0) { $0 + $1 * $1 } / Double(differences.count)).squareRoot()
    }
}
