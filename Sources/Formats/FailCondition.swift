/// A limit that a comparison is held to, as `--fail-if` says it: `grew>2%` for points of share, `grew>2%rel` for a part of
/// the base's share; `shrank` likewise. Only significant rows break it.
public struct FailCondition: Hashable, Sendable {
    public var isGrowth: Bool
    /// As a difference of shares, or as a part of the base's share.
    public var limit: Double
    public var isRelative: Bool

    /// What an error says about text that is none.
    public static let expected = "grew>N% (points of share), grew>N%rel (of the base's share), or shrank likewise"

    /// nil for text that is none; spaces are passed over.
    public init?(_ text: String) {
        let text = text.filter { $0 != " " }
        guard let sign = text.firstIndex(of: ">") else { return nil }
        switch text[..<sign] {
        case "grew": isGrowth = true
        case "shrank": isGrowth = false
        default: return nil
        }
        var rest = text[text.index(after: sign)...]
        isRelative = rest.hasSuffix("rel")
        if isRelative { rest = rest.dropLast(3) }
        guard rest.hasSuffix("%") else { return nil }
        rest = rest.dropLast()
        guard !rest.isEmpty, rest.utf8.allSatisfy({ ($0 >= 48 && $0 <= 57) || $0 == 46 }), let percent = Double(rest),
            percent.isFinite
        else { return nil }
        limit = percent / 100
    }

    public func isBroken(by row: DiffRow) -> Bool {
        guard row.significant else { return false }
        let change = isGrowth ? row.delta : -row.delta
        return change > 0 && change > limit * (isRelative ? row.baseShare : 1)
    }
}
