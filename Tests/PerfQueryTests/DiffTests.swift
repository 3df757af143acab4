import Foundation
import Testing

private let side = """
    {"range":{"from":"2026-03-01T11:45:00Z","to":"2026-03-01T12:00:00Z"},\
    "asked":{"from":"2026-03-01T11:44:00Z","to":"2026-03-01T12:01:00Z"},\
    "type":{"name":"cpu","unit":"nanoseconds"},"samples":12345,"value":123450000000,"intervalOver":"hosts",\
    "coverage":{"hosts":8,"hostsSilent":0,"agents":8,"dropped":{},\
    "wholeStacks":null,"cutStacks":7,"brokenStacks":null}}
    """

private func row(_ name: String, _ delta: Double, isSignificant: Bool) -> String {
    """
    {"name":"\(name)","file":"f.c","line":7,"module":"/bin/x","baseShare":0.2,"againstShare":\(0.2 + delta),\
    "delta":\(delta),"deltaLow":\(delta - 0.01),"deltaHigh":\(delta + 0.01),"baseCores":0.4,"againstCores":0.5,\
    "deltaCores":0.1,"deltaCoresLow":0.05,"deltaCoresHigh":0.15,"pValue":0.001,\
    "qValue":\(isSignificant ? 0.01 : 0.3),"significant":\(isSignificant),"tested":true,"coresQValue":0.02,\
    "movement":"\(isSignificant ? "grew" : "withinNoise")","power":null}
    """
}

private let answer = """
    {"base":\(side),"against":\(side),"intervalOver":"hosts","intervalUnits":8,"pairedUnits":8,"sort":"total",\
    "falseDiscoveryRate":0.05,"functions":40,"tested":12,"significant":1,"onePoint":null,\
    "rows":[\(row("slow", 0.05, isSignificant: true)),\(row("noise", 0.09, isSignificant: false))]}
    """

@Test(arguments: [
    ([String](), 0), (["--fail-if", "grew>2%"], 3), (["--fail-if", "grew>6%"], 0), (["--fail-if", "grew>20%rel"], 3),
    (["--fail-if", "grew>30%rel", "--json"], 0), (["--fail-if", "shrank>0%"], 0),
    (["--fail-if", "grew>2%", "--json", "--limit", "1"], 3),
])
func `diff --fail-if is a verdict on what is significant`(flags: [String], status: Int) async throws {
    let server = try await AnsweringServer(["diff": .init(status: 200, body: answer)])
    let run = try await ProgramRun.perfQuery(
        ["diff", "--server", server.url, "--base", "from=-2h,to=-1h", "--against", "from=-1h", "--service", "web"]
            + flags)
    #expect(run.status == Int32(status), "\(run.errors)")
    #expect(run.output.contains("slow"))
    #expect(run.errors.contains("holds for 1 function: slow") == (status == 3))
    let uri = try #require(server.uris.first)
    let items = Set(
        try #require(URLComponents(string: "http://x" + uri)?.queryItems).map { "\($0.name)=\($0.value ?? "")" })
    #expect(
        items.isSuperset(of: ["base=from=-2h,to=-1h", "against=from=-1h", "service=web", "sort=total"]), "\(items)")
    // A verdict is about all rows, and no default time overrides the server's.
    #expect(items.contains("limit=10000") == flags.contains("--fail-if"))
    #expect(!items.contains { $0.hasPrefix("from=") || $0.hasPrefix("to=") })
    if flags.contains("--json") {
        #expect(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) is [String: Any])
        #expect(run.output.contains("noise") == !flags.contains("--limit"))
    }
}

@Test func `diff is a table under both sides`() async throws {
    let server = try await AnsweringServer(["diff": .init(status: 200, body: answer)])
    let run = try await ProgramRun.perfQuery(["diff", "--server", server.url, "--base", "", "--against", "host=a"])
    #expect(run.status == 0, "\(run.errors)")
    let lines = run.output.split(separator: "\n").map(String.init)
    #expect(lines[0].hasPrefix("base     2026-03-01T11:45:00Z to ") && lines[1].hasPrefix("against  2026-"))
    #expect(
        lines[2]
            == "1 of 12 functions changed beyond chance (5 % false discoveries; 8 hosts on both sides as pairs, "
            + "28 more seen too rarely to tell)")
    #expect(lines.last?.contains("within noise") == true && lines[4].contains(" grew "), "\(run.output)")
}

@Test(arguments: [("a.svg", "svg"), ("a.html", "html"), ("a.folded", "folded")])
func `a file's name says how a difference is drawn`(file: String, format: String) async throws {
    let server = try await AnsweringServer(["diff": .init(status: 200, body: "picture")])
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("diff-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let run = try await ProgramRun.perfQuery(
        ["diff", "--server", server.url, "--base", "host=b", "--against", "host=a", "--output", file], directory: folder
    )
    #expect(run.status == 0, "\(run.errors)")
    #expect(server.uris.first?.contains("format=\(format)") == true)
    #expect(try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8) == "picture")
}
