import Foundation
import Testing

/// A folder that is gone afterwards.
private func withFolder<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("query-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder)
}

private func names(_ folder: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path)
}

@Test func `a picture goes to standard output unless that is a terminal`() async throws {
    let server = try await AnsweringServer(["flamegraph": .init(status: 200, body: "<svg/>")])
    let run = try await ProgramRun.perfQuery(["flamegraph", "--server", server.url])
    #expect(run.status == 0)
    #expect(run.output == "<svg/>")
    #expect(server.uris.first?.contains("format=svg") == true)
}

@Test func `on a terminal a picture is written to a named file`() async throws {
    let server = try await AnsweringServer(["flamegraph": .init(status: 200, body: "<svg/>")])
    try await withFolder { folder in
        let run = try await ProgramRun.perfQuery(
            ["flamegraph", "--server", server.url, "--service", "../we b", "--to", "2026-03-01T12:00:00Z"],
            directory: folder, terminal: true)
        #expect(run.status == 0, "\(run.output)")
        #expect(run.output == "flamegraph-.._we_b-20260301T120000Z.svg\r\n")
        #expect(try names(folder) == ["flamegraph-.._we_b-20260301T120000Z.svg"])
    }
}

@Test(arguments: [
    (["--output", "a.svg"], "format=svg"),
    (["--output", "a.json"], "format=json"),
    (["--output", "a.folded"], "format=folded"),
    (["--output", "a.pb.gz"], "format=pprof"),
    (["--output", "a.speedscope.json"], "format=speedscope"),
    (["--output", "a.json.gz"], "format=firefox"),
    (["--output", "a.perf"], "format=perf-script"),
    (["--output", "a.json", "--format", "folded"], "format=folded"),
    (["--output", "a"], "format=svg"),
])
func `the format wins over the extension and the extension over the default`(
    arguments: [String], expected: String
) async throws {
    let server = try await AnsweringServer(["flamegraph": .init(status: 200, body: "body")])
    try await withFolder { folder in
        let run = try await ProgramRun.perfQuery(["flamegraph", "--server", server.url] + arguments, directory: folder)
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output == "")
        #expect(server.uris.first?.contains(expected) == true)
        #expect(try String(contentsOf: folder.appendingPathComponent(arguments[1]), encoding: .utf8) == "body")
        #expect(try names(folder).count == 1)
    }
}

@Test func `folded stacks are asked for with their flags`() async throws {
    let server = try await AnsweringServer(["flamegraph": .init(status: 200, body: "a;b 1\n")])
    let run = try await ProgramRun.perfQuery([
        "flamegraph", "--server", server.url, "--format", "folded", "--threads", "--lines", "--value", "unit",
        "--plain",
        "--names", "full",
    ])
    #expect(run.output == "a;b 1\n")
    let uri = try #require(server.uris.first)
    #expect(uri.hasSuffix("&format=folded&threads=true&lines=true&value=unit&plain=true&names=full"))
    #expect(run.errors == "")
}

@Test func `a unit that was chosen is said beside the folded stacks`() async throws {
    let server = try await AnsweringServer([
        "flamegraph": .init(status: 200, body: "a;b 1\n", note: "values are microseconds of CPU time")
    ])
    let run = try await ProgramRun.perfQuery(["flamegraph", "--server", server.url, "--format", "folded"])
    #expect(run.output == "a;b 1\n")
    #expect(run.errors == "note: values are microseconds of CPU time\n")
}

@Test func `control characters in folded stacks are escaped on a terminal and nowhere else`() async throws {
    let server = try await AnsweringServer(["flamegraph": .init(status: 200, body: "a\u{1B}[31m;b 1\n")])
    let arguments = ["flamegraph", "--server", server.url, "--format", "folded"]
    #expect(try await ProgramRun.perfQuery(arguments).output == "a\u{1B}[31m;b 1\n")
    #expect(try await ProgramRun.perfQuery(arguments, terminal: true).output == "a\\x1b[31m;b 1\r\n")
}

@Test func `a file that was there is replaced whole or not at all`() async throws {
    let server = try await AnsweringServer(["flamegraph": .init(status: 200, body: "new")])
    try await withFolder { folder in
        let file = folder.appendingPathComponent("a.svg")
        try Data("old".utf8).write(to: file)
        // A reader that opened it before still has the old one: it was renamed over, not written into.
        let reader = try FileHandle(forReadingFrom: file)
        try FileManager.default.createSymbolicLink(
            at: folder.appendingPathComponent("link.svg"), withDestinationURL: file)
        _ = try await ProgramRun.perfQuery(
            ["flamegraph", "--server", server.url, "--output", "link.svg"], directory: folder)
        #expect(try reader.readToEnd() == Data("old".utf8))
        #expect(try Data(contentsOf: file) == Data("new".utf8))
        #expect(try names(folder).sorted() == ["a.svg", "link.svg"])

        let none = try await AnsweringServer([:])
        let run = try await ProgramRun.perfQuery(
            ["flamegraph", "--server", none.url, "--output", "a.svg"], directory: folder)
        #expect(run.status == 2)
        #expect(try Data(contentsOf: file) == Data("new".utf8))
    }
}

@Test(arguments: [("/nonexistent/a.svg", "no such file or directory"), ("/tmp", "is a directory")])
func `a file that can't be written is named with the flag`(path: String, reason: String) async throws {
    let server = try await AnsweringServer(["flamegraph": .init(status: 200, body: "<svg/>")])
    let run = try await ProgramRun.perfQuery(["flamegraph", "--server", server.url, "--output", path])
    #expect(run.status == 1)
    #expect(run.errors == "perf-query: can't write \(path) (--output): \(reason)\n")
}

@Test func `output to a device works`() async throws {
    let server = try await AnsweringServer(["flamegraph": .init(status: 200, body: "<svg/>")])
    let run = try await ProgramRun.perfQuery(["flamegraph", "--server", server.url, "--output", "/dev/null"])
    #expect(run.status == 0, "\(run.errors)")
}

@Test func `a reader that goes early is no error`() async throws {
    let server = try await AnsweringServer([
        "flamegraph": .init(status: 200, body: String(repeating: "a;b 1\n", count: 500_000))
    ])
    let run = try await ProgramRun.perfQuery(
        ["flamegraph", "--server", server.url, "--format", "folded"], pipedInto: "head -n 1")
    #expect(run.output == "a;b 1\n")
    #expect(run.errors == "")
}
