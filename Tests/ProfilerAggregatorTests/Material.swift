import ProfileStore
import Profiles
import WireProtocol

func identifier(_ number: UInt64) -> Identifier { Identifier(high: 5, low: number) }

func hello(agent: UInt64 = 1, epoch: UInt64 = 1, versions: [UInt32] = WireLimits.versions) -> Hello {
    Hello(
        versions: versions, agent: identifier(agent), epoch: identifier(1000 + epoch),
        host: HostFacts(name: "host-\(agent)", agentVersion: "0.1", kernelRelease: "6", onlineCPUs: 2, labels: []),
        clock: Timestamp(seconds: 1_795_514_400))
}

let testModule = Module(identity: ModuleIdentity(kind: .buildID, bytes: [1, 2, 3, 4]), name: "/usr/bin/web")

/// A window with two services; `web` has two functions, 30 and 10 samples of 10 ms, `db` one with 20.
func window(
    agent: UInt64 = 1, at start: Timestamp, taken: UInt64 = 60, dropped: [DropReason: UInt64] = [:]
) -> WindowProfile {
    var table = StackTable()
    func stack(_ process: String, _ leaf: Frame) -> UInt32 {
        let root = table.intern(Frame(kind: .process, name: table.intern(process)))
        let thread = table.intern(Frame(kind: .thread, name: table.intern("worker-#")))
        let top = table.intern(parent: table.intern(parent: StackTable.root, frame: root), frame: thread)
        return table.intern(parent: top, frame: table.intern(leaf))
    }
    let module = table.intern(testModule)
    let hot = stack("web", Frame(kind: .native, module: module, address: 0x1100))
    let cool = stack("web", Frame(kind: .native, module: module, address: 0x2100))
    let read = stack("postgres", Frame(kind: .kernel, name: table.intern("vfs_read")))
    func series(_ service: String, _ rows: [(UInt32, UInt64)]) -> Series {
        let ordered = rows.sorted { $0.0 < $1.0 }
        return Series(
            key: SeriesKey(service: service, version: "1", labels: [Label(name: "zone", value: "a")], type: .cpu),
            samplesPerSecond: 100,
            stacks: StackCounts(
                nodes: ordered.map(\.0), counts: ordered.map(\.1), weights: ordered.map { $0.1 * 10_000_000 }),
            quality: StackQuality(whole: nil, cut: 0, broken: nil))
    }
    var ledger = Ledger()
    ledger.taken = taken
    ledger.dropped = dropped
    return WindowProfile(
        host: hello(agent: agent).host, window: TimeRange(start: start, end: start + 10_000_000_000), stacks: table,
        series: [series("web", [(hot, 30), (cool, 10)]), series("db", [(read, 20)])], ledger: ledger)
}

func batch(
    agent: UInt64 = 1, epoch: UInt64 = 1, sequence: UInt64, at start: Timestamp = Timestamp(seconds: 1_795_514_400),
    taken: UInt64 = 60
) throws -> Batch {
    try Batch(
        encoding: window(agent: agent, at: start, taken: taken), agent: identifier(agent),
        epoch: identifier(1000 + epoch), sequence: sequence)
}

func checked(_ batch: Batch) throws -> CheckedBatch {
    CheckedBatch(batch, profile: try batch.windowProfile(), received: batch.window.end)
}
