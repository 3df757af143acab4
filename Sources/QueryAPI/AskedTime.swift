internal import Formats
public import Profiles

/// Why the time flags of a question can't be used.
public enum AskedTimeError: Error, Hashable, Sendable, CustomStringConvertible {
    case sinceWithFromOrTo
    case notASpan(flag: String, text: String)
    case notATime(flag: String, text: String)
    case empty(from: Timestamp, to: Timestamp)

    public var description: String {
        switch self {
        case .sinceWithFromOrTo:
            return "give either --since, or --from with --to, not both"
        case .notASpan(let flag, let text):
            return "\(flag): '\(text)' is not a span of time; expected one as in 90s, 15m, 2h, 7d"
        case .notATime(let flag, let text):
            return "\(flag): '\(text)' is not a time; expected \(TimeExpression.expected)"
        case .empty(let from, let to):
            let (start, end) = TimeText.pair(from, to)
            return "--from (\(start)) must lie before --to (\(end))"
        }
    }
}

/// The span that a question's time flags mean: `--since`, or `--from` and `--to`, else the last 15 minutes. `--from`
/// alone reaches to now; `--to` alone takes the 15 minutes before it.
public func askedRange(
    since: String?, from: String?, to: String?, now: Timestamp
) throws(AskedTimeError) -> TimeRange {
    let standard: Int64 = 15 * 60 * 1_000_000_000
    if let since {
        guard from == nil, to == nil else { throw .sinceWithFromOrTo }
        guard let span = TimeExpression.span(since) else { throw .notASpan(flag: "--since", text: since) }
        return TimeRange(start: now + -span, end: now)
    }
    func moment(_ text: String?, flag: String) throws(AskedTimeError) -> Timestamp? {
        guard let text else { return nil }
        guard let expression = TimeExpression(text) else { throw .notATime(flag: flag, text: text) }
        return expression.moment(now: now)
    }
    let end = try moment(to, flag: "--to") ?? now
    let start = try moment(from, flag: "--from") ?? end + -standard
    guard start < end else { throw .empty(from: start, to: end) }
    return TimeRange(start: start, end: end)
}
