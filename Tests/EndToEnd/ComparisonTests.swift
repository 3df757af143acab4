import Foundation
import Testing

/// Hosts and versions that differ in a known way, from real samples to the answers of `compare-hosts`, `diff` and
/// `regressions`.
@Suite(.serialized, .enabled(if: canSample, "needs the right to sample the whole host (root or CAP_PERFMON)"))
struct ComparisonTests {
    /// Profiles of the same program, stored as those of eight hosts.
    @Test func `two of eight hosts on which a function takes a fifth longer are found, and what they share`() throws {
        let fleet = try Fleet()
        let odd = ["h2", "h5"]
        for number in 0..<8 {
            let host = "h\(number)"
            let path = fleet.folder.path("\(host).pb.gz")
            // 20, 30 and 50 % elsewhere; 24 in place of 20 ms of 104 there.
            let profile = try Program.run(
                "perf-agent",
                [
                    "profile", "--rate", "1999", "--format", "pprof", "--output", path, "--", Program.path("demo-load"),
                    "basket", odd.contains(host) ? "24" : "20", "30", "50", "4",
                ], seconds: 60)
            try #require(profile.status == 0, "\(profile.errors)")
            let stored = try fleet.query(
                "import", "--service", "shop", "--host", host, "--label",
                "kernel=\(odd.contains(host) ? "6.1.0-18" : "6.1.0-17")", "--label",
                "zone=\(["a", "b"][number / 2 % 2])", path)
            try #require(stored.status == 0, "\(stored.errors)")
        }

        let outcome = try fleet.query("compare-hosts", "--service", "shop", "--since", "1h", "--json")
        try #require(outcome.status == 0, "\(outcome.errors)")
        let answer = try outcome.json()
        let hosts = try #require(answer["hosts"] as? [[String: Any]])
        #expect(hosts.count == 8)
        let differing = hosts.filter { $0["differs"] as? Bool == true }
        #expect(Set(differing.compactMap { $0["host"] as? String }) == Set(odd), "\(outcome.output)")
        for host in differing {
            // Half of |24/104 − 0.2| + |30/104 − 0.3| + |50/104 − 0.5|.
            let distance = try #require(host["distance"] as? Double)
            #expect(abs(distance - 0.0308) < 0.015, "\(distance)")
            let functions = try #require(host["functions"] as? [[String: Any]])
            let grown = functions.filter { $0["significant"] as? Bool == true && ($0["delta"] as? Double ?? 0) > 0 }
            #expect(grown.first?["name"] as? String == "price_cart", "\(functions)")
        }
        let groups = try #require(answer["groups"] as? [[String: Any]])
        #expect(groups.count == 1 && (groups.first?["functions"] as? [String])?.first == "price_cart", "\(groups)")
        let labels = try #require(answer["labels"] as? [[String: Any]])
        #expect(labels.first?["label"] as? String == "kernel" && labels.first?["value"] as? String == "6.1.0-18")
        #expect(labels.first?["differing"] as? Int == 2 && labels.first?["hosts"] as? Int == 2)

        // Two hosts on a side prove little, so nothing is asked but that the interval holds the truth.
        let difference = try fleet.query(
            "diff", "--service", "shop", "--since", "1h", "--base", "label:kernel=6.1.0-17", "--against",
            "label:kernel=6.1.0-18", "--sort", "self", "--json")
        try #require(difference.status == 0, "\(difference.errors)")
        let rows = try #require(try difference.json()["rows"] as? [[String: Any]])
        let priced = try #require(rows.first { $0["name"] as? String == "price_cart" }, "\(rows)")
        let (low, high) = (priced["deltaLow"] as? Double ?? 1, priced["deltaHigh"] as? Double ?? -1)
        // Sampling adds what little the program does besides.
        #expect(low <= 24.0 / 104 - 0.2 + 0.003 && high >= 24.0 / 104 - 0.2 - 0.003, "\(priced)")
        let delta = try #require(priced["delta"] as? Double)
        #expect(abs(delta - (24.0 / 104 - 0.2)) < 0.015, "\(delta)")
    }

    @Test func `a version with a new hot path is a regression, told with the version`() throws {
        let fleet = try Fleet()
        let agent = try fleet.startAgent(host: "test-host", rate: 400)
        func run(version: String, _ milliseconds: [String]) throws {
            let before = try fleet.storedSamples(of: "shop")
            let load = try Running(
                "demo-load", ["basket"] + milliseconds + ["14"],
                environment: ["PERF_SERVICE": "shop", "PERF_VERSION": version])
            #expect(load.wait(seconds: 120).status == 0)
            try #require(
                until(seconds: 40) { try fleet.storedSamples(of: "shop") >= before + 14 * 400 * 3 / 4 },
                "\(agent.errors)")
        }
        try run(version: "1", ["20", "30", "0"])
        let none = try fleet.query("regressions", "--service", "shop", "--new-version", "2")
        #expect(none.status == 2 && none.errors.contains("version"), "\(none.errors)")
        try run(version: "2", ["20", "30", "10"])
        agent.signal(SIGTERM)
        #expect(agent.wait(seconds: 20).status == 0)

        let outcome = try fleet.query("regressions", "--service", "shop", "--new-version", "2", "--min", "2%", "--json")
        #expect(outcome.status == 3 && outcome.errors.contains("write_receipt"), "\(outcome.errors)")
        let answer = try outcome.json()
        #expect(answer["newVersion"] as? String == "2" && answer["grown"] as? Int == 1, "\(outcome.output)")
        let rows = try #require(answer["rows"] as? [[String: Any]])
        let row = try #require(rows.first)
        #expect(row["name"] as? String == "write_receipt")
        let share = try #require(row["againstShare"] as? Double)
        #expect(abs(share - 1.0 / 6) < 0.03)
        #expect(row["sinceVersion"] as? String == "2" && row["firstVersion"] as? String == "2", "\(row)")
        // The other way round nothing grew by as much: the others' shares are larger without it, their cores are not.
        let back = try fleet.query("regressions", "--service", "shop", "--new-version", "1", "--min", "15%")
        #expect(back.status == 0 && back.output.contains("no regression"), "\(back.output)\(back.errors)")
    }
}
