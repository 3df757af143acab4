import Foundation
import Testing

/// Programs of compiled languages, optimised and without frame pointers: their stacks from the start of the program or
/// thread to the inner loop, with names and shares that are known, however the program came to be sampled.
@Suite(.serialized, .enabled(if: canSample, "needs the right to sample the whole host (root or CAP_PERFMON)"))
struct NativeLanguageTests {
    @Test func `compilers of all languages are there`() {
        for program in NativeProgram.all where !program.isFound {
            Issue.record("\(program.compile[0]) is not installed; Deploy/install-packages.sh test installs it")
        }
    }

    @Test(arguments: NativeProgram.found)
    func `a program that is started is seen whole`(_ program: NativeProgram) throws {
        let path = try program.build()
        let folder = try Folder()
        let output = folder.path("out.folded")
        let outcome = try Program.run(
            "perf-agent",
            ["profile", "--rate", "500", "--format", "folded", "--output", output, "--", path, "0.7"])
        try #require(outcome.status == 0, "\(outcome.errors)")
        let stacks = try foldedStacks(try String(contentsOfFile: output, encoding: .utf8))
        expectWhole(stacks, of: program, atLeast: 200)
        expectShares(program.sort(ownFrames(stacks)), of: program)
    }

    /// Attached to while it runs; its names in full.
    @Test(arguments: NativeProgram.found)
    func `a program that runs already is seen whole, as gdb sees it, and as perf does where gdb agrees with perf`(
        _ program: NativeProgram
    ) throws {
        let path = try program.build()
        let running = try Running(path, ["60"])
        defer { running.signal(SIGKILL) }
        let recording = try PerfRecord(process: running.pid, rate: 250, seconds: 2)
        let outcome = try Program.run(
            "perf-agent",
            [
                "profile", "--rate", "500", "--duration", "2", "--format", "folded", "--names", "full",
                "\(running.pid)",
            ])
        try #require(outcome.status == 0, "\(outcome.errors)")
        let stacks = try foldedStacks(outcome.output)
        expectWhole(stacks, of: program, atLeast: 200)
        let own = ownFrames(stacks)
        expectShares(program.sort(own, full: true), of: program, full: true)

        let theirs = try recording.stacks()
        let readable = try program.unstripped.flatMap { name in NativeProgram.all.first { $0.name == name } }?.build()
        let truth = try Debugger.stacks(of: readable ?? path, at: program.innerLoop, arguments: ["0.02"])
        let comparison = Comparison(ours: own, theirs: theirs, truth: truth)
        #expect(comparison.oursAlone.isEmpty, "gdb doesn't know \(comparison.oursAlone)")
        #expect(comparison.missing.isEmpty, "perf and gdb agree, we don't: \(comparison.missing)")
        if program.isFollowedByPerf {
            #expect(comparison.theirsAlone.isEmpty, "gdb doesn't know perf's \(comparison.theirsAlone)")
        } else {
            // The README says so; should perf learn it, the table there is out of date.
            #expect(comparison.agreed.isEmpty, "perf follows it now")
        }
    }

    @Test func `an agent of the whole host sees all of them whole, at once`() throws {
        let fleet = try Fleet()
        let programs = NativeProgram.found
        var running: [Running] = []
        for program in programs {
            running.append(try Running(try program.build(), ["300"], environment: ["PERF_SERVICE": "truth-\(program)"]))
        }
        defer { for one in running { one.signal(SIGKILL) } }
        let agent = try fleet.startAgent(host: "truth", rate: 400)
        // Where other work keeps the helper process waiting, stacks of the first windows wait in vain for unwind tables;
        // they are told so. What is asked about begins behind that.
        var from = Date()
        var stacks: [String: [(frames: [String], value: Double)]] = [:]
        let isThere = try until(seconds: 240) {
            let start = from.ISO8601Format()
            guard try programs.allSatisfy({ try fleet.storedSamples(of: "truth-\($0)", from: start) > 300 }) else {
                return false
            }
            for program in programs {
                let folded = try fleet.query(
                    "flamegraph", "--service", "truth-\(program)", "--from", start, "--format", "folded")
                try #require(folded.status == 0, "\(folded.errors)")
                if folded.output.contains("[broken: unwind table not ready]") { from = Date() }
                stacks[program.name] = try foldedStacks(folded.output)
            }
            // Names come when the aggregator has asked for them.
            return from.ISO8601Format() == start
                && programs.allSatisfy { $0.sort(ownFrames(stacks[$0.name, default: []])).onWays > 0 }
        }
        try #require(isThere, "\(agent.errors)")
        for program in programs {
            let found = program.sort(ownFrames(stacks[program.name, default: []]))
            expectWhole(stacks[program.name, default: []], of: program, atLeast: 300)
            expectShares(found, of: program)
            let top = try fleet.query(
                "top", "--service", "truth-\(program)", "--from", from.ISO8601Format(), "--sort", "total", "--limit",
                "100", "--json")
            try expectIntervals(top, found, of: program)
        }
    }

