import Foundation
import Testing

/// Files of other tools into the store, by the programs as users run them.
@Suite(.serialized) struct ImportedFileTests {
    private static let stacks = "app;main;work 30\napp;main;wait\tthere 12\napp;main;f_[i] 8\n"

    @Test func `a file is stored once, however often it is imported`() throws {
        let fleet = try Fleet()
        let path = fleet.folder.path("a.folded")
        try Self.stacks.write(toFile: path, atomically: true, encoding: .utf8)
        let arguments = ["--service", "web", "--host", "w1", "--label", "zone=a", path]
        let first = try fleet.query(["import"] + arguments)
        #expect(first.output == "\(path): 50 samples (folded)\n", "\(first.output) \(first.errors)")
        for _ in 0..<2 {
            let again = try fleet.query(["import"] + arguments)
            #expect(again.output == "\(path): 50 samples (folded), there already\n", "\(again.output) \(again.errors)")
        }
        let folded = try fleet.query("flamegraph", "--service", "web", "--format", "folded")
        #expect(
            folded.output == "app;main;f_[i] 8\napp;main;wait\\tthere 12\napp;main;work 30\n",
            "\(folded.output) \(folded.errors)")
        let top = try fleet.query("top", "--label", "zone=a", "--json").json()
        #expect(top["samples"] as? Int == 50 && top["value"] as? Int == 500_000_000)
        // The file tells no time, so there are no cores.
        let rows = try #require(top["rows"] as? [[String: Any]])
        #expect(rows[0]["name"] as? String == "work" && rows[0]["cores"] is NSNull, "\(rows[0])")
        let agents = try #require(try fleet.query("agents", "--json").json()["agents"] as? [[String: Any]])
        #expect(try Account(try #require(agents.first)).isBalanced)
        #expect(((top["coverage"] as? [String: Any])?["hostsSilent"] as? Int) == 0)

