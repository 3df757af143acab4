import Foundation
import Testing

/// Statements that never run and make a function too large to be compiled into its callers: V8 tells nothing of a
/// function that was.
private let padding = (0..<60).map { "if (n === -1 - \($0)) n = n * \($0 + 3) + 1;" }.joined(separator: " ")

/// 70 and 30 % of `burn` by two siblings of one chain, and some of the time in builtins: a regular expression
/// and JSON.parse, written in V8's own code and in C++.
private let program = """
    const text = JSON.stringify(Array.from({ length: 400 }, (_, i) => ({ id: i, name: "item " + i })));
    const pattern = /(\\w+)@(\\w+)\\.com$/;
    function burn(n) { \(padding)
      let x = 1;
      for (let i = 0; i < n; i++) { x = (x * 16807 + i) % 2147483647; }
      return x;
    }
    function heavy(n) { \(padding) return burn(n * 7); }
    function light(n) { \(padding) return burn(n * 3); }
    function parse(n) { \(padding) return JSON.parse(text).length; }
    function match(n) { \(padding)
      let s = 0;
      for (let i = 0; i < 200; i++) s += pattern.test("somebody.with.a.long.name" + i + "@example.com") ? 1 : 0;
      return s;
    }
    class Service {
      handle(n) { \(padding) return heavy(n) + light(n) + parse(n) + match(n); }
    }
    function main(seconds) { \(padding.replacing("n ", with: "seconds "))
      const service = new Service();
      let s = 0;
      while (process.cpuUsage().user < seconds * 1e6) s += service.handle(3000);
      return s;
    }
    process.on("exit", () => require("fs").rmSync(`/tmp/perf-${process.pid}.map`, { force: true }));
    main(Number(process.argv[2]));

    """

private let node = ["/usr/bin/node", "/usr/local/bin/node"].first(where: has)

/// Programs of Node as they are started everywhere, without a flag, and with those that make V8 write maps.
@Suite(
    .serialized, .enabled(if: canSample, "needs the right to sample the whole host (root or CAP_PERFMON)"),
    .enabled(if: node != nil, "node is not installed; Deploy/install-packages.sh installs it"))
struct NodeStackTests {
    private let folder: Folder
    private let script: String

    init() throws {
        folder = try Folder()
        script = folder.path("shares.js")
        try program.write(toFile: script, atomically: true, encoding: .utf8)
    }

    private func check(_ stacks: [(frames: [String], value: Double)]) {
        let all = stacks.reduce(0) { $0 + $1.value }
        let own = stacks.filter { $0.frames.contains("main") && $0.frames.contains("handle") }
        let samples = own.reduce(0) { $0 + $1.value }
        #expect(samples > 0.5 * all, "\(samples) of \(all)")

        let found = shares(of: ["heavy", "light"], in: own.filter { $0.frames.contains("burn") })
        for (name, share) in [("heavy", 0.7), ("light", 0.3)] {
            #expect(
                abs(found[name, default: 0] - share) < fourSigma(share: share, samples: samples) + 0.02, "\(found)")
        }
        // Each function once, callers before callees, all of them neighbours.
        let burning = own.filter { $0.frames.contains("burn") }
        let right = burning.filter { stack in
            let functions = stack.frames.filter { ["main", "handle", "heavy", "light", "burn"].contains($0) }
            guard let first = stack.frames.firstIndex(of: "main"), functions.count == 4 else { return false }
            return Array(stack.frames[first...].prefix(4)) == functions
                && [["main", "handle", "heavy", "burn"], ["main", "handle", "light", "burn"]].contains(functions)
        }
        let inRight = right.reduce(0) { $0 + $1.value }
        let inBurning = burning.reduce(0) { $0 + $1.value }
        #expect(inBurning > 200 && inRight >= 0.97 * inBurning, "\(inRight) of \(inBurning)")

        // Builtins stand above the functions that call them: in C++, and in code of regular expressions.
        let parsing = own.filter { $0.frames.contains("parse") }
        let inParser = parsing.filter { stack in
            guard let parse = stack.frames.firstIndex(of: "parse") else { return false }
            return stack.frames[parse...].contains { $0.contains("JsonParse") }
        }
        #expect(parsing.count > 0 && !inParser.isEmpty)
        let matching = own.filter { $0.frames.contains("match") }
        #expect(matching.reduce(0) { $0 + $1.value } > 0.02 * samples)

        // Of V8's own machinery nothing is left, nor is there code without a name, but in the first samples, taken before
        // the process was known: for a quarter of a second at most.
        let machinery = ["Builtins_InterpreterEntryTrampoline", "Builtins_JSEntry", "Builtins_JSEntryTrampoline"]
        let unnamed = own.filter { stack in
            stack.frames.contains { machinery.contains($0) || $0.hasPrefix("[unknown [anon]") }
        }
        #expect(unnamed.reduce(0) { $0 + $1.value } < 0.05 * samples + 100)
    }

    @Test(arguments: [
        [], ["--perf-basic-prof"], ["--perf-basic-prof", "--interpreted-frames-native-stack"], ["--no-opt"],
    ])
    func `JavaScript's functions stand in the place of V8's own frames, with their shares and lines`(
        flags: [String]
    ) throws {
        // With maps V8 begins a log, too.
        let log = ["--no-logfile-per-isolate", "--logfile=\(folder.path("v8.log"))"]
        let logs = flags.contains("--perf-basic-prof") ? log : []
        let found = try Profiled([try #require(node)] + flags + logs + [script, "3"], in: folder)
        #expect(found.whole >= 0.97 * found.samples, "\(found.answer["coverage"] ?? "")")
        check(found.stacks)
        let lines = try #require(found.answer["lines"] as? [[String: Any]])
        let burn = try #require(
            lines.first { $0["file"] as? String == script && $0["name"] as? String == "burn" }, "\(lines.prefix(5))")
        // Where the function begins.
        #expect(burn["line"] as? Int == 3, "\(burn)")
    }

    @Test func `a program that runs already is read as well as one that is started`() throws {
        let running = try Running(try #require(node), [script, "60"])
        defer { running.signal(SIGKILL) }
        let found = try Profiled([], target: "\(running.pid)", in: folder)
        #expect(found.whole >= 0.97 * found.samples, "\(found.answer["coverage"] ?? "")")
        check(found.stacks)
    }

    @Test func `a fleet's agent reads the whole host's`() throws {
        let fleet = try Fleet()
        let running = try Running(try #require(node), [script, "90"], environment: ["PERF_SERVICE": "shop"])
        defer { running.signal(SIGKILL) }
        let agent = try fleet.startAgent(host: "test-host", rate: 200)
        func answer() throws -> Outcome {
            try fleet.query("flamegraph", "--service", "shop", "--format", "folded", "--plain")
        }
        try #require(
            until(seconds: 60) {
                // Names of V8's C++ come when the aggregator has asked for them.
                try fleet.storedSamples(of: "shop") > 2_000 && answer().output.contains("JsonParse")
            }, "\(agent.errors)")
        agent.signal(SIGTERM)
        let end = agent.wait(seconds: 20)
        #expect(end.status == 0, "\(end.errors)")
        check(try foldedStacks(try answer().output))
        let text = try fleet.query("flamegraph", "--service", "shop", "--format", "json").output
        let coverage = try #require(text.firstMatch(of: #/"wholeStacks":(\d+),"cutStacks":(\d+),"brokenStacks":(\d+)/#))
        let counts = [coverage.1, coverage.2, coverage.3].map { Double($0) ?? 0 }
        #expect(counts[0] >= 0.97 * counts.reduce(0, +), "\(coverage.0)")
    }
}
