import Foundation
import Testing

/// 70 % of the time below `heavy`, 30 % below `light`, in the same code: interpreted, compiled and inlined, by way of an
/// interface and lambdas, with garbage for the collector.
private let sharesProgram = """
    import java.util.*;
    public class Shares {
        static volatile long sink;
        static long mix(long x) { return (x ^ x >>> 13) * 6364136223846793005L + 1442695040888963407L; }
        static long burn(int n) { long x = n; for (int i = 0; i < n; i++) x = mix(x); return x; }
        static long garbage(int n) {
            long sum = 0;
            for (int i = 0; i < n; i++) {
                List<String> list = new ArrayList<>();
                for (int k = 0; k < 8; k++) list.add("k" + (i * k & 7));
                Collections.sort(list);
                sum += list.hashCode();
            }
            return sum;
        }
        static long work(int n) { return burn(n) + garbage(n / 2000); }
        static long heavy(int n) { return work(7 * n); }
        static long light(int n) { return work(3 * n); }
        interface Step { long run(int n); }
        static long descend(int depth, Step step, int n) {
            return depth == 0 ? step.run(n) : descend(depth - 1, step, n) + 1;
        }
        public static void main(String[] arguments) {
            long end = System.nanoTime() + (long) (Double.parseDouble(arguments[0]) * 1e9);
            Step first = Shares::heavy, second = n -> light(n);
            while (System.nanoTime() < end) {
                sink += descend(5, first, 10000);
                sink += descend(5, second, 10000);
            }
        }
    }

    """

/// A thread that stays where it is: compiled and inlined callers, a loop that was entered in the interpreter.
private let stillProgram = """
    public class Still {
        static volatile boolean isOver = true;
        static long spin(long x) { do x = x * 31 + 7; while (!isOver); return x; }
        static long inner(long x) { return spin(x) + 1; }
        static long middle(int depth, long x) { return depth == 0 ? inner(x) : middle(depth - 1, x) + 1; }
        interface Task { long run(long x); }
        static class Job implements Task { public long run(long x) { return middle(3, x); } }
        static long call(Task task, long x) { return task.run(x); }
        public static void main(String[] arguments) {
            long sum = 0;
            for (int i = 0; i < 20000; i++) sum += call(new Job(), i);
            isOver = false;
            System.out.println(call(new Job(), sum));
        }
    }

    """

private let javaHome = "/usr/lib/jvm/java-17-openjdk-amd64"

/// Java programs as they are shipped: no flags, nothing loaded into them.
@Suite(
    .serialized, .enabled(if: canSample, "needs the right to sample the whole host (root or CAP_PERFMON)"),
    .enabled(
        if: FileManager.default.isExecutableFile(atPath: "\(javaHome)/bin/javac"),
        "no JDK 17; Deploy/install-packages.sh installs it"))
struct JavaStackTests {
    private let folder: Folder

    init() throws {
        folder = try Folder()
        for (name, text) in [("Shares", sharesProgram), ("Still", stillProgram)] {
            let file = folder.path("\(name).java")
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            let compiled = try Program.run("\(javaHome)/bin/javac", ["-d", folder.url.path, file])
            try #require(compiled.status == 0, "\(compiled.errors)")
        }
    }

    private func java(_ arguments: [String]) -> [String] {
        ["\(javaHome)/bin/java", "-cp", folder.url.path] + arguments
    }

    private func profile(_ target: [String]) throws -> (stacks: [(frames: [String], value: Double)], all: Double) {
        let output = folder.path("out.folded")
        let outcome = try Program.run(
            "perf-agent", ["profile", "--rate", "200", "--format", "folded", "--plain", "--output", output] + target)
        try #require(outcome.status == 0, "\(outcome.errors)")
        let stacks = try foldedStacks(try String(contentsOfFile: output, encoding: .utf8))
        return (stacks, stacks.reduce(0) { $0 + $1.value })
    }

