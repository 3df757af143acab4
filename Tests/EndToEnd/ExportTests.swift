import Foundation
import Testing

/// `perf-query export`, and what it writes read again.
@Suite(.serialized) struct ExportTests {
    private static let stacks = "app;main;work 30\napp;main;wait there 12\napp;main;f_[i] 8\napp;main;r_[k] 5\n"

    private func importing(_ fleet: Fleet, _ path: String, _ more: String...) throws {
        let outcome = try fleet.query(["import", path, "--at", "-2m"] + more)
        try #require(outcome.status == 0, "\(outcome.errors)")
    }

    private func exported(_ fleet: Fleet, _ name: String, _ more: String...) throws -> String {
        let path = fleet.folder.path(name)
        let outcome = try fleet.query(["export", path] + more)
        try #require(outcome.status == 0 && outcome.output.isEmpty, "\(outcome.errors)")
        return path
    }

    private func contents(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    private func text(_ path: String) throws -> String { String(decoding: try contents(path), as: UTF8.self) }

    private func unzipped(_ path: String) throws -> String {
        try Program.run("/usr/bin/gzip", ["-dc", path]).output
    }

    @Test func `the file's name says the format, and .gz gzips`() throws {
        let fleet = try Fleet()
        let path = fleet.folder.path("in.folded")
        try Self.stacks.write(toFile: path, atomically: true, encoding: .utf8)
        try importing(fleet, path, "--service", "web", "--host", "w1")
        let plain = try text(exported(fleet, "a.folded"))
        #expect(plain == "app;main;f_[i] 8\napp;main;r_[k] 5\napp;main;wait there 12\napp;main;work 30\n")
        #expect(try unzipped(exported(fleet, "a.folded.gz")) == plain)
        #expect(try fleet.query("export", "--format", "folded").output == plain)
        #expect(try fleet.query("export", "--format", "folded", "-").output == plain)
        #expect(try fleet.query("flamegraph", "--format", "folded").output == plain)
        let script = try text(exported(fleet, "a.perf"))
        #expect(script.hasPrefix("# ") && script.contains(" 300000000 cpu-clock: \n"), "\(script)")
        #expect(try unzipped(exported(fleet, "a.perf.gz")) == script)
        let speedscope = try text(exported(fleet, "a.speedscope.json"))
        #expect(speedscope.contains("\"exporter\""))
        #expect(try unzipped(exported(fleet, "a.speedscope.json.gz")) == speedscope)
        #expect(try contents(exported(fleet, "a.pb.gz")).starts(with: [0x1F, 0x8B]))
        // --format wins over the name.
        #expect(try contents(exported(fleet, "b.folded", "--format", "pprof")).starts(with: [0x1F, 0x8B]))
        // Selected and filtered as elsewhere.
        #expect(try fleet.query("export", "--format", "folded", "--frame", "work").output == "app;main;work 30\n")
        #expect(try fleet.query("export", "--format", "folded", "--service", "none").status == 2)
        let unwritable = try fleet.query("export", fleet.folder.path("no/such/a.folded"))
        #expect(unwritable.status == 1 && unwritable.errors.contains("can't write"), "\(unwritable.errors)")
    }

    /// Out of one store, into another, and out of that: the same stacks, values and, where the format has them, hosts,
    /// labels, addresses, modules and lines.
    @Test(.enabled(if: canSample, "needs the right to sample"))
    func `what is exported of a real program, imported and exported again says the same`() throws {
        let fleet = try Fleet()
        let profile = fleet.folder.path("profile.pb.gz")
        let run = try Program.run(
            "perf-agent", ["profile", "--output", profile, "--", Program.path("demo-load"), "checkout", "1"])
        try #require(run.status == 0, "\(run.errors)")
        try importing(fleet, profile, "--service", "shop", "--label", "zone=a")

        let pprof = try exported(fleet, "one.pb.gz")
        let folded = try exported(fleet, "one.folded", "--value", "unit")
        let speedscope = try exported(fleet, "one.speedscope.json")
        let script = try exported(fleet, "one.perf")
        let facts = ["--service", "shop", "--host", "h"]

        let second = try Fleet()
        try importing(second, pprof)
        func raw(_ file: String) throws -> [Substring] {
            // Without the times and the remark.
            try Program.run("/usr/bin/go", ["tool", "pprof", "-raw", "-symbolize=none", file]).output
                .split(separator: "\n").filter {
                    !$0.hasPrefix("Time") && !$0.hasPrefix("Duration") && !$0.contains("samples of")
                }
        }
        let rows = try raw(pprof)
        #expect(rows.contains { $0.contains("zone:[a]") } && rows.contains { $0.contains("price_cart") })
        #expect(try raw(exported(second, "two.pb.gz")) == rows)
        // Functions, lines and what they weigh.
        for dimension in ["function", "line"] {
            func top(_ fleet: Fleet) throws -> [String] {
                let answer = try fleet.query("top", "--by", dimension, "--limit", "1000", "--json").json()
                let rows = try #require(answer["rows"] as? [[String: Any]])
                return rows.map { "\($0["name"] ?? "") \($0["file"] ?? "") \($0["line"] ?? "") \($0["self"] ?? "")" }
                    .sorted()
            }
            #expect(try top(second) == top(fleet))
        }

        // Microseconds of folded stacks are counts of 1/1,000,000 s.
        let third = try Fleet()
        try importing(third, folded, facts[0], facts[1], facts[2], facts[3], "--rate", "1000000")
        #expect(try text(exported(third, "two.folded", "--value", "unit")) == text(folded))

        let fourth = try Fleet()
        try importing(fourth, speedscope, facts[0], facts[1], facts[2], facts[3])
        func json(_ path: String) throws -> NSDictionary {
            let file = try JSONSerialization.jsonObject(with: try Data(contentsOf: URL(fileURLWithPath: path)))
            var members = try #require(file as? [String: Any])
            // The title has the time.
            members["name"] = nil
            return NSDictionary(dictionary: members)
        }
        #expect(try json(exported(fourth, "two.speedscope.json")) == json(speedscope))

        let fifth = try Fleet()
        try importing(fifth, script, facts[0], facts[1], facts[2], facts[3])
        let names = ["--value", "unit", "--plain"]
        #expect(
            try text(exported(fifth, "two.folded", names[0], names[1], names[2]))
                == text(exported(fleet, "three.folded", names[0], names[1], names[2])))
    }