        // It survives a power cut right behind the answer.
        let more = fleet.folder.path("b.folded")
        try "app;more 5\n".write(toFile: more, atomically: true, encoding: .utf8)
        #expect(try fleet.query("import", "--service", "web", "--host", "w1", more).status == 0)
        try fleet.killAndRestartAggregator(pauseSeconds: 0)
        #expect(try fleet.storedSamples(of: "web") == 55)
    }

    @Test func `pprof comes out as it went in, with its hosts and labels`() throws {
        let fleet = try Fleet()
        let path = fleet.folder.path("a.folded")
        try Self.stacks.write(toFile: path, atomically: true, encoding: .utf8)
        _ = try fleet.query("import", "--service", "web", "--host", "w1", "--label", "zone=a", path)
        let (one, two) = (fleet.folder.path("one.pb.gz"), fleet.folder.path("two.pb.gz"))
        try #require(try fleet.query("flamegraph", "--service", "web", "--output", one).status == 0)
        let other = try Fleet()
        let imported = try other.query("import", "--at", "-1m", one)
        #expect(imported.output.hasSuffix("50 samples (pprof)\n"), "\(imported.output) \(imported.errors)")
        try #require(try other.query("flamegraph", "--service", "web", "--output", two).status == 0)
        func raw(_ file: String) throws -> [Substring] {
            // Without the times and the remark.
            try Program.run("/usr/bin/go", ["tool", "pprof", "-raw", "-symbolize=none", file]).output
                .split(separator: "\n").filter {
                    !$0.hasPrefix("Time") && !$0.hasPrefix("Duration") && !$0.contains("samples of")
                }
        }
        let text = try raw(one)
        #expect(text.contains { $0.contains("zone:[a]") } && text.contains { $0.contains("work") }, "\(text)")
        #expect(try raw(two) == text)
    }

    @Test(arguments: [
        ("app;f 3\nnonsense\n", "a.folded", "line 2"), ("{\"nodes\":[", "a.cpuprofile", "offset 10"),
        ("app 1 1.0: cpu-clock:\n\tzz f (x)\n", "a.perf", "line 2"), ("", "a.folded", "no samples"),
    ])
    func `a broken file is named with its place, and nothing of it is stored`(
        text: String, name: String, place: String
    ) throws {
        let fleet = try Fleet()
        let (good, bad) = (fleet.folder.path("good.folded"), fleet.folder.path(name))
        try Self.stacks.write(toFile: good, atomically: true, encoding: .utf8)
        try text.write(toFile: bad, atomically: true, encoding: .utf8)
        let outcome = try fleet.query("import", "--service", "web", "--host", "w1", good, bad)
        #expect(
            outcome.status == 1 && outcome.errors.contains(place) && outcome.errors.contains(name), "\(outcome.errors)")
        #expect(try fleet.query("services").status == 2)
    }

    @Test(.enabled(if: canSample, "needs the right to sample"))
    func `a perf.data is read by way of perf`() throws {
        let fleet = try Fleet()
        let path = fleet.folder.path("perf.data")
        let record = try Program.run(
            "/usr/bin/perf",
            [
                "record", "-e", "cpu-clock", "-F", "997", "-g", "-o", path, "--", Program.path("demo-load"), "checkout",
                "2",
            ])
        try #require(record.status == 0, "\(record.errors)")
        let imported = try fleet.query("import", "--service", "demo", "--host", "p1", path)
        #expect(imported.output.contains("(perf.data)"), "\(imported.output) \(imported.errors)")
        let top = try fleet.query("top", "--service", "demo", "--json").json()
        let rows = try #require(top["rows"] as? [[String: Any]])
        #expect(rows[0]["name"] as? String == "price_cart", "\(rows[0])")
        let seconds = try #require(top["value"] as? Double) / 1e9
        #expect(seconds > 0.2 && seconds < 3, "\(seconds)")
    }

    @Test(.enabled(if: canSample, "needs the right to sample"))
    func `a perf.data is read gzipped, from a pipe, and as perf record writes it into one`() throws {
        let fleet = try Fleet()
        let (path, load) = (fleet.folder.path("perf.data"), Program.path("demo-load"))
        func shell(_ command: String) throws -> Outcome {
            try Program.run(
                "/bin/bash",
                ["-c", "set -o pipefail; \(command) --service demo --host p1 --server \(fleet.server) --json"])
        }
        let record = "/usr/bin/perf record -e cpu-clock -F 997 -g -o"
        try #require(try Program.run("/bin/bash", ["-c", "\(record) \(path) -- \(load) checkout 1"]).status == 0)
        let query = Program.path("perf-query")
        func samples(_ outcome: Outcome) throws -> Int {
            let files = try #require(try outcome.json()["files"] as? [[String: Any]], "\(outcome.errors)")
            #expect(files.first?["format"] as? String == "perf.data")
            return try #require(files.first?["samples"] as? Int)
        }
        let plain = try samples(shell("\(query) import \(path)"))
        #expect(plain > 200)
        #expect(try samples(shell("gzip -c \(path) | \(query) import -")) == plain)
        #expect(try samples(shell("\(query) import <(cat \(path))")) == plain)
        #expect(try samples(shell("\(record) - -- \(load) checkout 1 | \(query) import -")) > 200)
    }

    /// The largest resident memory of an import, in MiB; it must be refused with status 1.
    private func memory(importing file: String, saying reason: String) throws -> Int {
        let program = """
            import resource, subprocess, sys
            run = subprocess.run(sys.argv[1:], stderr=subprocess.PIPE, text=True)
            print(run.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, run.stderr)
            """
        let outcome = try Program.run(
            "/usr/bin/python3",
            [
                "-c", program, Program.path("perf-query"), "import", "--service", "s", "--host", "h", "--server",
                "http://127.0.0.1:9", file,
            ])
        let words = outcome.output.split(separator: " ", maxSplits: 2)
        try #require(words.count == 3 && words[0] == "1" && words[2].contains(reason), "\(outcome)")
        return try #require(Int(words[1]))
    }

    /// Small gzip files that expand to what would take many GiB.
    @Test(arguments: [
        ("b'{\"nodes\":[' + b'{\"a\":0},' * 60000000", "a.cpuprofile"), ("b'2\\0' + b'\"\\0' * 200000000", "a.pb"),
        ("b'{)\\0' + b'N' * 500000000", "a.prof"),
    ])
    func `a hostile file takes bounded memory`(content: String, name: String) throws {
        let folder = try Folder()
        let path = folder.path(name + ".gz")
        let made = try Program.run(
            "/usr/bin/python3",
            ["-c", "import gzip; open('\(path)', 'wb').write(gzip.compress(\(content), 1))"])
        try #require(made.status == 0, "\(made.errors)")
        let mebibytes = try memory(importing: path, saying: "up to here it takes more than")
        // The file, and 1 GiB; without a bound these take 6 GiB and more.
        #expect(mebibytes < 1_800, "\(mebibytes)")
    }

    @Test func `samples older than what is kept are refused with a remedy`() throws {
        let fleet = try Fleet()
        let path = fleet.folder.path("a.folded")
        try Self.stacks.write(toFile: path, atomically: true, encoding: .utf8)
        let outcome = try fleet.query("import", "--service", "w", "--host", "h", "--at", "2001-01-01T00:00:00Z", path)
        #expect(outcome.status != 0 && outcome.errors.contains("--at"), "\(outcome.errors)")
    }
}