    /// Whole stacks but for those that were cut (the compiler's own are deeper than their copies), the chain of callers,
    /// and the two shares.
    private func check(_ stacks: [(frames: [String], value: Double)]) {
        func sum(_ isCounted: ([String]) -> Bool) -> Double {
            stacks.reduce(0) { $0 + (isCounted($1.frames) ? $1.value : 0) }
        }
        // The table of libjvm.so, made when the host's agent first meets it, says nothing of Java's frames.
        let tableMissing = "[broken: unwind table not ready]"
        let broken = sum { $0.contains { $0.hasPrefix("[broken") && $0 != tableMissing } }
        let cut = sum { $0.contains("[truncated]") }
        let all = sum { _ in true }
        #expect(all > 150)
        #expect(broken <= 0.03 * (all - cut), "\(broken) broken, \(cut) cut of \(all)")
        #expect(cut < 0.2 * all, "\(cut) of \(all)")
        let names = ["Shares.main", "Shares.descend", "Shares.heavy", "Shares.light", "Shares.work"]
        let working = sum { $0.contains("Shares.work") && !$0.contains("[truncated]") }
        let right = sum { frames in
            let chain = frames.filter(names.contains)
            let start = ["Shares.main"] + [String](repeating: "Shares.descend", count: 6)
            return chain == start + ["Shares.heavy", "Shares.work"] || chain == start + ["Shares.light", "Shares.work"]
        }
        #expect(working > 0.6 * all, "\(working) of \(all)")
        #expect(right >= 0.97 * working, "\(right) of \(working)")
        let shares = shares(of: ["Shares.heavy", "Shares.light"], in: stacks)
        #expect(
            abs(shares["Shares.heavy", default: 0] - 0.7) < fourSigma(share: 0.7, samples: working) + 0.02, "\(shares)")
    }

    @Test func `a program that is started comes out whole, with its shares`() throws {
        check(try profile(["--"] + java(["Shares", "6"])).stacks)
    }

    @Test func `so does one that runs already`() throws {
        let command = java(["Shares", "60"])
        let running = try Running(command[0], Array(command.dropFirst()))
        defer { running.signal(SIGKILL) }
        Thread.sleep(forTimeInterval: 2)
        check(try profile(["--duration", "5", "\(running.pid)"]).stacks)
    }

    @Test func `and a service of a host that is sampled all the time, with the longest copies`() throws {
        let fleet = try Fleet()
        let agent = try Running(
            "perf-agent",
            [
                "run", "--aggregator", fleet.agentAddress, "--spool", folder.path("spool"), "--host", "java-host",
                "--rate", "200",
            ], environment: ["PERF_AGENT_STACK_COPY": "63KiB"])
        let command = java(["Shares", "150"])
        let running = try Running(
            command[0], Array(command.dropFirst()), environment: ["PERF_SERVICE": "java-shares"])
        defer { running.signal(SIGKILL) }
        try #require(
            until(seconds: 120) { try fleet.storedSamples(of: "java-shares") > 800 }, "\(agent.errors)")
        running.signal(SIGKILL)
        agent.signal(SIGTERM)
        #expect(agent.wait(seconds: 30).status == 0)
        let answer = try fleet.query("flamegraph", "--service", "java-shares", "--format", "folded", "--plain")
        try #require(answer.status == 0, "\(answer.errors)")
        check(try foldedStacks(answer.output))
    }

    @Test func `a thread that stands still has the frames that the JVM itself tells of it`() throws {
        let command = java(["Still"])
        let running = try Running(command[0], Array(command.dropFirst()))
        defer { running.signal(SIGKILL) }
        var told: [String] = []
        try until(seconds: 30) {
            let print = try Program.run("\(javaHome)/bin/jcmd", ["\(running.pid)", "Thread.print"])
            let main = print.output.split(separator: "\n").drop { !$0.hasPrefix("\"main\"") }
            told = main.dropFirst().prefix { $0.hasPrefix(" ") || $0.hasPrefix("\t") }.compactMap { line in
                line.firstMatch(of: #/^\s+at ([^(]+)\(/#).map { String($0.1) }
            }
            // The loop of the last call, not one of the many before.
            return told.contains("Still.spin") && told.count { $0 == "Still.middle" } == 4
        }
        try #require(told.last == "Still.main" && told.count == 9, "\(told)")
        let found = try profile(["--duration", "5", "\(running.pid)"])
        let spinning = found.stacks.filter { $0.frames.contains("Still.spin") }
        let all = spinning.reduce(0) { $0 + $1.value }
        let same = spinning.reduce(0) { sum, stack in
            sum + (stack.frames.filter { $0.hasPrefix("Still") }.reversed() == told ? stack.value : 0)
        }
        #expect(all > 100 && all > 0.9 * found.all, "\(all) of \(found.all)")
        #expect(same >= 0.97 * all, "\(same) of \(all); \(told); \(spinning.first?.frames ?? [])")
    }
}
