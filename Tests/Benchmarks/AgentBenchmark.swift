import Foundation

/// What the agent takes of a host whose cores are all busy, beside `perf record` in the same run. The programs are the
/// ones of the release build.
func agentBenchmark(_ report: inout Report) throws {
    let agent = ".build/release/perf-agent"
    guard FileManager.default.isExecutableFile(atPath: agent) else {
        return report.absent("perf-agent", because: "\(agent) is not built")
    }
    let length = report.isSmoke ? 2.0 : 20.0
    let cores = ProcessInfo.processInfo.activeProcessorCount
    let busy = try (0..<cores).map { _ in
        try Command("/proc/self/exe", ["--spin", "\(4 * (length + 10))"])
    }
    defer { for command in busy { command.end(SIGKILL) } }
    for rate in report.isSmoke ? [100] : [100, 1000] {
        let folder = try TemporaryFolder()
        // Nobody listens there: batches wait in the spool, as they do while an aggregator is away.
        let ours = try usage(
            of: agent,
            [
                "run", "--aggregator", "127.0.0.1:1", "--spool", folder.path("spool"), "--host", "bench", "--rate",
                "\(rate)",
            ],
            length, spool: folder.path("spool"))
        guard let ours else {
            report.absent("perf-agent at \(rate) Hz", because: "it ended by itself; `perf-agent doctor` says why")
            continue
        }
        let limit = rate == 100 ? 0.005 : 0.05
        report.line(
            "agent at \(rate) Hz on \(cores) busy cores: CPU", text(ours.main.cores * 100, "% of a core"),
            ofLimit(ours.main.cores * 100, limit * 100, "%"))
        report.line(
            "its helper at \(rate) Hz", text(ours.helper.cores * 100, "% of a core"),
            text(ours.helper.residentMiB, "MiB resident"))
        report.line(
            "agent at \(rate) Hz: resident", text(ours.main.residentMiB, "MiB"),
            "\(text(ours.main.anonymousMiB, "MiB")) its own memory, \(text(ours.main.sharedMiB, "MiB")) rings and "
                + "unwind tables, \(text(ours.main.fileMiB, "MiB")) program; limit \(text(40, "MiB"))")
        let mine = (ours.main.cores + ours.helper.cores) / max(ours.samplesPerSecond, 1e-6)
        report.line(
            "agent with helper at \(rate) Hz: CPU a sample", text(mine * 1e6, "µs"),
            "\(text(ours.totalSeconds, "s")) in all with start and end; \(text(ours.samplesPerSecond, "samples/s")), "
                + (ours.dropped.isEmpty
                    ? "nothing dropped"
                    : "dropped: " + ours.dropped.map { "\($0.value) \($0.key)" }.sorted().joined(separator: ", ")))
        // The kernel follows frame pointers, which programs of distributions don't have.
        unsafe setenv("PERF_AGENT_STACK_COPY", "0", 1)
        let spool = folder.path("spool-frame-pointers")
        let walked = try usage(
            of: agent,
            ["run", "--aggregator", "127.0.0.1:1", "--spool", spool, "--host", "bench", "--rate", "\(rate)"], length,
            spool: spool)
        unsafe unsetenv("PERF_AGENT_STACK_COPY")
        if let walked {
            let its = (walked.main.cores + walked.helper.cores) / max(walked.samplesPerSecond, 1e-6)
            report.line(
                "the same without copies of stacks, by frame pointers: CPU a sample", text(its * 1e6, "µs"),
                "with copies \(text(mine / max(its, 1e-9), "")) times that; "
                    + "\(text(walked.main.residentMiB, "MiB")) resident")
        }
        for (name, options) in [("-g", ["-g"]), ("--call-graph dwarf,16384", ["--call-graph", "dwarf,16384"])] {
            let path = folder.path("perf.data")
            let record = PerfRecording.always + ["-a", "-F", "\(rate)", "-o", path] + options
            guard PerfRecording.isThere, let theirs = try usage(of: PerfRecording.program, record, length),
                let script = try PerfRecording(path: path, in: folder).script(["-F", "time"], limit: 100)
            else {
                report.absent("perf record -a \(name) -F \(rate)", because: "perf is not there or may not sample")
                continue
            }
            let cost = theirs.main.cores / max(Double(script.sampleCount) / theirs.wallSeconds, 1e-6)
            report.line(
                "perf record -a \(name) -F \(rate): CPU", text(theirs.main.cores * 100, "% of a core"),
                "\(text(theirs.main.cores / max(ours.main.cores, 1e-6), "")) times ours; "
                    + "\(text(cost * 1e6, "µs a sample")), nothing unwound or named; "
                    + "\(text(theirs.totalSeconds, "s")) with start and end; "
                    + "\(text(theirs.main.residentMiB, "MiB")) resident")
        }
    }
}

