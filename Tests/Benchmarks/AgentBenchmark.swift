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
            length)
        guard let ours else {
            report.absent("perf-agent at \(rate) Hz", because: "it ended by itself; `perf-agent doctor` says why")
            continue
        }
        let limit = rate == 100 ? 0.005 : 0.05
        report.line(
            "agent at \(rate) Hz on \(cores) busy cores: CPU", text(ours.main.cores * 100, "% of a core"),
            ofLimit(ours.main.cores * 100, limit * 100, "%"))
        report.line(
            "agent at \(rate) Hz: resident", text(ours.main.residentMiB, "MiB"),
            ofLimit(ours.main.residentMiB, 60, "MiB"))
        report.line(
            "its helper at \(rate) Hz", text(ours.helper.cores * 100, "% of a core"),
            text(ours.helper.residentMiB, "MiB resident"))
        report.line("agent with helper, start and end included", text(ours.totalSeconds, "s CPU"))
        let record = ["record", "-q", "-a", "-g", "-e", "cpu-clock", "-F", "\(rate)", "-o", folder.path("perf.data")]
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/perf"),
            let theirs = try usage(of: "/usr/bin/perf", record, length)
        else {
            report.absent("perf record -a -g -F \(rate)", because: "perf is not there or may not sample")
            continue
        }
        report.line(
            "perf record -a -g -F \(rate): CPU", text(theirs.main.cores * 100, "% of a core"),
            "\(text(theirs.main.cores / max(ours.main.cores, 1e-6), "")) times ours; "
                + "\(text(theirs.totalSeconds, "s")) with start and end; "
                + "\(text(theirs.main.residentMiB, "MiB")) resident")
    }
}

private struct Usage {
    struct Part {
        var cores = 0.0
        var residentMiB = 0.0
    }
    /// From a second after the start to the end.
    var main = Part()
    /// Its children, added up.
    var helper = Part()
    var totalSeconds = 0.0
}

/// nil where the program ends before it is told to.
private func usage(of program: String, _ arguments: [String], _ length: Double) throws -> Usage? {
    var usage = Usage()
    let command = try Command(program, arguments)
    usleep(1_000_000)
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
    usage.main = .init(cores: (last.cpuSeconds - first.cpuSeconds) / span, residentMiB: last.residentMiB)
    for child in ProcessFigures.children(of: command.pid) {
        guard let last = ProcessFigures(child) else { continue }
        let first = children.firstIndex(of: child).flatMap { firstOfChildren[$0] }?.cpuSeconds ?? 0
        usage.helper.cores += (last.cpuSeconds - first) / span
        usage.helper.residentMiB += last.residentMiB
    }
    usage.totalSeconds = command.end(SIGINT)
    return usage
}

/// What /proc tells of a process: CPU seconds of all its threads, and memory.
private struct ProcessFigures {
    var cpuSeconds = 0.0
    var residentMiB = 0.0

    init?(_ pid: Int32) {
        // The process's own CPU clock: in nanoseconds, threads that have ended included.
        var clock = clockid_t()
        guard unsafe clock_getcpuclockid(pid, &clock) == 0, let status = Self.read("/proc/\(pid)/status") else {
            return nil
        }
        cpuSeconds = seconds(of: clock)
        for line in status.split(separator: "\n") where line.hasPrefix("VmRSS:") {
            residentMiB =
                (line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) } ?? 0) / 1024
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
