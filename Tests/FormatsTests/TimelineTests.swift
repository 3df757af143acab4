import Analysis
import Formats
import Foundation
import Profiles
import SampleBuilder
import Testing

/// Eight hosts; `hot` takes 150 samples of 10 ms more in each window from the 30th on, and its name is hostile.
private func answer(explained: Bool) throws -> TimelineAnswer {
    var builder = SampleBuilder()
    for host in 0..<8 {
        for window in 0..<60 {
            let noise = UInt64((host * 7 + window * 5) % 11)
            builder.add(
                host: "h\(host)", window: window,
                stacks: [
                    ("p/t;main;steady", 300 + noise), ("p/t;main;hot\u{1B}[2J\n", (window < 30 ? 100 : 250) + noise),
                ])
        }
    }
    let symbolizer = NamesByAddress()
    let profile = NamedProfile(builder.samples, symbolizer: symbolizer)
    let timeline = profile.timeline(by: nil, stepNanoseconds: 10_000_000_000, delivered: builder.samples)
    let coverage = Coverage(of: profile, hostsSilent: 0, dropped: [:])
    return TimelineAnswer(
        header: AnswerHeader(of: profile, asked: profile.range, coverage: coverage), timeline: timeline,
        type: profile.type,
        explanations: explained
            ? timeline.explanations(
                by: nil, of: builder.samples, symbolizer: symbolizer, filter: FrameFilter(), delivered: builder.samples,
                sort: .self) : [])
}

private func changes(_ answer: TimelineAnswer) throws -> [[String: Any]] {
    let object = try #require(try JSONSerialization.jsonObject(with: Data(answer.json())) as? [String: Any])
    return try #require(object["changes"] as? [[String: Any]])
}

@Test func `a change has more keys where it is explained, and its functions are rows of diff`() throws {
    let plain = try changes(answer(explained: false))
    #expect(plain.map { Set($0.keys) } == [["at", "series", "from", "to"]])
    let change = try #require(changes(answer(explained: true)).first)
    #expect(change["fromHosts"] as? Int == 8 && change["verdict"] as? String == "functions")
    #expect(change["intervalOver"] as? String == "hosts" && change["intervalUnits"] as? Int == 8)
    let rows = try #require(change["functions"] as? [[String: Any]])
    let row = try #require(rows.first)
    #expect(row["movement"] as? String == "grew" && row["significant"] as? Bool == true)
    let low = try #require(row["deltaCoresLow"] as? Double), high = try #require(row["deltaCoresHigh"] as? Double)
    #expect(low < 0.15 && high > 0.15)
    #expect(change["functionsSignificant"] as? Int == 2)
}

@Test func `an explained timeline is read back as it was written`() throws {
    for explained in [true, false] {
        let answer = try answer(explained: explained)
        let read = try JSONDecoder().decode(TimelineAnswer.self, from: Data(answer.json()))
        #expect(read == answer)
        #expect((read.changes.first?.explanation != nil) == explained)
    }
}

@Test func `an explanation as text says hosts, cores, the sentence and the functions, and steers no terminal`() throws {
    let explanation = try #require(answer(explained: true).changes.first?.explanation)
    let lines = explanation.text(sort: "self").split(separator: "\n").map(String.init)
    try #require(lines.count == 5)
    #expect(lines[0].hasPrefix("    8 hosts, 0.410 → 0.560 cores/host (+0.150, 95 % interval +0.1"), "\(lines[0])")
    #expect(lines[1] == "    2 of 2 functions changed their share beyond chance")
    #expect(
        lines[2].contains("cores/host") && lines[2].hasSuffix("where") && lines[2].contains("self of"), "\(lines[2])")
    #expect(
        lines[3].contains("+0.150") && lines[3].contains("grew") && lines[3].contains("hot\\x1b[2J\\n"), "\(lines[3])")
    #expect(lines[4].contains("only its share: others moved"))
    #expect(!lines.joined().contains("\u{1B}"))
}
