/// Many tests at once: which of them may be called discoveries.
///
/// Benjamini and Hochberg's step-up procedure (1995) on the tests that can say anything at all. A count that is too small
/// can't be significant whatever the outcome (0 against 3), and would only make the others pay; which these are is told by
/// the smallest p-value that each could reach, as Tarone (1990) and Gilbert (2005) do. That value must depend on pooled
/// counts alone, not on the difference.
public struct FalseDiscovery: Sendable {
    /// By test: the smallest rate of false discoveries at which it is one; 1 for those that were left out.
    public private(set) var qValues: [Double]
    /// By test: whether it could have been a discovery.
    public private(set) var isTested: [Bool]
    public private(set) var testedCount = 0

    /// - Parameters:
    ///   - pValues: by test.
    ///   - attainable: by test, the smallest p-value that it could have had.
    ///   - rate: of false discoveries that will be accepted.
    public init(pValues: [Double], attainable: [Double], rate: Double) {
        qValues = [Double](repeating: 1, count: pValues.count)
        isTested = [Bool](repeating: false, count: pValues.count)
        // The smallest number of tests K of which no more than K can reach rate / K.
        let sorted = attainable.sorted()
        var bound = sorted.count
        var reached = sorted.count
        for count in 1...max(1, sorted.count) {
            while reached > 0, sorted[reached - 1] > rate / Double(count) { reached -= 1 }
            if reached <= count {
                bound = count
                break
            }
        }
        let limit = rate / Double(max(1, bound))
        var tested: [Int] = []
        for test in pValues.indices where attainable[test] <= limit {
            isTested[test] = true
            tested.append(test)
        }
        testedCount = tested.count
        tested.sort { pValues[$0] < pValues[$1] }
        var least = 1.0
        for (place, test) in tested.enumerated().reversed() {
            least = min(least, pValues[test] * Double(tested.count) / Double(place + 1))
            qValues[test] = least
        }
    }
}
