import Glibc

/// Where most of some numbers lie, whatever a few of them do.
enum RobustSpread {
    /// The median, and the median absolute deviation as a standard deviation (of the normal distribution).
    static func shared(_ values: [Double]) -> (middle: Double, scale: Double) {
        let middle = median(values)
        return (middle, normal * median(values.map { abs($0 - middle) }))
    }

    /// A standard deviation over the median absolute deviation, where the distribution is normal.
    static let normal = 1.482602218505602

    /// The median, and the larger of that deviation and of the distance to the 80th percentile: numbers that are spread more
    /// widely above than below are measured above, and one in five may be odd.
    static func above(_ values: [Double]) -> (middle: Double, scale: Double) {
        let (middle, scale) = shared(values)
        guard !values.isEmpty else { return (middle, scale) }
        let high = values.sorted()[min(values.count - 1, values.count * 4 / 5)]
        return (middle, max(scale, (high - middle) / 0.8416212335729143))
    }

    /// 0 of nothing. Hoare's selection (1961): the numbers are put in order no more than it takes.
    static func median(_ values: [Double]) -> Double {
        guard !values.isEmpty else { return 0 }
        var values = values
        let half = values.count / 2
        var (low, high) = (0, values.count - 1)
        while low < high {
            let pivot = values[(low + high) / 2]
            var (left, right) = (low, high)
            while left <= right {
                while values[left] < pivot { left += 1 }
                while values[right] > pivot { right -= 1 }
                if left <= right {
                    values.swapAt(left, right)
                    left += 1
                    right -= 1
                }
            }
            if half <= right { high = right } else if half >= left { low = left } else { break }
        }
        if values.count % 2 == 1 { return values[half] }
        return (values[half] + (values[..<half].max() ?? values[half])) / 2
    }
}

/// The mean absolute deviation of Poisson counts: 2·e^−μ·μ^(⌊μ⌋+1) / ⌊μ⌋! (Crow 1958).
enum PoissonDeviation {
    private static let exactBelow = 40
    /// ⌊μ⌋! up to there.
    private static let factorials: [Double] = (1...exactBelow).reduce(into: [1.0]) { all, number in
        all.append(all[all.count - 1] * Double(number))
    }

    static func mean(of expected: Double) -> Double {
        guard expected > 0 else { return 0 }
        // The next term of the series is below 1 in 10,000 from there on.
        if expected >= Double(exactBelow) { return (2 * expected / Double.pi).squareRoot() * (1 - 1 / (12 * expected)) }
        let whole = Int(expected)
        return 2 * exp(-expected) * pow(expected, Double(whole + 1)) / factorials[whole]
    }
}
