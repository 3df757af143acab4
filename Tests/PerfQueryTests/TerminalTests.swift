import Foundation
import Testing

/// An answer of `flamegraph --format json` with this tree.
private func answer(_ root: String) -> String {
    #"{"range":{"from":"2026-03-01T11:00:00Z","to":"2026-03-01T12:00:00Z"},"#
        + #""asked":{"from":"2026-03-01T11:00:00Z","to":"2026-03-01T12:00:00Z"},"#
        + #""type":{"name":"cpu","unit":"nanoseconds"},"samples":100,"value":1000000000,"intervalOver":"hosts","#
        + #""intervalUnits":2,"coverage":{"hosts":2,"hostsSilent":0,"agents":2,"dropped":{},"wholeStacks":100,"#
        + #""cutStacks":0,"brokenStacks":0},"root":"# + root + "}\n"
}

private func node(
    _ name: String, _ total: Int, own: Int = 0, kind: String = "native", _ children: String...
) -> String {
    #"{"name":"\#(name)","module":"app","file":"a.c","line":7,"self":\#(own),"total":\#(total),"kind":"\#(kind)","#
        + #""children":[\#(children.joined(separator: ","))]}"#
}

private let tree = node(
    "all", 1_000_000_000, kind: "marker",
    node(
        "web", 900_000_000, kind: "process",
        node(
            "main", 900_000_000, node("parse", 700_000_000, own: 700_000_000),
            node("sort", 200_000_000, own: 200_000_000))),
    node("other", 100_000_000, own: 100_000_000, kind: "process"))

@Suite(.enabled(if: TerminalRun.isPossible, "needs python3 and its package pyte"), .serialized)
struct TerminalTests {
    typealias Step = TerminalRun.Step

    private func arguments(_ server: AnsweringServer) -> [String] {
        ["perf-query", "flamegraph", "--server", server.url, "--service", "web", "--format", "tui"]
    }

    @Test func `a terminal shows the picture, follows keys and is given back`() async throws {
        let server = try await AnsweringServer(["flamegraph": .init(status: 200, body: answer(tree))])
        let run = try await TerminalRun.run(
            arguments(server),
            steps: [
                Step(until: "? help"), Step(send: "\u{1B}[A\u{1B}[A\u{1B}[A", until: "0.70 s"),
                Step(send: "l\r", until: "of the zoom"), Step(send: "\u{1B}", gone: "of the zoom"),
                Step(send: "/pars", until: "/pars_"), Step(send: "\r", until: "matched 70.00 %"),
                Step(send: "ik", until: "0.90 s"), Step(send: "?", until: "Keys"),
                Step(resize: [30, 8], gone: "Ctrl-L"), Step(send: " ", until: "matched"), Step(send: "q"),
            ])
        try #require(run.error == nil, "\(run.error ?? "")")
        #expect(run.status == 0)
        #expect(server.uris.first?.contains("service=web") == true)
        #expect(server.uris.first?.contains("format=json&kinds=true") == true)
        let first = run.looks[0].rows
        #expect(first.count == 12 && first[0].hasPrefix("web  2026-03-01T11:00:00Z to"), "\(first)")
        // `other` has 6 of 60 columns, `web` 54, `parse` 42 of them.
        let margin = String(repeating: " ", count: 6)
        #expect(first[5] == margin + "▏parse" + String(repeating: " ", count: 36) + "▏sort", "\(first)")
        #expect(Array(first[6...8]) == [margin + "▏main", "▏other▏web", "▏all"], "\(first)")
        #expect(run.looks[0].colours >= 4 && run.looks[0].isAlternate)
        #expect(!run.looks[0].isRestored && !run.looks[0].isCursorSeen && !run.looks[0].wraps)
        #expect(run.looks[1].rows[9] == "parse")
        #expect(run.looks[1].rows[10].hasPrefix("0.70 s, 70.00 %, self 70.00 %  app"))
        #expect(run.looks[2].rows[5] == "▏sort" && run.looks[2].rows[9] == "sort")
        #expect(run.looks[3].rows[5] == first[5])
        #expect(run.looks[6].rows[1] == "▏all" && run.looks[6].rows[4] == first[5])
        let small = run.looks[9].rows
        #expect(small.count == 8 && small[1] == "▏all" && small[2] == "▏  ▏web", "\(small)")
        let last = try #require(run.looks.last)
        #expect(last.isRestored && last.isCursorSeen && last.wraps && !last.isAlternate && last.title == "")
    }