    // MARK: What is expected

    private func expectWhole(
        _ stacks: [(frames: [String], value: Double)], of program: NativeProgram, atLeast least: Double
    ) {
        let samples = stacks.reduce(0) { $0 + $1.value }
        let broken = stacks.filter { $0.frames.contains { $0 == "[truncated]" || $0.hasPrefix("[broken") } }
        let whole = samples - broken.reduce(0) { $0 + $1.value }
        #expect(samples >= least, "\(program)")
        #expect(whole >= 0.97 * samples, "\(program): \(whole) of \(samples) whole; \(heaviest(broken))")
    }

    private func expectShares(_ found: NativeProgram.Found, of program: NativeProgram, full: Bool = false) {
        let all = found.inInnerLoop
        #expect(all > 100, "\(program)")
        #expect(
            found.onWays >= 0.97 * all, "\(program): \(found.onWays) of \(all) known; \(heaviest(found.elsewhere))")
        for (way, value) in zip(program.ways, found.byWay) {
            let share = value / max(found.onWays, 1)
            #expect(
                abs(share - way.share) < fourSigma(share: way.share, samples: found.onWays) + 0.01,
                "\(program): \(share) instead of \(way.share) by \(full ? way.full : way.short)")
        }
    }

    /// The error that is printed: its 95 % intervals are held against twice their width, since there are many. A way is
    /// at least its part of the inner loop; throwing and catching come on top of that.
    private func expectIntervals(_ top: Outcome, _ found: NativeProgram.Found, of program: NativeProgram) throws {
        try #require(top.status == 0, "\(top.errors)")
        let answer = try top.json()
        let samples = try #require(answer["samples"] as? Double)
        let rows = try #require(answer["rows"] as? [[String: Any]])
        for (way, value) in zip(program.ways, found.byWay) {
            // The function that is on no other way.
            guard
                let name = way.short.first(where: { name in program.ways.count { $0.short.contains(name) } == 1 })
            else { continue }
            let row = try #require(rows.first { $0["name"] as? String == name }, "\(name) of \(rows)")
            let share = try #require(row["totalShare"] as? Double)
            let low = try #require(row["totalShareLow"] as? Double)
            let high = try #require(row["totalShareHigh"] as? Double)
            let truth = way.share * found.inInnerLoop / samples
            #expect(low < share && share < high && high - low < 0.25, "\(program) \(name): \(low)–\(high)")
            #expect(truth < share + 2 * (high - share) + 0.005, "\(program) \(name): \(truth) is above \(low)–\(high)")
            #expect(share * samples >= value * 0.97, "\(program) \(name): \(share) of \(samples)")
        }
    }

    private func heaviest(_ stacks: [(frames: [String], value: Double)]) -> String {
        stacks.sorted { $0.value > $1.value }.prefix(3).map { "\($0.value) \($0.frames.joined(separator: ";"))" }
            .joined(separator: "\n")
    }
}

/// Stacks without their process, the kernel's and inlined frames, and marks of frames.
func ownFrames(_ stacks: [(frames: [String], value: Double)]) -> [(frames: [String], value: Double)] {
    stacks.map { stack in
        (stack.frames.dropFirst().filter { !$0.hasSuffix("_[k]") && !$0.hasSuffix("_[i]") }, stack.value)
    }
}
