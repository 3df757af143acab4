import Glibc

/// The regularised incomplete beta function, which the distributions of Student's t, of binomial counts and of Fisher's
/// F are made of; by Lentz's continued fraction (DLMF 8.17.22).
enum IncompleteBeta {
    /// I_x(a, b): 0 for x ≤ 0, 1 for x ≥ 1. Small values keep their digits.
    static func regularised(_ x: Double, _ a: Double, _ b: Double) -> Double {
        if x <= 0 { return 0 }
        if x >= 1 { return 1 }
        let front = exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * log(x) + b * log1p(-x))
        // The fraction converges fast on this side only; the other side is its complement.
        if x < (a + 1) / (a + b + 2) { return front * continuedFraction(x, a, b) / a }
        return 1 - front * continuedFraction(1 - x, b, a) / b
    }

    private static func continuedFraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
        let tiny = 1e-300
        func nonzero(_ value: Double) -> Double { abs(value) < tiny ? tiny : value }
        var c = 1.0
        var d = 1 / nonzero(1 - (a + b) * x / (a + 1))
        var fraction = d
        for step in 1...500 {
            let m = Double(step)
            let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            d = 1 / nonzero(1 + even * d)
            c = nonzero(1 + even / c)
            fraction *= d * c
            let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            d = 1 / nonzero(1 + odd * d)
            c = nonzero(1 + odd / c)
            fraction *= d * c
            if abs(d * c - 1) < 1e-16 { break }
        }
        return fraction
    }

    /// Stirling's series (DLMF 5.11.1) after lifting the argument above 15; glibc's lgamma writes a global.
    private static func logGamma(_ x: Double) -> Double {
        var x = x
        var shift = 0.0
        while x < 15 {
            shift += log(x)
            x += 1
        }
        let inverse = 1 / x
        let square = inverse * inverse
        let series = inverse * (1 / 12.0 - square * (1 / 360.0 - square * (1 / 1260.0 - square * (1 / 1680.0))))
        return (x - 0.5) * log(x) - x + 0.5 * log(2 * Double.pi) + series - shift
    }
}
