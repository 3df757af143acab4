import Glibc

/// Quantiles of Student's t distribution.
///
/// The distribution function is a regularised incomplete beta function, and is inverted by bisection down to neighbouring
/// numbers; good to about 12 digits.
public enum StudentT {
    /// The value that a t variable with so many degrees of freedom stays below with this probability, which must lie
    /// strictly between 0 and 1; NaN otherwise or for less than one degree of freedom.
    public static func quantile(_ probability: Double, degreesOfFreedom: Int) -> Double {
        guard probability > 0, probability < 1, degreesOfFreedom >= 1 else { return .nan }
        if probability == 0.5 { return 0 }
        if probability < 0.5 { return -quantile(1 - probability, degreesOfFreedom: degreesOfFreedom) }
        let freedom = Double(degreesOfFreedom)
        let tail = 1 - probability
        var low = 0.0
        var high = 2.0
        while upperTail(high, freedom) > tail && high < 1e150 {
            low = high
            high *= 2
        }
        for _ in 0..<200 {
            let middle = (low + high) / 2
            if middle <= low || middle >= high { break }
            if upperTail(middle, freedom) > tail { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }

    /// The probability of a value as far from 0 as `t` or farther, on either side. Any number of degrees of freedom
    /// above 0, infinitely many too; 1 where `t` is no number.
    public static func twoSidedTail(_ t: Double, degreesOfFreedom: Double) -> Double {
        guard !t.isNaN, degreesOfFreedom > 0 else { return 1 }
        if t.isInfinite { return 0 }
        // Beyond a million degrees the two distributions are the same to six digits.
        if degreesOfFreedom > 1e6 { return erfc(abs(t) / 2.0.squareRoot()) }
        return 2 * upperTail(abs(t), degreesOfFreedom)
    }

    /// The probability of a value above `t`, for t ≥ 0.
    private static func upperTail(_ t: Double, _ freedom: Double) -> Double {
        IncompleteBeta.regularised(freedom / (freedom + t * t), freedom / 2, 0.5) / 2
    }
}
