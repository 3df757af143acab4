import Testing

@Test(
    arguments: [
        (["diff"], "Missing expected argument '--base <selection>'"),
        (["diff", "--base", "", "--against", "", "--fail-if", "grew<2%"], "--fail-if: 'grew<2%' is not grew>N%"),
        (["diff", "--base", "", "--against", "", "--fdr", "1"], "--fdr must lie between 0.000001 and 1"),
        (["diff", "--base", "", "--against", "", "--threads"], "--threads is for --format folded, svg and html"),
        (["diff", "--base", "", "--against", "", "--work", "5:0"], "--work: '5:0' is not BASE:AGAINST"),
        (["compare-hosts"], "--service is missing: hosts are compared within a service"),
        (["compare-hosts", "--service", "x", "--functions", "0"], "--functions must be 1 to 1000"),
        (["diff", "--base", "", "--against", "", "--widths", "base"], "--widths is for --format svg"),
        (["regressions", "--service", "x"], "give either --at TIME or --new-version VERSION"),
        (["regressions", "--service", "x", "--at", "-1h", "--new-version", "2"], "give either --at TIME or"),
        (["regressions", "--at", "-1h"], "--service is missing: regressions are those of a service"),
        (["regressions", "--service", "x", "--at", "noon"], "--at: 'noon' is not a time"),
        (["regressions", "--service", "x", "--at", "-1h", "--min", "2"], "--min: '2' is neither N%"),
        (["regressions", "--service", "x", "--new-version", "2", "--version", "1"], "not both"),
        (["timeline", "--step", "x"], "--step: 'x' is not a span of time"),
        (["timeline", "--json", "--format", "csv"], "--json and --format csv can't both be meant"),
        (["timeline", "--by", "colour"], "--by"),
        (["timeline", "--explain-changes", "--output", "x.csv"], "--explain-changes: CSV has no place for changes"),
        (["profile"], "'profile' comes later"),
        (["export"], "say --format, of pprof, folded, perf-script, speedscope, firefox"),
        (["export", "x.svg"], "'x.svg' does not say what it is"),
        (["export", "x.pb.gz", "--lines"], "--lines is for --format folded"),
        (["top", "--frame", ""], "--frame needs a name or a pattern"),
        (["top", "--version"], "Missing value for '--version <version>'"),
        (["flamegraph", "--version", ""], "--version needs a name or a pattern"),
        (["services", "--label", "a"], "--label: 'a' is neither NAME=VALUE nor NAME!=VALUE"),
        (["services", "--label", "!a!=b"], "--label: '!a!=b' is neither NAME=VALUE"),
        (["top", "--callers-of", "f", "--callees-of", "g"], "give either --callers-of or --callees-of"),
        (["top", "--callers-of", "f", "--by", "line"], "rank functions; leave --by away"),
        (["top", "--callees-of", ""], "need a function's name"),
        (["services", "--ca", "f"], "--ca comes later; 'perf-query services --help' lists what there is"),
        (
            ["top", "--by", "label:"],
            "--by: 'label:' is none of function, line, module, process, thread, host, service"
        ),
        (["top", "--by", "x"], "--by: 'x' is none of"),
        (["top", "--limit", "0"], "--limit must be 1 to 10000"),
        (["top", "--limit", "10001"], "--limit must be 1 to 10000"),
        (["top", "--sort", "x"], "--sort"),
        (["top", "--since", "5x"], "--since: '5x' is not a span of time"),
        (["top", "--since", "5m", "--from", "-1h"], "not both"),
        (["top", "--from", "now", "--to", "-1h"], "must lie before --to"),
        (
            ["top", "--from", "2026-03-01T12:00:00.900Z", "--to", "2026-03-01T11:00:00.5Z"],
            "--from (2026-03-01T12:00:00Z) must lie before --to (2026-03-01T11:00:00Z)"
        ),
        (
            ["top", "--from", "2026-03-01T12:00:00.900Z", "--to", "2026-03-01T12:00:00.5Z"],
            "--from (2026-03-01T12:00:00.900Z) must lie before --to (2026-03-01T12:00:00.500Z)"
        ),
        (["top", "--service", ""], "--service needs a name"),
        (["top", "--timeout", "x"], "--timeout"),
        (["flamegraph", "--format", "png"], "--format: 'png' is none of svg, html, tui, folded, json"),
        (["flamegraph", "--output", "x.gz"], "'x.gz' does not say what it is"),
        (["flamegraph", "--plain"], "--plain is for --format folded"),
        (["flamegraph", "--lines"], "--lines is for --format folded"),
        (["flamegraph", "--names", "long"], "--names"),
        (["top", "--names", "long"], "--names"),
        (["nonsense"], "Unexpected argument 'nonsense'"),
        (["top", "--nonsense"], "Unknown option '--nonsense'"),
        (["top", "--server", "https://x"], "https comes later"),
        (["top", "--server", "localhost:7172"], "it must begin with http://"),
    ] as [([String], String)])
