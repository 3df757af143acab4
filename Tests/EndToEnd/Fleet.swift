import Foundation
import Testing

/// An aggregator and agents on this machine, in folders of their own.
final class Fleet {
    let folder: Folder
    private(set) var aggregator: Running
    private(set) var agentAddress: String
    private(set) var server: String

    init() throws {
        folder = try Folder()
        (aggregator, agentAddress, server) = try Self.startAggregator(
            data: folder.path("data"), agents: "127.0.0.1:0", http: "127.0.0.1:0")
    }

    private static func startAggregator(
        data: String, agents: String, http: String
    ) throws -> (Running, String, String) {
        let running = try Running(
            "perf-aggregator", ["serve", "--data", data, "--listen-agents", agents, "--listen-http", http])
        let line = #/listening agents=(\S+) http=(\S+)/#
        try #require(
            until(seconds: 20) { running.output.firstMatch(of: line) != nil || !running.process.isRunning },
            "no listening line: \(running.errors)")
        let match = try #require(running.output.firstMatch(of: line), "it ended: \(running.errors)")
        return (running, String(match.1), "http://\(match.2)")
    }

    /// Ends the aggregator as a power cut would, then starts it again on the same addresses.
    func killAndRestartAggregator(pauseSeconds: Double) throws {
        aggregator.signal(SIGKILL)
        _ = aggregator.wait(seconds: 5)
        Thread.sleep(forTimeInterval: pauseSeconds)
        (aggregator, agentAddress, server) = try Self.startAggregator(
            data: folder.path("data"), agents: agentAddress,
            http: String(server.dropFirst("http://".count)))
    }

    func startAgent(host: String, rate: Int = 100) throws -> Running {
        try Running(
            "perf-agent",
            [
                "run", "--aggregator", agentAddress, "--spool", folder.path("spool-\(host)"), "--host", host, "--rate",
                "\(rate)",
            ])
    }

    func query(_ arguments: String...) throws -> Outcome { try query(arguments) }

    func query(_ arguments: [String]) throws -> Outcome {
        try Program.run("perf-query", arguments + ["--server", server])
    }

    /// Samples that the store holds for a service, from a time on; 0 where there are none.
    func storedSamples(of service: String, from: String? = nil) throws -> Int {
        let outcome = try Program.run(
            "perf-query", ["services", "--json", "--server", server] + (from.map { ["--from", $0] } ?? []))
        guard outcome.status == 0 else { return 0 }
        let services = try outcome.json()["services"] as? [[String: Any]] ?? []
        return services.first { $0["name"] as? String == service }?["samples"] as? Int ?? 0
    }
}

/// One agent's account, as `perf-query agents --json` tells it.
struct Account {
    var taken: Int
    var stored: Int
    var pending: Int
    var dropped: [String: Int]

    init(_ agent: [String: Any]) throws {
        let samples = try #require(agent["samples"] as? [String: Any])
        taken = try #require(samples["taken"] as? Int)
        stored = try #require(samples["stored"] as? Int)
        pending = try #require(samples["pending"] as? Int)
        dropped = try #require(samples["dropped"] as? [String: Int])
    }

    var isBalanced: Bool { taken == stored + pending + dropped.values.reduce(0, +) }
}

/// Folded stacks as (frames, value).
func foldedStacks(_ text: String) throws -> [(frames: [String], value: Double)] {
    try text.split(separator: "\n").map { line in
        let space = try #require(line.lastIndex(of: " "), "no value: \(line)")
        return (
            line[..<space].split(separator: ";").map(String.init),
            try #require(Double(line[line.index(after: space)...]))
        )
    }
}

/// The share of samples whose leaf-most frame among `names` is each name, of those that hold one of them at all.
func shares(of names: [String], in stacks: [(frames: [String], value: Double)]) -> [String: Double] {
    var values: [String: Double] = [:]
    for (frames, value) in stacks {
        if let name = frames.last(where: names.contains) { values[name, default: 0] += value }
    }
    let total = values.values.reduce(0, +)
    return values.mapValues { $0 / total }
}

/// Four standard errors of a share among `samples` samples.
func fourSigma(share: Double, samples: Double) -> Double {
    4 * (share * (1 - share) / max(samples, 1)).squareRoot()
}
