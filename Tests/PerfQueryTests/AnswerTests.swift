import Formats
import Foundation
import Profiles
import Testing

private let opening = """
    "range":{"from":"2026-03-01T11:45:00Z","to":"2026-03-01T12:00:00Z"},\
    "asked":{"from":"2026-03-01T11:44:00Z","to":"2026-03-01T12:01:00Z"},\
    "type":{"name":"cpu","unit":"nanoseconds"},"samples":12345,"value":123450000000,"intervalOver":"hosts",\
    "coverage":{"hosts":2,"hostsSilent":1,"agents":3,"dropped":{"spool":1200},\
    "wholeStacks":null,"cutStacks":7,"brokenStacks":null}
    """

private func row(_ name: String) -> String {
    #"""
    {"name":\#(name),"file":null,"line":null,"module":"/usr/bin/demo","self":6,"total":10,"cores":0.6,"selfShare":0.601,\#
    "totalShare":1,"selfShareLow":0.589,"selfShareHigh":0.6125,"totalShareLow":0.99,"totalShareHigh":1}
    """#
}

private let topAnswer = "{\(opening),\"rows\":[\(row(#""burn<int>(char\u001b[31m)""#))]}"

@Test func `top is a table under what stands behind it`() async throws {
    let server = try await AnsweringServer(["top": .init(status: 200, body: topAnswer)])
    let run = try await ProgramRun.perfQuery([
        "top", "--server", server.url, "--service", "web*", "--service", "!web-test", "--from", "-2h", "--to", "now",
        "--by", "function", "--limit", "5", "--sort", "total", "--thread", "worker-1",
        "--version", "2.1", "--label", "zone!=a",
    ])
    #expect(run.status == 0, "\(run.errors)")
    #expect(
        run.output == """
            2026-03-01T11:45:00Z to 2026-03-01T12:00:00Z · 12,345 samples of cpu · 2 hosts (1 silent) · 1,200 dropped \
            (spool 1,200) · 7 cut · intervals over hosts

               self  95 % interval     total  95 % interval  cores  function                 where
            60.10 %  58.9–61.3 %    100.00 %  99.0–100.0 %   0.600  burn<int>(char\\x1b[31m)  /usr/bin/demo

            """)
    let uri = try #require(server.uris.first)
    let items = try #require(URLComponents(string: "http://x" + uri)?.queryItems).map { "\($0.name)=\($0.value ?? "")" }
    #expect(
        items.count == 10
            && Set(items).isSuperset(of: [
                "service=web*", "service=!web-test", "by=function", "limit=5", "sort=total", "thread=worker-1",
                "version=2.1", "label=zone!=a",
            ]), "\(items)")
    let times = items.filter { $0.hasPrefix("from=") || $0.hasPrefix("to=") }
        .compactMap { RFC3339.timestamp(String($0.drop { $0 != "=" }.dropFirst())) }
    try #require(times.count == 2)
    #expect(TimeRange(start: times[0], end: times[1]).seconds == 7200)
}

@Test func `lines are asked for and shown with their files`() async throws {
    let line = row(#""burn<int>""#).replacingOccurrences(
        of: #""file":null,"line":null"#, with: #""file":"/s/burn.cc","line":42"#)
    let body = "{\(opening),\"rows\":[\(line)]}".replacingOccurrences(
        of: #""wholeStacks":null,"cutStacks":7,"brokenStacks":null"#,
        with: #"""
            "wholeStacks":12337,"cutStacks":7,"brokenStacks":1,"cutDepths":{"least":9,"median":20,"most":127},\#
            "brokenReasons":{"no caller":1}
            """#)
    let server = try await AnsweringServer(["top": .init(status: 200, body: body)])
    let run = try await ProgramRun.perfQuery(["top", "--by", "line", "--names", "full", "--server", server.url])
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.output.contains("99.9 % of stacks whole, 7 cut at 9 to 127 frames, 1 broken (no caller 1)"))
    #expect(run.output.contains("line of    where\n"), "\(run.output)")
    #expect(run.output.contains("burn<int>  /s/burn.cc:42\n"), "\(run.output)")
    #expect(server.uris.first?.hasSuffix("&by=line&sort=self&limit=20&names=full") == true)
}

@Test func `json is the aggregator's answer, byte for byte`() async throws {
    let server = try await AnsweringServer(["top": .init(status: 200, body: topAnswer)])
    let run = try await ProgramRun.perfQuery(["top", "--json", "--server", server.url])
    #expect(run.status == 0)
    #expect(run.output == topAnswer + "\n")
}

@Test(arguments: [
    (
        "services", #"{"name":"web","samples":1200,"cores":1.5,"hosts":2}"#,
        "samples  cores  hosts  service\n  1,200  1.500      2  web\n"
    ),
    (
        "hosts", #"{"name":"db","samples":7,"cores":null,"services":3}"#,
        "samples  cores  services  host\n      7      –         3  db\n"
    ),
    (
        "labels", #"{"name":"zone","value":"a","samples":7,"cores":12.25,"hosts":1}"#,
        "samples   cores  hosts  label\n      7  12.250      1  zone=a\n"
    ),
    (
        "types", #"{"name":"cpu","unit":"nanoseconds","samples":7,"cores":0,"hosts":1}"#,
        "samples  cores  hosts  unit         type\n      7  0.000      1  nanoseconds  cpu\n"
    ),
])
func `what exists is a table`(verb: String, row: String, table: String) async throws {
    let server = try await AnsweringServer([verb: .init(status: 200, body: "{\(opening),\"\(verb)\":[\(row)]}")])
    let run = try await ProgramRun.perfQuery([verb, "--server", server.url])
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.output.hasSuffix("\n\n" + table), "\(run.output)")
    #expect(!run.output.contains("intervals"), "the table has none")
}

@Test func `agents are a table of where their samples went`() async throws {
    let body = #"""
        {"agents":[{"id":"00","host":"db","version":"1.0","lastSeen":"2026-03-01T12:00:00.495571102Z","rate":100,\#
        "samples":{"taken":1100,"stored":1000,"pending":90,"dropped":{"spool":10}},"clockOffsetSeconds":-0.0015}]}
        """#
    let server = try await AnsweringServer(["agents": .init(status: 200, body: body)])
    let run = try await ProgramRun.perfQuery(["agents", "--server", server.url])
    #expect(run.status == 0, "\(run.errors)")
    #expect(
        run.output == """
            1 agent

            host  version  last seen             rate  taken  stored  pending     clock  dropped
            db    1.0      2026-03-01T12:00:00Z   100  1,100   1,000       90  -0.002 s  10 spool

            """)
    #expect(server.uris == ["/api/v1/agents"])
}

@Test(arguments: [[], ["--json"]])
func `what the aggregator notes is said beside the table`(flags: [String]) async throws {
    let note = "1 of 3,412 rows; a larger limit shows more"
    let server = try await AnsweringServer(["top": .init(status: 200, body: topAnswer, note: note)])
    let run = try await ProgramRun.perfQuery(["top", "--limit", "1", "--server", server.url] + flags)
    #expect(run.status == 0)
    #expect(run.errors == "note: \(note)\n")
    #expect(!run.output.contains("3,412"))
}

@Test func `an answer without rows is no data`() async throws {
    let server = try await AnsweringServer(["top": .init(status: 200, body: "{\(opening),\"rows\":[]}")])
    let run = try await ProgramRun.perfQuery(["top", "--server", server.url])
    #expect(run.status == 2)
    #expect(run.output == "")
    #expect(run.errors == "perf-query: no data matches the question\n")
}

@Test func `colour and escapes are for terminals alone`() async throws {
    let server = try await AnsweringServer(["top": .init(status: 200, body: topAnswer)])
    let arguments = ["top", "--server", server.url]
    let piped = try await ProgramRun.perfQuery(arguments)
    #expect(!piped.output.contains("\u{1B}"))
    let forced = try await ProgramRun.perfQuery(arguments + ["--color", "always"])
    #expect(forced.output.contains("\u{1B}[1m"))
    let shown = try await ProgramRun.perfQuery(arguments, terminal: true)
    #expect(shown.output.contains("\u{1B}[1m") && !shown.output.contains("\u{1B}[31m"), "\(shown.output)")
    let plain = try await ProgramRun.perfQuery(arguments, environment: ["NO_COLOR": "1"], terminal: true)
    #expect(!plain.output.contains("\u{1B}"))
    let never = try await ProgramRun.perfQuery(arguments + ["--color=never"], terminal: true)
    #expect(!never.output.contains("\u{1B}"))
}
