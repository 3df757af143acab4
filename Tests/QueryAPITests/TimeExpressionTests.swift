import Formats
import Profiles
import QueryAPI
import Testing

private let now = Timestamp(seconds: 1_772_366_400)  // 2026-03-01T12:00:00Z by `date -ud @1772366400`

@Test(arguments: [
    ("now", "2026-03-01T12:00:00Z"),
    ("-30m", "2026-03-01T11:30:00Z"),
    ("-90s", "2026-03-01T11:58:30Z"),
    ("-2h", "2026-03-01T10:00:00Z"),
    ("-7d", "2026-02-22T12:00:00Z"),
    ("-1w", "2026-02-22T12:00:00Z"),
    ("2026-02-28T23:59:59.5Z", "2026-02-28T23:59:59.500Z"),
    ("2026-03-01t01:00:00+02:30", "2026-02-28T22:30:00Z"),
    ("2024-02-29 00:00:00-00:30", "2024-02-29T00:30:00Z"),
])
func `a time as users type it is a moment`(text: String, expected: String) throws {
    let expression = try #require(TimeExpression(text))
    #expect(RFC3339.text(expression.moment(now: now)) == expected)
}

@Test(arguments: [
    "", "-", "30m", "-m", "-30", "-30x", "-0s", "--30m", "-1.5h", "- 5m", "yesterday", "Now", "2026-03-01",
    "2026-03-01T12:00", "2026-03-01T12:00:00", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-03-01T24:00:00Z",
    "2026-03-01T12:00:00.Z", "2026-03-01T12:00:00Z ", "2026-03-01T12:00:00+25:00", "-99999999999d", "１m",
])
func `what is no time is nil`(text: String) {
    #expect(TimeExpression(text) == nil)
}

@Test(
    arguments: [
        (nil, nil, nil, "2026-03-01T11:45:00Z", "2026-03-01T12:00:00Z"),
        ("2h", nil, nil, "2026-03-01T10:00:00Z", "2026-03-01T12:00:00Z"),
        (nil, "-1h", nil, "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"),
        (nil, nil, "-1h", "2026-03-01T10:45:00Z", "2026-03-01T11:00:00Z"),
        (nil, "-2h", "-1h", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"),
        (nil, "2026-01-01T00:00:00Z", "now", "2026-01-01T00:00:00Z", "2026-03-01T12:00:00Z"),
    ] as [(String?, String?, String?, String, String)])
func `the time flags mean a range`(since: String?, from: String?, to: String?, start: String, end: String) throws {
    let range = try askedRange(since: since, from: from, to: to, now: now)
    #expect(RFC3339.text(range.start) == start)
    #expect(RFC3339.text(range.end) == end)
}

@Test(
    arguments: [
        ("2h", "-1h", nil, AskedTimeError.sinceWithFromOrTo),
        ("2h", nil, "now", .sinceWithFromOrTo),
        ("-2h", nil, nil, .notASpan(flag: "--since", text: "-2h")),
        ("0s", nil, nil, .notASpan(flag: "--since", text: "0s")),
        ("15", nil, nil, .notASpan(flag: "--since", text: "15")),
        (nil, "soon", nil, .notATime(flag: "--from", text: "soon")),
        (nil, nil, "1h", .notATime(flag: "--to", text: "1h")),
        (nil, "now", "now", .empty(from: now, to: now)),
        (nil, "now", "-1h", .empty(from: now, to: now + -3_600_000_000_000)),
    ] as [(String?, String?, String?, AskedTimeError)])
func `time flags that contradict are errors`(since: String?, from: String?, to: String?, expected: AskedTimeError) {
    #expect(throws: expected) { try askedRange(since: since, from: from, to: to, now: now) }
}
