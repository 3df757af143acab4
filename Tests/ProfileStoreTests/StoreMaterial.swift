import Foundation
import Glibc
import ProfileStore
import Profiles
import Synchronization
import WireProtocol

/// A clock that tests set.
final class TestClock: Sendable {
    private let moment: Mutex<Timestamp>

    init(_ moment: Timestamp) { self.moment = Mutex(moment) }

    var now: Timestamp {
        get { moment.withLock { $0 } }
        set { moment.withLock { $0 = newValue } }
    }
}

/// A directory of a test's own.
final class TemporaryDirectory {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/store-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Draws the same numbers for the same seed (SplitMix64). The seed comes from TEST_SEED or is drawn, and is printed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init() {
        let given = ProcessInfo.processInfo.environment["TEST_SEED"].flatMap { UInt64($0) }
        state = given ?? UInt64.random(in: 0 ... .max)
        print("TEST_SEED=\(state)")
    }

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }
}

/// 2026-11-24T10:00:00Z.
let morning = Timestamp(seconds: 1_795_514_400)

struct TestAgent {
    var id: Identifier
    var epoch: Identifier
    var host: String
    var ledger = Ledger()
    var sequence: UInt64 = 0

    init(_ number: UInt64, host: String? = nil) {
        id = Identifier(high: 1, low: number)
        epoch = Identifier(high: 2, low: number)
        self.host = host ?? "host-\(number)"
    }

    /// A window of some services with stacks that repeat from window to window.
    mutating func window(
        at start: Timestamp, services: [String] = ["web", "db"], stacks: Int = 6, samples: Int = 40,
        using generator: inout SeededGenerator
    ) throws -> CheckedBatch {
        var table = StackTable()
        var series: [Series] = []
        for service in services {
            let process = table.intern(Frame(kind: .process, name: table.intern(service)))
            let thread = table.intern(Frame(kind: .thread, name: table.intern("worker-#")))
            let module = table.intern(
                Module(identity: ModuleIdentity(kind: .buildID, bytes: Array(service.utf8)), name: "/bin/\(service)"))
            let top = table.intern(parent: table.intern(parent: StackTable.root, frame: process), frame: thread)
            var leaves: [UInt32] = []
            for stack in 0..<stacks {
                var node = top
                for depth in 0..<(2 + stack % 5) {
                    let frame = table.intern(
                        Frame(kind: .native, module: module, address: UInt64(0x1000 + stack * 0x40 + depth * 0x1000)))
                    node = table.intern(parent: node, frame: frame)
                }
                leaves.append(node)
            }
            var rows: [UInt32: (UInt64, UInt64)] = [:]
            for _ in 0..<samples {
                let leaf = leaves[Int.random(in: 0..<leaves.count, using: &generator)]
                let row = rows[leaf] ?? (0, 0)
                rows[leaf] = (row.0 + 1, row.1 + UInt64.random(in: 9_000_000...11_000_000, using: &generator))
            }
            let nodes = rows.keys.sorted()
            series.append(
                Series(
                    key: SeriesKey(
                        service: service, version: "1", labels: [Label(name: "zone", value: "a")], type: .cpu),
                    samplesPerSecond: 100,
                    stacks: StackCounts(
                        nodes: nodes, counts: nodes.map { rows[$0]?.0 ?? 0 }, weights: nodes.map { rows[$0]?.1 ?? 0 }),
                    quality: StackQuality(whole: nil, cut: 0, broken: nil)))
        }
        sequence += 1
        ledger.taken += UInt64(services.count * samples)
        let profile = WindowProfile(
            host: HostFacts(name: host, agentVersion: "0.1", kernelRelease: "6.1", onlineCPUs: 2, labels: []),
            window: TimeRange(start: start, end: start + 10_000_000_000), stacks: table, series: series,
            ledger: ledger)
        return try checked(profile, sequence: sequence)
    }

    func checked(_ profile: WindowProfile, sequence: UInt64) throws -> CheckedBatch {
        let batch = try Batch(encoding: profile, agent: id, epoch: epoch, sequence: sequence)
        return CheckedBatch(batch, profile: profile, received: profile.window.end)
    }
}

/// Everything that an answer says, in a form that two stores can be compared by: value by host, series, window, stack.
func facts(_ answer: SampleAnswer) -> [String: [UInt64]] {
    var facts: [String: [UInt64]] = [:]
    let set = answer.samples
    for slice in set.slices {
        let host = set.hosts[Int(slice.host)]
        let key = set.keys[Int(slice.key)]
        for (index, node) in slice.stacks.nodes.enumerated() {
            let stack = set.stacks.stack(of: node).map { frame in
                let name = frame.name == Frame.none ? "" : set.stacks.strings[Int(frame.name)]
                let module = frame.module == Frame.none ? "" : set.stacks.modules[Int(frame.module)].name
                return "\(frame.kind):\(name):\(module):\(frame.address)"
            }
            let name =
                "\(host.agent) \(host.name) \(key) \(slice.window.start.nanoseconds) \(slice.quality) "
                + stack.joined(separator: ";")
            let value = facts[name] ?? [0, 0]
            facts[name] = [value[0] + slice.stacks.counts[index], value[1] + slice.stacks.weights[index]]
        }
    }
    return facts
}

func facts(of batches: [CheckedBatch]) throws -> [String: [UInt64]] {
    var answer = SampleAnswer()
    for batch in batches {
        let profile = try batch.batch.windowProfile()
        let nodes = answer.samples.stacks.merge(profile.stacks)
        answer.samples.hosts.append(Profiles.Host(name: profile.host.name, agent: batch.batch.name.agent))
        for series in profile.series {
            answer.samples.keys.append(series.key)
            answer.samples.slices.append(
                SampleSlice(
                    host: UInt32(answer.samples.hosts.count - 1), key: UInt32(answer.samples.keys.count - 1),
                    window: profile.window, samplesPerSecond: 100,
                    stacks: StackCounts(
                        nodes: series.stacks.nodes.map { nodes[Int($0)] }, counts: series.stacks.counts,
                        weights: series.stacks.weights), quality: series.quality))
        }
    }
    return facts(answer)
}

func everything(_ selection: Selection = Selection()) -> SampleQuery {
    SampleQuery(
        selection: selection,
        range: TimeRange(start: morning + -864_000_000_000_000, end: morning + 864_000_000_000_000))
}

func openStore(
    _ path: String, _ clock: TestClock, maximumBytes: Int = 1 << 30, lockPatience: Duration? = nil
) throws -> SQLiteStore {
    var options = SQLiteStore.Options(directory: path, now: { clock.now })
    options.maximumBytes = maximumBytes
    if let lockPatience { options.lockPatience = lockPatience }
    return try SQLiteStore(options)
}