    /// perf's own script for folded stacks over the same perf.data.
    @Test(.enabled(if: canSample, "needs the right to sample"))
    func `folded stacks of a perf.data are those of perf's own stackcollapse`() throws {
        let fleet = try Fleet()
        let path = fleet.folder.path("perf.data")
        let record = try Program.run(
            "/usr/bin/perf",
            [
                "record", "-e", "cpu-clock", "-F", "997", "-g", "-o", path, "--", Program.path("demo-load"), "checkout",
                "1",
            ])
        try #require(record.status == 0, "\(record.errors)")
        try importing(fleet, path, "--service", "shop", "--host", "h")
        let theirs = try Program.run("/usr/bin/perf", ["script", "report", "stackcollapse", "-i", path])
        try #require(theirs.status == 0, "\(theirs.errors)")
        let ours = try text(exported(fleet, "a.folded", "--plain", "--names", "full"))
        // Addresses without a name are theirs by nothing, ours by module and offset: they are compared as one.
        func stacks(_ text: String) throws -> [String: Int] {
            try text.split(separator: "\n").reduce(into: [:]) { sums, line in
                let space = try #require(line.lastIndex(of: " "))
                let names = line[..<space].split(separator: ";").map {
                    $0.hasPrefix("[unknown") ? "[unknown]" : String($0)
                }
                sums[names.joined(separator: ";"), default: 0] += try #require(
                    Int(line[line.index(after: space)...]))
            }
        }
        let expected = try stacks(theirs.output)
        #expect(expected.values.reduce(0, +) > 200)
        #expect(try stacks(ours) == expected)
    }
}
