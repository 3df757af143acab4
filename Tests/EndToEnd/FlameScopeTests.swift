import Foundation
import Testing

private let python = "/usr/bin/python3"

/// A profile over its time against programs whose times are known.
@Suite(
    .serialized,
    .enabled(
        if: canSample && FileManager.default.isExecutableFile(atPath: python),
        "needs the right to sample the whole host (root or CAP_PERFMON) and python3"))
struct FlameScopeTests {
    /// Busy for the first 100 ms of each half second.
    private static let bursts = """
        import time
        def burst(end):
            while time.monotonic() < end: pass
        start = time.monotonic()
        for n in range(14):
            burst(start + n * 0.5 + 0.1)
            time.sleep(max(0, start + (n + 1) * 0.5 - time.monotonic()))
        """

    /// The facts that a page holds of its scope.
    private static func scope(_ file: String) throws -> (rows: Int, columns: Int, cores: [Int]) {
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let start = try #require(text.range(of: "id=\"scope\">")).upperBound
        let json = text[start...].prefix { $0 != "<" }
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(String(json).utf8)) as? [String: Any])
        return (
            try #require(object["rows"] as? Int), try #require(object["columns"] as? Int),
            try #require(object["cores"] as? [Int])
        )
    }

    @Test func `a program that works 100 ms of each 500 shows two bands a second, and idleness between`() throws {
        let folder = try Folder()
        let page = folder.path("scope.html")
        let outcome = try Program.run(
            "perf-agent",
            ["profile", "--rate", "200", "--format", "scope", "--output", page, "--", python, "-c", Self.bursts])
        try #require(outcome.status == 0, "\(outcome.errors)")
        let (rows, columns, cores) = try Self.scope(page)
        #expect(rows == 50 && columns >= 7 && cores.count == rows * columns)
        // Within the first six seconds all was measured; the last column ends with the program.
        let inner = cores.prefix(6 * rows)
        #expect(inner.allSatisfy { $0 >= 0 })
        #expect(cores.contains(-1) || cores.count == 7 * rows)
        // Folded by half a second, after the start of Python: nearly all of it within six neighbouring rows of 25.
        var folded = [Int](repeating: 0, count: 25)
        for (index, value) in inner.enumerated().dropFirst(25) { folded[index % 25] += value }
        let whole = folded.reduce(0, +)
        let best = (0..<25).map { first in (0..<6).reduce(0) { $0 + folded[(first + $1) % 25] } }.max() ?? 0
        #expect(Double(best) > 0.85 * Double(whole), "\(folded)")
        // A fifth of a core, where the host had one to spare.
        let mean = Double(whole) / 1000 / Double(inner.count - 25)
        #expect(mean > 0.04 && mean < 0.25, "\(mean) cores")
    }

    @Test func `a span of a profile holds what ran in it alone`() throws {
        let program = """
            import time
            def first(end):
                while time.monotonic() < end: pass
            def second(end):
                while time.monotonic() < end: pass
            start = time.monotonic()
            first(start + 1.5)
            second(start + 3)
            """
        func functions(_ span: String) throws -> [String: Double] {
            let outcome = try Program.run(
                "perf-agent",
                ["profile", "--rate", "200", "--format", "json", "--between", span, "--", python, "-c", program])
            try #require(outcome.status == 0, "\(outcome.errors)")
            let answer = try outcome.json()
            let seconds = try #require(answer["durationSeconds"] as? Double)
            #expect(abs(seconds - 1) < 0.01, "\(seconds) s")
            let rows = try #require(answer["functions"] as? [[String: Any]])
            return Dictionary(
                rows.compactMap { row in
                    (row["name"] as? String).flatMap { name in (row["totalShare"] as? Double).map { (name, $0) } }
                }, uniquingKeysWith: +)
        }
        let early = try functions("300ms,1.3s"), late = try functions("1.9s,2.9s")
        #expect(early["first", default: 0] > 0.8 && early["second"] == nil, "\(early)")
        #expect(late["second", default: 0] > 0.8 && late["first"] == nil, "\(late)")
    }

    @Test(arguments: [
        (["--between", "2s"], Int32(64), "expected two times since the start"),
        (["--between", "3s,2s"], 64, "expected two times since the start"),
        (["--between", "1s,2s", "--format", "scope"], 64, "a scope shows all of the time"),
        (["--between", "50s,60s"], 2, "--between begins 50.0 s after the start"),
    ])
    func `a span that can't be is told`(flags: [String], status: Int32, message: String) throws {
        let outcome = try Program.run("perf-agent", ["profile"] + flags + ["--", "/bin/true"])
        #expect(outcome.status == status && outcome.errors.contains(message), "\(outcome.status) \(outcome.errors)")
    }

    @Test func `on standard output a scope is text`() throws {
        let outcome = try Program.run(
            "perf-agent", ["profile", "--format", "scope", "--", python, "-c", "import time\ntime.sleep(0.2)"])
        try #require(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("· not measured; a line is 40 ms of each second"), "\(outcome.output)")
    }
}
