import Foundation
import ProfileStore
import Profiles
import WireProtocol

/// Batches of a fleet into a store, and questions out of it: windows of 10 s with 500 samples in 150 stacks of 10
/// services each, durable when they count.
func ingestBenchmark(_ report: inout Report) async throws {
    let hosts = report.size(100, smoke: 3)
    let windows = report.size(24, smoke: 6)
    let start = Timestamp(seconds: 1_795_514_400)
    let end = start + Int64(windows) * 10_000_000_000
    var checked: [CheckedBatch] = []
    var batches: [Batch] = []
    for window in 0..<windows {
        for host in 0..<hosts {
            batches.append(
                try Batch(
                    encoding: SyntheticLoad.services(host: host, window: window)
                        .windowProfile(host: host, window: window, start: start),
                    agent: Identifier(high: 1, low: UInt64(host)), epoch: Identifier(high: 2, low: UInt64(host)),
                    sequence: UInt64(window + 1)))
        }
    }
    let checking = try threadSeconds {
        for batch in batches {
            checked.append(CheckedBatch(batch, profile: try batch.windowProfile(), received: batch.window.end))
        }
    }
    report.line("check (digest, expand, decode)", rate(batches.count, checking), "CPU of one core")

    let folder = FileManager.default.temporaryDirectory.appending(path: "perf-fleet-bench-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let store = try SQLiteStore(SQLiteStore.Options(directory: folder.path, now: { end }))
    // The last tenth one by one: what a commit of its own costs.
    let single = max(1, checked.count / 10)
    for (groupSize, part) in [(64, checked.dropLast(single)), (1, checked.suffix(single))] {
        var rest = part
        var stored = 0
        let spent = await processCost {
            while !rest.isEmpty {
                let outcomes = await store.append(Array(rest.prefix(groupSize)))
                stored += outcomes.filter { $0 == .stored }.count
                rest = rest.dropFirst(groupSize)
            }
        }
        report.keep(stored)
        report.line(
            "append in commits of \(groupSize)", rate(stored, spent.cpu),
            "CPU of one core; \(rate(stored, spent.wall)) by the clock, each commit on disk")
        if groupSize == 64 {
            // 10,000 agents send 1,000 batches a second.
            let needed = 1000 * (spent.cpu / Double(max(1, stored)) + checking / Double(batches.count))
            report.line(
                "check and append for 10,000 agents", text(needed, "cores"), ofLimit(needed, 2, "cores"))
        }
    }
    let journal = try await store.figures().bytes
    let question = SampleQuery(
        selection: Selection(services: [NamePattern("service-3")]), range: TimeRange(start: start, end: end))
    try await ask("one service, out of the journal", question, store, &report)
    let compaction = try await processCost { _ = try await store.upkeep(now: end + 600_000_000_000) }
    report.line("compact into blocks", rate(batches.count, compaction.cpu), "CPU of one core")
    try await ask("one service, out of blocks", question, store, &report)
    let wire = batches.reduce(0) { $0 + $1.body.count }
    report.line(
        "bytes a batch", "\(wire / batches.count) on the wire",
        "\(journal / batches.count) in the store's files before compaction")
}

private func ask(
    _ name: String, _ question: SampleQuery, _ store: SQLiteStore, _ report: inout Report
) async throws {
    var answer = SampleAnswer()
    let spent = try await processCost { answer = try await store.samples(question) }
    report.keep(answer.samples.totalWeight)
    report.line(
        "question: \(name)", text(spent.wall * 1e3, "ms"), "\(answer.samples.slices.count) slices of hosts and windows")
}

private func rate(_ batches: Int, _ seconds: Double) -> String {
    let each = seconds / Double(max(1, batches))
    return "\(Int(1 / max(each, 1e-9))) batches, \(Int(500 / max(each, 1e-9))) samples a second"
}

/// What all threads of this process spent, and what the clock says.
func processCost(_ body: () async throws -> Void) async rethrows -> (cpu: Double, wall: Double) {
    let cpu = seconds(of: CLOCK_PROCESS_CPUTIME_ID)
    let wall = seconds(of: CLOCK_MONOTONIC)
    try await body()
    return (seconds(of: CLOCK_PROCESS_CPUTIME_ID) - cpu, seconds(of: CLOCK_MONOTONIC) - wall)
}
