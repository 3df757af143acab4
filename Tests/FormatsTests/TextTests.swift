import Analysis
import Formats
import Profiles
import SampleBuilder
import Testing

@Test(arguments: [
    ("1970-01-01T00:00:00Z", 0), ("2026-11-24T22:22:11Z", 1_795_558_931_000_000_000),
    ("2000-02-29T12:00:00.25Z", 951_825_600_250_000_000), ("2026-11-24T23:22:11+01:00", 1_795_558_931_000_000_000),
    ("2026-11-24t22:22:11.123456789123z", 1_795_558_931_123_456_789), ("1969-12-31T23:59:59.999Z", -1_000_000),
    ("2016-12-31T23:59:60Z", 1_483_228_799_000_000_000), ("2026-11-24 22:22:11-00:00", 1_795_558_931_000_000_000),
])
func `a time is read as RFC 3339 says`(text: String, nanoseconds: Int64) {
    #expect(RFC3339.timestamp(text) == Timestamp(nanoseconds: nanoseconds))
}

@Test(arguments: [
    "", "now", "2026-11-24", "2026-11-24T22:22:11", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z",
    "2026-11-24T24:00:00Z", "2026-11-24T22:22:11.Z", "2026-11-24T22:22:11Zx", "9999-01-01T00:00:00Z",
    "2026-11-24T22:22:11+0100",
])
func `what is no time is refused`(text: String) {
    #expect(RFC3339.timestamp(text) == nil)
}

@Test(arguments: [0, 1, -1, 1_000_000, 951_868_799_999_999_999, 4_107_542_399_000_000_000, Int64.min, Int64.max])
func `a time that is written reads back`(nanoseconds: Int64) {
    let moment = Timestamp(nanoseconds: nanoseconds)
    #expect(RFC3339.timestamp(RFC3339.text(moment)) == moment)
}

@Test func `people read times to the second, unless that makes two of them equal`() {
    let moment = Timestamp(nanoseconds: 1_795_558_931_495_571_102)
    #expect(TimeText.toSecond(moment) == "2026-11-24T22:22:11Z")
    #expect(TimeText.compact(moment) == "20261124T222211Z")
    let apart = TimeText.pair(moment, moment + 1_000_000_000)
    #expect([apart.0, apart.1] == ["2026-11-24T22:22:11Z", "2026-11-24T22:22:12Z"])
    let close = TimeText.pair(moment, moment + 1)
    #expect([close.0, close.1] == ["2026-11-24T22:22:11.495571102Z", "2026-11-24T22:22:11.495571103Z"])
}

@Test(arguments: [
    ("plain ünïcode 😀", "plain ünïcode 😀"), ("a\nb\tc\r", "a\\nb\\tc\\r"), ("\u{1B}[31mred", "\\x1b[31mred"),
    ("\u{0}\u{7F}\u{9B}", "\\x00\\x7f\\x9b"), ("\u{202E}evil\u{2066}", "\\u{202e}evil\\u{2066}"), ("–…", "–…"),
])
func `control characters are escaped before a terminal sees them`(text: String, escaped: String) {
    #expect(EscapedText.escape(text) == escaped)
}

@Test func `columns are aligned and cells can't steer the terminal`() {
    var table = TextTable(columns: [("name", .left), ("samples", .right), ("note", .left)])
    table.add(["a", "1"])
    table.add(["long name", "12345678", "\u{1B}[2J"])
    #expect(
        table.text() == """
            name        samples  note
            a                 1
            long name  12345678  \\x1b[2J

            """)
    #expect(table.text(inColour: true).hasPrefix("\u{1B}[1mname"))
}

@Test func `the table of top says what stands behind it and gives intervals`() {
    var builder = SampleBuilder()
    let quality = StackQuality(whole: 26, cut: 10, broken: 4)
    builder.add(
        quality: quality,
        [
            "p/p;main;f": 26, "p/p;m:[truncated];main;k:read": 9, "p/p;m:[truncated];main;main;k:read": 1,
            "p/p;m:[broken: no caller];main;f": 3, "p/p;m:[broken: bad CFI];main;f": 1,
        ])
    let profile = NamedProfile(builder.samples, symbolizer: NamesByAddress())
    let answer = TopAnswer(
        of: profile, ranking: profile.ranking(by: .function), asked: profile.range,
        coverage: Coverage(of: profile, dropped: [.ringFull: 1200]))
    #expect(
        TopTable(answer).text() == """
            2026-09-21T00:00:00Z to 2026-09-21T00:00:10Z · 40 samples of cpu · 1 host · 1,200 dropped (ringFull 1,200) · \
            65.0 % of stacks whole, 10 cut at 2 to 3 frames, 4 broken (no caller 3, bad CFI 1) · \
            intervals from samples alone, as windows are too few

               self  95 % interval     total  95 % interval  cores  function  where
            75.00 %  59.8–85.8 %     75.00 %  59.8–85.8 %    0.030  f         app
            25.00 %  14.2–40.2 %     25.00 %  14.2–40.2 %    0.010  read      [kernel.kallsyms]
             0.00 %  0.0–8.8 %      100.00 %  91.2–100.0 %   0.040  main      app

            """)
    #expect(SummaryLine.text(answer.header, withIntervals: false).hasSuffix("(no caller 3, bad CFI 1)"))
}

@Test func `costs are cores times the price, and without a price there are cores alone`() {
    var builder = SampleBuilder()
    // 15 s of CPU time in 10 s: 1.5 cores.
    builder.add(["p/p;main;f": 1000, "p/p;main": 500])
    let profile = NamedProfile(builder.samples, symbolizer: NamesByAddress())
    var answer = TopAnswer(
        of: profile, ranking: profile.ranking(by: .function, sort: .total), asked: profile.range,
        coverage: Coverage(of: profile))
    answer.addCosts(of: profile, price: nil)
    #expect(answer.rows[0].cost?.perHour == nil)
    #expect(CostTable(answer, title: "function").text().contains("no price of a core is set (pricePerCoreHour"))
    answer.addCosts(of: profile, price: CorePrice(perCoreHour: 0.5, currency: "EUR"))
    #expect(answer.rows.map(\.name) == ["main", "f"])
    #expect(answer.rows.compactMap { $0.cost?.totalCores } == [1.5, 1])
    #expect(answer.rows.compactMap { $0.cost?.selfCores } == [0.5, 1])
    #expect(answer.rows.compactMap { $0.cost?.perHour } == [0.75, 0.5])
    #expect(answer.rows.compactMap { $0.cost?.perDay } == [18, 12])
    #expect(CostTable(answer, title: "function").text().contains("an hour EUR  a day EUR  function\n"))
    #expect(String(decoding: answer.json(), as: UTF8.self).contains(#""price":{"perCoreHour":0.5,"currency":"EUR"}"#))
}
