import Foundation
import Testing

/// 60, 30 and 10 % of the time by the same inner loop, told apart by who called it.
private let program = """
    import sys, time
    def burn(n):
        s = 0
        for i in range(n):
            s += i * i
        return s
    def price(n):
        return burn(n)
    def tax(n):
        return burn(n)
    class Log:
        def write(self, n):
            return sum(sorted((burn(n) for _ in range(1)), key=lambda value: value))
    def main():
        log = Log()
        end = time.process_time() + float(sys.argv[1])
        while time.process_time() < end:
            price(60000)
            tax(30000)
            log.write(10000)
    main()

    """

/// A program of Python as it is started everywhere: its functions in the place of the interpreter's loop.
@Suite(
    .serialized, .enabled(if: canSample, "needs the right to sample the whole host (root or CAP_PERFMON)"),
    .enabled(if: has("/usr/bin/python3"), "python3 is not installed; Deploy/install-packages.sh installs it"))
struct PythonStackTests {
    private let folder: Folder
    private let script: String

    init() throws {
        folder = try Folder()
        script = folder.path("shares.py")
        try program.write(toFile: script, atomically: true, encoding: .utf8)
    }

    private func check(_ stacks: [(frames: [String], value: Double)]) throws {
        let names = ["price", "tax", "Log.write"]
        let shares = shares(of: names, in: stacks)
        let samples = stacks.reduce(0) { $0 + $1.value }
        for (name, share) in zip(names, [0.6, 0.3, 0.1]) {
            #expect(
                abs(shares[name, default: 0] - share) < fourSigma(share: share, samples: samples) + 0.02, "\(shares)")
        }
        // Callers before callees; the interpreter's loop only before it was known that there is one.
        let priced = try #require(stacks.first { $0.frames.contains("price") })
        let order = priced.frames.filter { ["<module>", "main", "price", "burn"].contains($0) }
        #expect(
            order.starts(with: ["main", "<module>", "main", "price"])
                || order.starts(with: ["<module>", "main", "price"]))
        let loops = stacks.filter { $0.frames.contains { $0.contains("_PyEval_EvalFrameDefault") } }
        #expect(loops.reduce(0) { $0 + $1.value } < 0.05 * samples + 60)
    }

    @Test func `Python's functions stand in the place of the interpreter, with their shares and lines`() throws {
        let found = try Profiled(["/usr/bin/python3", script, "2"], in: folder)
        // Some samples find the interpreter elsewhere than it was; each is told.
        #expect(found.whole >= 0.9 * found.samples, "\(found.answer["coverage"] ?? "")")
        try check(found.stacks)
        let lines = try #require(found.answer["lines"] as? [[String: Any]])
        let hottest = try #require(lines.first { $0["file"] as? String == script })
        #expect([4, 5].contains(hottest["line"] as? Int ?? 0) && hottest["name"] as? String == "burn")
    }

    @Test func `a program that runs already is read as well as one that is started`() throws {
        let running = try Running("/usr/bin/python3", [script, "60"])
        defer { running.signal(SIGKILL) }
        let found = try Profiled([], target: "\(running.pid)", in: folder)
        #expect(found.whole >= 0.9 * found.samples, "\(found.answer["coverage"] ?? "")")
        try check(found.stacks)
    }

    @Test func `a fleet's agent reads the whole host's`() throws {
        let fleet = try Fleet()
        let running = try Running("/usr/bin/python3", [script, "90"], environment: ["PERF_SERVICE": "sums"])
        defer { running.signal(SIGKILL) }
        let agent = try fleet.startAgent(host: "test-host", rate: 200)
        try #require(until(seconds: 60) { try fleet.storedSamples(of: "sums") > 2_000 }, "\(agent.errors)")
        agent.signal(SIGTERM)
        let end = agent.wait(seconds: 20)
        #expect(end.status == 0, "\(end.errors)")
        let folded = try fleet.query("flamegraph", "--service", "sums", "--format", "folded", "--plain")
        try check(try foldedStacks(folded.output))
        let text = try fleet.query("flamegraph", "--service", "sums", "--format", "json").output
        let coverage = try #require(text.firstMatch(of: #/"wholeStacks":(\d+),"cutStacks":(\d+),"brokenStacks":(\d+)/#))
        let counts = [coverage.1, coverage.2, coverage.3].map { Double($0) ?? 0 }
        #expect(counts[0] >= 0.9 * counts.reduce(0, +), "\(coverage.0)")
    }
}
