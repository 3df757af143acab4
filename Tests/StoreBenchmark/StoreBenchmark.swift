// What ingest, compaction and questions cost, on the batches that the architecture's budget names: 500 samples in 150
// stacks of mean depth 15 and more, of 10 services, in windows of 10 s. Prints one line a figure.
//
//   swift run -c release store-benchmark [HOSTS] [WINDOWS] [DIRECTORY]

import Foundation
import ProfileStore
import Profiles
import WireProtocol

@main
struct StoreBenchmark {
    static func main() async throws {
        let arguments = CommandLine.arguments
        let hosts = arguments.count > 1 ? Int(arguments[1]) ?? 100 : 100
        let windows = arguments.count > 2 ? Int(arguments[2]) ?? 36 : 36
        let directory =
            arguments.count > 3 ? arguments[3] : NSTemporaryDirectory() + "store-benchmark-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let start = Timestamp(seconds: 1_795_514_400)
        print("work: \(hosts) hosts, \(windows) windows of 10 s; 500 samples, 150 stacks, 10 services a batch")

        var batches: [Batch] = []
        var nodes = 0
        for window in 0..<windows {
            for host in 0..<hosts {
                let profile = Material.window(host: host, number: window, start: start)
                nodes = profile.stacks.nodes.count
                batches.append(
                    try Batch(
                        encoding: profile, agent: Identifier(high: 1, low: UInt64(host)),
                        epoch: Identifier(high: 2, low: UInt64(host)), sequence: UInt64(window + 1)))
            }
        }
        let wireBytes = batches.reduce(0) { $0 + $1.body.count }
        print("batch: \(nodes) nodes, \(wireBytes / batches.count) bytes compressed")

        var checked: [CheckedBatch] = []
        let check = try measure {
            checked = try batches.map { CheckedBatch($0, profile: try $0.windowProfile(), received: $0.window.end) }
        }
        print("check (checksum, expand, decode): \(rate(batches.count, check))")

        let end = start + Int64(windows) * 10_000_000_000
        let store = try SQLiteStore(SQLiteStore.Options(directory: directory, now: { end }))
        for groupSize in [64, 1] {
            // The second half in groups of one tells what a commit of its own costs.
            let part = groupSize == 64 ? checked.prefix(checked.count * 9 / 10) : checked.suffix(checked.count / 10)
            var appended = 0
            let time = try await measureAsync {
                var rest = Array(part)[...]
                while !rest.isEmpty {
                    let outcomes = await store.append(Array(rest.prefix(groupSize)))
                    appended += outcomes.filter { $0 == .stored }.count
                    rest = rest.dropFirst(groupSize)
                }
            }
            print("append in groups of \(groupSize): \(rate(appended, time)), durable")
        }
        let before = try await store.figures().bytes
        func question(_ name: String, _ query: SampleQuery) async throws {
            var answer = SampleAnswer()
            let time = try await measureAsync { answer = try await store.samples(query) }
            let rows = answer.samples.slices.reduce(0) { $0 + $1.stacks.nodes.count }
            print(
                "question \(name): \(milliseconds(time)) for \(answer.samples.slices.count) slices, \(rows) stacks")
        }
        let range = TimeRange(start: start, end: end)
        let service = SampleQuery(selection: Selection(services: [NamePattern("service-3")]), range: range)
        var totals = SampleQuery(selection: Selection(), range: range)
        totals.detail = .totals
        try await question("all, from the tail", SampleQuery(selection: Selection(), range: range))

        let compact = try await measureAsync { _ = try await store.upkeep(now: end + 600_000_000_000) }
        print("compaction: \(rate(batches.count, compact))")
        try await question("all, from blocks, first time", SampleQuery(selection: Selection(), range: range))
        try await question("all, from blocks, again", SampleQuery(selection: Selection(), range: range))
        try await question("one service, from blocks", service)
        try await question("totals, from blocks", totals)
        let used = try await store.usedBytes()
        print(
            "stored: \(wireBytes / batches.count) bytes a batch on the wire, \(before / batches.count) in the journal,"
                + " \(used / batches.count) in blocks with names and dictionary")
    }

    static func measure(_ body: () throws -> Void) rethrows -> Duration {
        try ContinuousClock().measure(body)
    }

    static func measureAsync(_ body: () async throws -> Void) async rethrows -> Duration {
        let start = ContinuousClock.now
        try await body()
        return start.duration(to: .now)
    }

    static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }

    static func milliseconds(_ duration: Duration) -> String { "\(Int(seconds(duration) * 1000)) ms" }

    static func rate(_ batches: Int, _ duration: Duration) -> String {
        let each = seconds(duration) / Double(max(batches, 1))
        return "\(Int(1 / each)) batches/s, \(Int(500 / each)) samples/s, \(Int(each * 1e6)) µs a batch"
    }
}

/// Windows that look like a fleet's: the stacks of a service are the same on every host, their weights are not.
enum Material {
    static func window(host: Int, number: Int, start: Timestamp) -> WindowProfile {
        var generator = Generator(state: UInt64(host) << 32 | UInt64(number))
        var table = StackTable()
        var series: [Series] = []
        for service in 0..<10 {
            let process = table.intern(Frame(kind: .process, name: table.intern("service-\(service)")))
            let thread = table.intern(Frame(kind: .thread, name: table.intern("worker-#")))
            let top = table.intern(parent: table.intern(parent: StackTable.root, frame: process), frame: thread)
            let module = table.intern(
                Module(
                    identity: ModuleIdentity(kind: .buildID, bytes: [UInt8](repeating: UInt8(service), count: 20)),
                    name: "/usr/bin/service-\(service)"))
            var rows: [UInt32: (count: UInt64, weight: UInt64)] = [:]
            for sample in 0..<50 {
                // 15 stacks a window out of 40, the first ones more often.
                let stack = sample < 15 ? (sample * 7 + number) % 40 : Int(generator.next() % 15) * 7 % 40
                var node = top
                for depth in 0..<(10 + stack % 11) {
                    // Neighbouring stacks share their first half.
                    let path = depth < 8 ? stack / 8 : stack
                    let frame = table.intern(
                        Frame(kind: .native, module: module, address: UInt64(0x1000 + path * 0x1400 + depth * 0x90)))
                    node = table.intern(parent: node, frame: frame)
                }
                let weight = 10_000_000 + (generator.next() % 3) * 400_000
                let row = rows[node] ?? (0, 0)
                rows[node] = (row.count + 1, row.weight + weight)
            }
            let nodes = rows.keys.sorted()
            series.append(
                Series(
                    key: SeriesKey(
                        service: "service-\(service)", version: "1.0", labels: [Label(name: "zone", value: "a")],
                        type: .cpu),
                    samplesPerSecond: 100,
                    stacks: StackCounts(
                        nodes: nodes, counts: nodes.map { rows[$0]?.count ?? 0 },
                        weights: nodes.map { rows[$0]?.weight ?? 0 }),
                    quality: StackQuality(whole: nil, cut: 0, broken: nil)))
        }
        var ledger = Ledger()
        ledger.taken = UInt64(500 * (number + 1))
        let begin = start + Int64(number) * 10_000_000_000
        return WindowProfile(
            host: HostFacts(
                name: "host-\(host)", agentVersion: "0.1", kernelRelease: "6.1", onlineCPUs: 2, labels: []),
            window: TimeRange(start: begin, end: begin + 10_000_000_000), stacks: table, series: series,
            ledger: ledger)
    }

    struct Generator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
    }
}
