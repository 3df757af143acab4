import Analysis
import Formats
import Profiles
import SampleBuilder
import Testing

private func pair() -> (ProfilePair, DiffAnswer) {
    var base = SampleBuilder(), against = SampleBuilder()
    for host in 0..<10 {
        base.add(
            host: "h\(host)",
            ["app/w1;main;steady": 600 + UInt64(host), "app/w1;main;slow": 300, "app/w2;main;k:old": 1])
        against.add(host: "h\(host)", window: 1, ["app/w1;main;steady": 600 + UInt64(host), "app/w1;main;slow": 500])
    }
    let pair = ProfilePair(
        SamplePair(base: base.samples, against: against.samples), symbolizer: NamesByAddress())
    let options = DifferenceOptions(sort: .self)
    let range = TimeRange(start: Timestamp(seconds: 0), end: Timestamp(seconds: 60))
    func header(_ profile: NamedProfile) -> AnswerHeader {
        AnswerHeader(of: profile, asked: range, coverage: Coverage(of: profile))
    }
    return (
        pair,
        DiffAnswer(
            base: header(pair.base), against: header(pair.against), difference: Difference(pair, options: options),
            options: options)
    )
}

@Test func `differential folded stacks hold both values`() {
    let (pair, _) = pair()
    let text = String(decoding: DifferentialFolded(of: pair).bytes, as: UTF8.self)
    #expect(text == "app;main;old_[k] 10 0\napp;main;slow 3000 5000\napp;main;steady 6045 6045\n")
    let threads = DifferentialFolded(of: pair, withThreads: true, measure: .unit, isPlain: true)
    #expect(
        String(decoding: threads.bytes, as: UTF8.self)
            == """
            app;w#;main;old 100000 0
            app;w#;main;slow 30000000 50000000
            app;w#;main;steady 60450000 60450000

            """)
}

@Test func `the table says what is proved`() throws {
    let (_, answer) = pair()
    let text = DiffTable(answer).text()
    #expect(text.contains("3 of 3 functions changed beyond chance (5 % false discoveries; 10 hosts on both sides"))
    let lines = text.split(separator: "\n").map(String.init)
    #expect(lines.contains { $0.contains(" grew ") && $0.contains("slow") }, "\(text)")
    #expect(lines.contains { $0.contains("only its share: others moved") && $0.contains("steady") }, "\(text)")
    #expect(!text.contains("\u{1B}"))
    #expect(DiffTable(answer).text(inColour: true).contains("\u{1B}[31m█"))
    var quiet = answer
    quiet.significant = 0
    #expect(DiffTable(quiet).text().contains("within noise: none of 3 functions changed beyond chance"))
}

@Test(arguments: [
    ("grew>2%", true), ("grew>20%", false), ("grew > 30%rel", true), ("grew>40%rel", false), ("shrank>5%", true),
    ("shrank>0%rel", true), ("grew>0%", true),
])
func `a verdict is about significant rows alone`(text: String, isBroken: Bool) throws {
    let (_, answer) = pair()
    let condition = try #require(FailCondition(text))
    #expect(answer.rows.contains { condition.isBroken(by: $0) } == isBroken, "\(answer.rows)")
    var quiet = answer.rows
    for index in quiet.indices { quiet[index].significant = false }
    #expect(!quiet.contains { condition.isBroken(by: $0) })
}

@Test(arguments: ["grew", "grew>", "grew>2", "grew>-2%", "grew>2%abs", "fell>2%", "grew>1e9%", ">2%", "grew>.%"])
func `other conditions are none`(text: String) {
    #expect(FailCondition(text) == nil)
}
