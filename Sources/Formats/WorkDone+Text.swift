public import Analysis

extension WorkDone {
    /// What an error says about text that is none.
    public static let expected = "BASE:AGAINST, the units of work done on either side, as in 120000:150000"

    /// `BASE:AGAINST`, both numbers above 0; nil for text that is none.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { Double(String($0)) }
        guard parts.count == 2, let base = parts[0], let against = parts[1], base > 0, against > 0, base.isFinite,
            against.isFinite
        else { return nil }
        self.init(base: base, against: against)
    }
}
