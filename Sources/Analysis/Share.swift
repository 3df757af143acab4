import Glibc

/// A part of a whole, from 0 to 1, with its 95 % interval.
public struct Share: Hashable, Sendable {
    public var value: Double
    public var low: Double
    public var high: Double

    public init(value: Double, low: Double, high: Double) {
        self.value = value
        self.low = low
        self.high = high
    }

    /// The normal distribution's quantile for 95 % on both sides.
    static let z = 1.959963984540054

    /// Wilson's interval ("Probable inference", 1927) for `value` seen in so many samples; from 0 to 1 where there are
    /// none. Samples of different weight count by Kish's effective number, (Σw)² / Σw².
    public static func wilson(_ value: Double, effectiveSamples: Double) -> Share {
        guard effectiveSamples > 0 else { return Share(value: value, low: 0, high: 1) }
        let n = effectiveSamples
        let scale = 1 / (1 + z * z / n)
        let centre = (value + z * z / (2 * n)) * scale
        let half = z * sqrt(max(0, value * (1 - value) / n + z * z / (4 * n * n))) * scale
        return Share(
            value: value, low: value <= 0 ? 0 : max(0, min(value, centre - half)),
            high: value >= 1 ? 1 : min(1, max(value, centre + half)))
    }

    /// The interval of a ratio whose variance was found between `units` (hosts, or blocks of time), with Student's t
    /// on the logit scale, and nowhere narrower than Wilson's on the samples.
    ///
    /// - Parameter variance: of the ratio itself.
    static func clustered(
        _ value: Double, variance: Double, studentT: Double, effectiveSamples: Double
    ) -> Share {
        var share = wilson(value, effectiveSamples: effectiveSamples)
        // On the border the logit is infinite and all units agree: Wilson's is what is left.
        guard value > 0, value < 1, variance > 0, variance.isFinite else { return share }
        let logit = log(value / (1 - value))
        let reach = studentT * sqrt(variance) / (value * (1 - value))
        share.low = min(share.low, 1 / (1 + exp(-(logit - reach))))
        share.high = max(share.high, 1 / (1 + exp(-(logit + reach))))
        return share
    }
}

/// What the intervals of an answer stand on.
public enum IntervalBasis: Hashable, Sendable {
    /// Two hosts or more: the variance between them; the interval speaks of such hosts.
    case hosts(Int)
    /// So many blocks of time, on one host or on given ones; the interval speaks of these only.
    case time(blocks: Int)
    /// Too few windows to see how much time changes: samples alone, as if they were independent.
    case samples

    /// The word of JSON answers; samples alone speak of the time that they were taken in.
    public var word: String {
        switch self {
        case .hosts: "hosts"
        case .time, .samples: "time"
        }
    }
}
