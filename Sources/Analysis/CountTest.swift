import Glibc

/// Whether samples alone, as if each were a draw of its own, could tell two shares apart: what no test may undercut.
///
/// Many samples are compared by the score test of two proportions, few by the binomial distribution of the one count given
/// both (the conditional test of two Poisson rates, Przyborowski and Wilenski 1940), doubled for two sides. Counts need not
/// be whole: weighted samples count by Kish's effective number.
public enum CountTest {
    /// Expected counts from which the normal distribution is good enough far out in its tails.
    private static let manySamples = 100.0

    /// The p-value for two shares of so many samples.
    public static func pValue(
        share: Double, of samples: Double, against other: Double, of otherSamples: Double
    ) -> Double {
        let all = samples + otherSamples
        guard samples > 0, otherSamples > 0 else { return 1 }
        let pooled = (share * samples + other * otherSamples) / all
        guard pooled > 0, pooled < 1 else { return 1 }
        // Of nearly everything, the rest is what is rare.
        if pooled > 0.5 {
            return pValue(share: 1 - share, of: samples, against: 1 - other, of: otherSamples)
        }
        if pooled * min(samples, otherSamples) >= manySamples {
            let variance = pooled * (1 - pooled) * (1 / samples + 1 / otherSamples)
            return erfc(abs(share - other) / (2 * variance).squareRoot())
        }
        return conditional(share * samples, other * otherSamples, fraction: samples / all)
    }

    /// The p-value for `count` events beside `other` ones, of which a fraction is expected to be the first kind.
    public static func conditional(_ count: Double, _ other: Double, fraction: Double) -> Double {
        let all = count + other
        guard all > 0, fraction > 0, fraction < 1 else { return 1 }
        let expected = all * fraction
        if min(expected, all - expected) >= 10 * manySamples {
            return erfc(abs(count - expected) / (2 * expected * (1 - fraction)).squareRoot())
        }
        let atLeast = count <= 0 ? 1 : IncompleteBeta.regularised(fraction, count, other + 1)
        let atMost = other <= 0 ? 1 : IncompleteBeta.regularised(1 - fraction, other, count + 1)
        return min(1, 2 * min(atLeast, atMost))
    }

    /// The smallest p-value that so many events on both sides could have led to.
    public static func attainable(_ all: Double, fraction: Double) -> Double {
        guard all > 0, fraction > 0, fraction < 1 else { return 1 }
        return min(1, 2 * pow(min(fraction, 1 - fraction), all))
    }
}