private struct Usage {
    struct Part {
        var cores = 0.0
        var residentMiB = 0.0
        var anonymousMiB = 0.0
        var sharedMiB = 0.0
        var fileMiB = 0.0
    }
    /// From a second after the start to the end.
    var main = Part()
    /// Its children, added up.
    var helper = Part()
    var totalSeconds = 0.0
    /// From the start to the end.
    var wallSeconds = 0.0
    /// As the agent itself says; 0 for others.
    var samplesPerSecond = 0.0
    /// By reason.
    var dropped: [String: Int] = [:]
}

/// What a running agent says of itself.
private struct AgentStatus: Decodable {
    struct Samples: Decodable {
        var taken: Int
        var dropped: [String: Int]
    }
    var samples: Samples

    init?(_ program: String, spool: String?) throws {
        guard let spool else { return nil }
        let folder = try TemporaryFolder()
        let path = folder.path("status.json")
        try Command(program, ["status", "--spool", spool, "--json"], output: path).wait()
        guard let data = FileManager.default.contents(atPath: path),
            let status = try? JSONDecoder().decode(Self.self, from: data)
        else { return nil }
        self = status
    }
}

/// nil where the program ends before it is told to.
private func usage(
    of program: String, _ arguments: [String], _ length: Double, spool: String? = nil
) throws -> Usage? {
    var usage = Usage()
    let launch = seconds(of: CLOCK_MONOTONIC)
    let command = try Command(program, arguments)
    // The first seconds go to reading /proc and making tables of what runs: `totalSeconds` holds them.
    usleep(spool == nil ? 1_000_000 : 3_000_000)
    let firstStatus = try AgentStatus(program, spool: spool)
    let start = seconds(of: CLOCK_MONOTONIC)
    let children = ProcessFigures.children(of: command.pid)
    let first = ProcessFigures(command.pid)
    let firstOfChildren = children.map { ProcessFigures($0) }
    usleep(UInt32(length * 1e6))
    let span = seconds(of: CLOCK_MONOTONIC) - start
    guard command.isRunning, let first, let last = ProcessFigures(command.pid) else {
        command.end(SIGKILL)
        return nil
    }
    if let firstStatus, let lastStatus = try AgentStatus(program, spool: spool) {
        usage.samplesPerSecond = Double(lastStatus.samples.taken - firstStatus.samples.taken) / span
        // In the time that is measured, as the samples are.
        usage.dropped = lastStatus.samples.dropped.merging(firstStatus.samples.dropped) { $0 - $1 }
            .filter { $0.value > 0 && lastStatus.samples.dropped[$0.key] != nil }
    }
    usage.main = .init(
        cores: (last.cpuSeconds - first.cpuSeconds) / span, residentMiB: last.residentMiB,
        anonymousMiB: last.anonymousMiB, sharedMiB: last.sharedMiB, fileMiB: last.fileMiB)
    for child in ProcessFigures.children(of: command.pid) {
        guard let last = ProcessFigures(child) else { continue }
        let first = children.firstIndex(of: child).flatMap { firstOfChildren[$0] }?.cpuSeconds ?? 0
        usage.helper.cores += (last.cpuSeconds - first) / span
        usage.helper.residentMiB += last.residentMiB
    }
    usage.totalSeconds = command.end(SIGINT)
    usage.wallSeconds = seconds(of: CLOCK_MONOTONIC) - launch
    return usage
}

/// What /proc tells of a process: CPU seconds of all its threads, and memory.
private struct ProcessFigures {
    var cpuSeconds = 0.0
    var residentMiB = 0.0
    var anonymousMiB = 0.0
    var sharedMiB = 0.0
    var fileMiB = 0.0

    init?(_ pid: Int32) {
        // The process's own CPU clock: in nanoseconds, threads that have ended included.
        var clock = clockid_t()
        guard unsafe clock_getcpuclockid(pid, &clock) == 0, let status = Self.read("/proc/\(pid)/status") else {
            return nil
        }
        cpuSeconds = seconds(of: clock)
        for line in status.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.count > 1, let kibibytes = Double(words[1]) else { continue }
            switch words[0] {
            case "VmRSS:": residentMiB = kibibytes / 1024
            case "RssAnon:": anonymousMiB = kibibytes / 1024
            case "RssShmem:": sharedMiB = kibibytes / 1024
            case "RssFile:": fileMiB = kibibytes / 1024
            default: break
            }
        }
    }

    static func children(of pid: Int32) -> [Int32] {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
        return tasks.flatMap { task in
            (read("/proc/\(pid)/task/\(task)/children") ?? "").split(separator: " ").compactMap { Int32($0) }
        }
    }

    private static func read(_ path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        return String(decoding: data, as: UTF8.self)
    }
}

/// Work that keeps a core busy in stacks of different depths.
enum BusyLoop {
    static func spin(seconds length: Double) {
        let end = seconds(of: CLOCK_MONOTONIC) + length
        var dice = Dice(state: 9)
        while seconds(of: CLOCK_MONOTONIC) < end { descend(8 + dice.below(16), &dice) }
    }

    @inline(never)
    private static func descend(_ depth: Int, _ dice: inout Dice) {
        if depth > 0 {
            descend(depth - 1, &dice)
            _ = dice.next()
        } else {
            for _ in 0..<100_000 { _ = dice.next() }
        }
    }
}
