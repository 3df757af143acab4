import Glibc
import Profiles

@testable import ProfilerAgent

/// A directory for one test, removed with it.
final class Scratch: Sendable {
    let path: String

    struct Failure: Error {}

    init() throws {
        path = "/tmp/perf-fleet-test-\(Identifier.random())"
        guard unsafe mkdir(path, 0o700) == 0 else { throw Failure() }
    }

    deinit { Self.remove(path) }

    func write(_ name: String, _ text: String) throws { try write(name, Array(text.utf8)) }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        let file = unsafe open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard file >= 0, unsafe Glibc.write(file, bytes, bytes.count) == bytes.count else { throw Failure() }
        close(file)
    }

    private static func remove(_ path: String) {
        // Failures leave a directory in /tmp, no more.
        if let directory = try? PrivateDirectory(path, create: false), let names = try? directory.names() {
            for name in names where unsafe unlinkat(directory.descriptor, name, 0) != 0 { remove("\(path)/\(name)") }
        }
        unsafe rmdir(path)
    }
}

/// A window with so many samples of one stack, ending at the given second.
func testWindow(samples: UInt64, second: Int64 = 1_700_000_000, ledger: Ledger = Ledger()) -> WindowProfile {
    var stacks = StackTable()
    let name = stacks.intern("worker")
    let frame = stacks.intern(Frame(kind: .process, name: name))
    let node = stacks.intern(parent: StackTable.root, frame: frame)
    let series = Series(
        key: SeriesKey(service: "shop", version: "", labels: [], type: .cpu), samplesPerSecond: 100,
        stacks: samples == 0
            ? StackCounts() : StackCounts(nodes: [node], counts: [samples], weights: [samples &* 10_000_000]),
        quality: StackQuality(whole: nil, cut: nil, broken: nil))
    return WindowProfile(
        host: testHost, window: TimeRange(start: Timestamp(seconds: second - 10), end: Timestamp(seconds: second)),
        stacks: stacks, series: samples == 0 ? [] : [series], ledger: ledger)
}

let testHost = HostFacts(name: "h1", agentVersion: "0", kernelRelease: "6.1", onlineCPUs: 2, labels: [])

/// The seed of a randomised test: from SEED, else drawn; printed by whoever uses it.
func testSeed() -> UInt64 {
    if let text = unsafe getenv("SEED"), let seed = unsafe UInt64(String(cString: text)) { return seed }
    return .random(in: .min ... .max)
}
