import Foundation
import Testing

/// Agent, TCP, aggregator and query together, with real samples of a load whose shares are known.
@Suite(.serialized, .enabled(if: canSample, "needs the right to sample the whole host (root or CAP_PERFMON)"))
struct PipelineTests {
    @Test func `known shares come through, and every sample is accounted for`() throws {
        let fleet = try Fleet()
        let load = try Running("demo-load", ["60"])
        let agent = try fleet.startAgent(host: "test-host", rate: 200)
        try #require(
            until(seconds: 50) {
                // Names come when the aggregator has asked for them, behind those of larger modules.
                try fleet.storedSamples(of: "checkout") > 1_000
                    && fleet.query("flamegraph", "--service", "checkout", "--format", "folded").output
                        .contains("price_cart")
            }, "\(agent.errors)")
        load.signal(SIGTERM)
        agent.signal(SIGTERM)
        let end = agent.wait(seconds: 20)
        #expect(end.status == 0, "\(end.errors)")

        let folded = try fleet.query("flamegraph", "--service", "checkout", "--format", "folded")
        try #require(folded.status == 0, "\(folded.errors)")
        let stacks = try foldedStacks(folded.output)
        let samples = stacks.reduce(0) { $0 + $1.value }
        let found = shares(of: checkoutFunctions, in: stacks)
        for (name, share) in checkoutShares {
            #expect(
                abs(found[name, default: 0] - share) < fourSigma(share: share, samples: samples), "\(name) \(found)")
        }

        let top = try fleet.query("top", "--service", "checkout", "--json").json()
        let rows = try #require(top["rows"] as? [[String: Any]])
        for (name, share) in checkoutShares {
            let row = try #require(rows.first { $0["name"] as? String == name }, "\(rows)")
            let selfShare = try #require(row["selfShare"] as? Double)
            #expect(abs(selfShare - share) < fourSigma(share: share, samples: samples) + 0.03, "\(name)")
        }
        #expect(top["intervalOver"] as? String == "time")
        #expect(top["samples"] as? Double == samples)

        let tree = try fleet.query("flamegraph", "--service", "checkout", "--format", "json").json()
        #expect(tree["samples"] as? Double == samples)
        let root = try #require(tree["root"] as? [String: Any])
        #expect(root["total"] as? Double == tree["value"] as? Double)

        let agents = try #require(try fleet.query("agents", "--json").json()["agents"] as? [[String: Any]])
        let account = try Account(try #require(agents.first))
        #expect(agents.count == 1)
        #expect(account.isBalanced, "\(account)")
        #expect(account.pending == 0, "\(account)")
        #expect(account.stored > Int(samples))
    }

    @Test func `an aggregator killed between batches loses and doubles nothing`() throws {
        let fleet = try Fleet()
        let load = try Running("demo-load", ["90"])
        let agent = try fleet.startAgent(host: "test-host")
        try #require(until(seconds: 40) { try fleet.storedSamples(of: "checkout") > 0 }, "\(agent.errors)")
        for _ in 0..<2 { try fleet.killAndRestartAggregator(pauseSeconds: 4) }
        try #require(until(seconds: 30) { try fleet.storedSamples(of: "checkout") > 800 }, "\(agent.errors)")
        try fleet.killAndRestartAggregator(pauseSeconds: 0)
        load.signal(SIGTERM)
        agent.signal(SIGTERM)
        let end = agent.wait(seconds: 30)
        #expect(end.status == 0, "\(end.errors)")

        let agents = try #require(try fleet.query("agents", "--json").json()["agents"] as? [[String: Any]])
        let account = try Account(try #require(agents.first))
        #expect(account.isBalanced, "\(account)")
        #expect(account.pending == 0, "\(account)")
        #expect(account.dropped.values.reduce(0, +) == 0, "\(account) \(agent.errors)")
        let services = try #require(try fleet.query("services", "--json").json()["services"] as? [[String: Any]])
        let stored = services.reduce(0) { $0 + ($1["samples"] as? Int ?? 0) }
        #expect(stored == account.stored)
        fleet.aggregator.signal(SIGTERM)
        #expect(fleet.aggregator.wait(seconds: 10).status == 0)
        let check = try Program.run("perf-aggregator", ["check", "--data", fleet.folder.path("data")])
        #expect(check.status == 0, "\(check.output)\(check.errors)")
    }

    @Test func `an agent killed at once is told so by its next start, and the account still adds up`() throws {
        let fleet = try Fleet()
        let load = try Running("demo-load", ["60"])
        defer { load.signal(SIGTERM) }
        let first = try fleet.startAgent(host: "test-host")
        try #require(until(seconds: 40) { try fleet.storedSamples(of: "checkout") > 0 }, "\(first.errors)")
        Thread.sleep(forTimeInterval: 4)
        first.signal(SIGKILL)
        _ = first.wait(seconds: 5)
        let second = try fleet.startAgent(host: "test-host")
        Thread.sleep(forTimeInterval: 12)
        second.signal(SIGTERM)
        #expect(second.wait(seconds: 20).status == 0, "\(second.errors)")
        let agents = try #require(try fleet.query("agents", "--json").json()["agents"] as? [[String: Any]])
        #expect(agents.count == 1, "the agent's ID outlives it")
        let account = try Account(try #require(agents.first))
        #expect(account.isBalanced, "\(account)")
        #expect(account.pending == 0, "\(account)")
        #expect(account.dropped["killed", default: 0] > 0, "\(account)")
    }
}

/// What a user types wrong, and what the answer is.
@Suite(.serialized) struct BadInputTests {
    @Test func `a service that does not exist is told with those that do, or that there is no data`() throws {
        let fleet = try Fleet()
        let outcome = try fleet.query("top", "--service", "nowhere")
        #expect(outcome.status == 2, "\(outcome.errors)")
        #expect(!outcome.errors.isEmpty)
    }

    @Test func `a server that can't be reached is named with the flag that sets it`() throws {
        let outcome = try Program.run("perf-query", ["services", "--server", "http://127.0.0.1:1"])
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("--server"))
        #expect(outcome.errors.contains("127.0.0.1:1"))
    }

    @Test(arguments: [("top", "--ca")])
    func `what comes later is refused with that word`(verb: String, flag: String) throws {
        let outcome = try Program.run("perf-query", [verb, flag, "x"])
        #expect(outcome.status == 64)
        #expect(outcome.errors.contains("later"), "\(outcome.errors)")
    }

    @Test func `a port in use ends the aggregator with a message that names it`() throws {
        let fleet = try Fleet()
        let outcome = try Program.run(
            "perf-aggregator",
            [
                "serve", "--data", fleet.folder.path("other"), "--listen-agents", fleet.agentAddress, "--listen-http",
                "127.0.0.1:0",
            ])
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("--listen-agents"), "\(outcome.errors)")
    }

    @Test func `an address that is not loopback needs a sentence in the configuration`() throws {
        let folder = try Folder()
        let outcome = try Program.run(
            "perf-aggregator",
            ["serve", "--data", folder.path("data"), "--listen-agents", "0.0.0.0:0", "--listen-http", "127.0.0.1:0"])
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("insecure"), "\(outcome.errors)")
    }

    @Test func `an unknown key is told with file, line and the nearest known one`() throws {
        let folder = try Folder()
        try "# a comment\nsamplesPerSecnd: 10\n".write(
            toFile: folder.path("agent.yaml"), atomically: true, encoding: .utf8)
        let outcome = try Program.run("perf-agent", ["run", "--check-config", "--config", folder.path("agent.yaml")])
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("agent.yaml"), "\(outcome.errors)")
        #expect(outcome.errors.contains("2"), "\(outcome.errors)")
    }

    @Test(arguments: ["bash", "zsh", "fish"], ["perf-agent", "perf-aggregator", "perf-query"])
    func `every program writes completions`(shell: String, program: String) throws {
        let outcome = try Program.run(program, ["--generate-completion-script", shell])
        #expect(outcome.status == 0)
        #expect(outcome.output.contains(program))
    }
}