func `bad usage ends with 64 and one clear message`(arguments: [String], message: String) async throws {
    let run = try await ProgramRun.perfQuery(arguments)
    #expect(run.status == 64)
    #expect(run.output == "")
    #expect(run.errors.contains(message), "\(run.errors)")
}

@Test func `an aggregator that can't be reached ends with 1 and is named`() async throws {
    let run = try await ProgramRun.perfQuery(["services"], environment: ["PERF_SERVER": "http://127.0.0.1:1"])
    #expect(run.status == 1)
    #expect(run.output == "")
    #expect(run.errors.contains("can't reach the aggregator at http://127.0.0.1:1: connection refused"))
    #expect(run.errors.contains("--server or PERF_SERVER"))
}

@Test func `a flag wins over the environment`() async throws {
    let run = try await ProgramRun.perfQuery(
        ["services", "--server", "http://127.0.0.1:2"], environment: ["PERF_SERVER": "http://127.0.0.1:1"])
    #expect(run.errors.contains("http://127.0.0.1:2"))
}

@Test(arguments: ["flamegraph", "top", "services", "hosts", "labels", "types", "agents"])
func `no data ends with 2 and says what there is`(verb: String) async throws {
    let server = try await AnsweringServer([:])
    let run = try await ProgramRun.perfQuery([verb, "--server", server.url])
    #expect(run.status == 2)
    #expect(run.output == "")
    #expect(run.errors == "perf-query: no samples match; there is: web, api\n")
}

@Test(arguments: [
    ("bad_request", 400, Int32(64)), ("internal", 500, 1), ("unavailable", 503, 1),
])
func `an aggregator's refusal is passed on`(code: String, status: Int, expected: Int32) async throws {
    let body = #"{"error":{"code":"\#(code)","message":"because","nearby":["cpu","io"]}}"#
    let server = try await AnsweringServer(["top": .init(status: status, body: body)])
    let run = try await ProgramRun.perfQuery(["top", "--server", server.url])
    #expect(run.status == expected)
    #expect(run.errors.contains("answers \(status) (\(code)): because; there is: cpu, io\n"))
}

@Test(arguments: ["{}", "[]", "", "{\"rows\":1}", "<html></html>"])
func `an answer that is not the one asked for ends with 1`(body: String) async throws {
    let server = try await AnsweringServer(["top": .init(status: 200, body: body)])
    let run = try await ProgramRun.perfQuery(["top", "--json", "--server", server.url])
    #expect(run.status == 1)
    #expect(run.output == "")
    #expect(run.errors.contains("not as an aggregator does"), "\(run.errors)")
}

@Test(arguments: ["flamegraph", "top", "timeline", "services", "hosts", "labels", "types", "agents"])
func `help of each verb holds two examples`(verb: String) async throws {
    let run = try await ProgramRun.perfQuery([verb, "--help"])
    #expect(run.status == 0)
    #expect(run.output.split(separator: "\n").count { $0.hasPrefix("  perf-query \(verb)") } == 2, "\(run.output)")
}

@Test func `the version is printed`() async throws {
    let run = try await ProgramRun.perfQuery(["--version"])
    #expect(run.status == 0)
    #expect(run.output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
}
