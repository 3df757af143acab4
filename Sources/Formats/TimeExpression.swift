public import Profiles

/// A moment as users type it: RFC 3339 (`2026-03-01T12:00:00Z`, with an offset or a fraction too), `-30m` for half an
/// hour ago, or `now`.
public enum TimeExpression: Hashable, Sendable {
    case now
    /// This many nanoseconds before now, not negative.
    case ago(nanoseconds: Int64)
    case at(Timestamp)

    /// What an error says about text that is none of these.
    public static let expected = "RFC 3339 as in 2026-03-01T12:00:00Z, a time ago as in -30m, or 'now'"

    /// nil for text that is none of the forms.
    public init?(_ text: String) {
        if text == "now" {
            self = .now
        } else if text.hasPrefix("-"), let span = Self.span(text.dropFirst()) {
            self = .ago(nanoseconds: span)
        } else if let moment = RFC3339.timestamp(text) {
            self = .at(moment)
        } else {
            return nil
        }
    }

    public func moment(now: Timestamp) -> Timestamp {
        switch self {
        case .now: now
        case .ago(let nanoseconds): now + -nanoseconds
        case .at(let moment): moment
        }
    }

    /// A span of time in nanoseconds: `90s`, `15m`, `2h`, `7d`, `2w`; nil for anything else, for 0 and beyond 100 years.
    public static func span(_ text: some StringProtocol) -> Int64? {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]
        guard let last = text.last, let unit = units[last] else { return nil }
        let digits = text.dropLast()
        guard (1...10).contains(digits.utf8.count), digits.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }),
            let count = Int64(digits)
        else { return nil }
        let (seconds, overflow) = count.multipliedReportingOverflow(by: unit)
        guard !overflow, seconds > 0, seconds <= 3_155_760_000 else { return nil }
        return seconds * 1_000_000_000
    }
}