    @Test func `names can't do anything to the terminal`() async throws {
        let hostile = #"\u001b]0;owned\u0007\u001b[2J\u009b31m\u202ex\n日本\#(String(repeating: "<", count: 1000))"#
        let server = try await AnsweringServer([
            "flamegraph": .init(status: 200, body: answer(node("all", 10, kind: "marker", node(hostile, 10, own: 10))))
        ])
        for columns in [10, 60] {
            let run = try await TerminalRun.run(
                arguments(server), columns: columns, environment: ["NO_COLOR": "1"],
                steps: [Step(until: "\\x1b]"), Step(send: "k", until: "\\x1b"), Step(send: "q")])
            try #require(run.error == nil, "\(run.error ?? "")")
            #expect(run.looks[0].title == "" && run.looks[0].rows[8].hasPrefix("│all"), "\(run.looks[0].rows)")
            #expect(run.looks[0].colours == 1 && !run.output.contains(";48;"))
            #expect(run.looks.last?.isRestored == true)
        }
    }

    @Test func `two thousand frames are scrolled through`() async throws {
        var stack = node("f1999", 5, own: 5)
        for level in (0..<1999).reversed() { stack = node("f\(level)", 5, stack) }
        let server = try await AnsweringServer(["flamegraph": .init(status: 200, body: answer(stack))])
        let run = try await TerminalRun.run(
            arguments(server),
            steps: [
                Step(until: "levels 1 to 8 of 2000"), Step(send: "\u{1B}[F", until: "▏f1999"),
                Step(send: "/^f1000$\rn", until: "▏f1000"), Step(send: "q"),
            ])
        try #require(run.error == nil, "\(run.error ?? "")")
        #expect(run.looks[1].rows.contains { $0.hasPrefix("▏f1999") })
        #expect(run.looks[2].rows.contains("f1000") && run.looks[2].rows[11] == "from the start again")
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGSEGV])
    func `a signal that ends it leaves the terminal as it was`(number: Int32) async throws {
        let server = try await AnsweringServer(["flamegraph": .init(status: 200, body: answer(tree))])
        let run = try await TerminalRun.run(
            arguments(server), steps: [Step(until: "? help"), Step(signal: number)])
        try #require(run.error == nil, "\(run.error ?? "")")
        #expect(run.status == -Int(number))
        let last = try #require(run.looks.last)
        #expect(last.isRestored && last.isCursorSeen && last.wraps && !last.isAlternate)
    }

    @Test func `Ctrl-C ends it, and Ctrl-Z stops it until it is in the foreground again`() async throws {
        let server = try await AnsweringServer(["flamegraph": .init(status: 200, body: answer(tree))])
        let run = try await TerminalRun.run(
            arguments(server),
            steps: [
                Step(send: "", until: "? help"), Step(send: "\u{1A}", stopped: true),
                Step(foreground: true, alternate: true), Step(send: "k", until: "0.90 s"), Step(send: "\u{3}"),
            ])
        try #require(run.error == nil, "\(run.error ?? "")")
        #expect(run.looks[1].isRestored && !run.looks[1].isAlternate && run.looks[1].isCursorSeen)
        #expect(run.looks[3].isAlternate && !run.looks[3].isRestored && run.looks[3].rows[9] == "web")
        #expect(run.status == -Int(SIGINT))
        #expect(run.looks.last?.isRestored == true && run.looks.last?.isAlternate == false)
    }

    @Test func `without a terminal it says so, before anything is asked`() async throws {
        let server = try await AnsweringServer(["flamegraph": .init(status: 200, body: answer(tree))])
        let piped = try await ProgramRun.perfQuery(["flamegraph", "--server", server.url, "--format", "tui"])
        #expect(piped.status == 64)
        #expect(piped.errors.hasPrefix("perf-query: --format tui draws in a terminal, and standard output is none"))
        let words = arguments(server).joined(separator: " ") + " </dev/null"
        let input = try await TerminalRun.run(["/bin/sh", "-c", words], steps: [])
        #expect(input.status == 64 && input.output.contains("standard input is none"), "\(input)")
        let dumb = try await TerminalRun.run(arguments(server), environment: ["TERM": "dumb"], steps: [])
        #expect(dumb.status == 64 && dumb.output.contains("TERM says 'dumb'") && !dumb.output.contains("\u{1B}"))
        let file = try await ProgramRun.perfQuery(["flamegraph", "--format", "tui", "--output", "x"])
        #expect(file.status == 64 && file.errors.contains("--output"))
        #expect(server.uris.isEmpty)
    }

    @Test func `an answer that is no tree is an error and leaves the terminal alone`() async throws {
        let server = try await AnsweringServer(["flamegraph": .init(status: 200, body: answer(#"{"name":3}"#))])
        let run = try await TerminalRun.run(arguments(server), steps: [])
        #expect(run.status == 1 && run.output.contains("answers, but not as an aggregator does"), "\(run)")
        #expect(!run.output.contains("\u{1B}"))
    }
}
