public import Analysis

extension WorkDone {
    /// What an error says about text that is none.
    public static let expected = "BASE:AGAINST, the units of work done on either side, as in 120000:150000"

    /// Nobody counts less or more; squares of costs stay finite.
    private static let range = 1e-9...1e18

    /// `BASE:AGAINST`, two numbers from 10⁻⁹ to 10¹⁸; nil for text that is none.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { Double(String($0)) }
        guard parts.count == 2, let base = parts[0], let against = parts[1], Self.range.contains(base),
            Self.range.contains(against)
        else { return nil }
        self.init(base: base, against: against)
    }
}
