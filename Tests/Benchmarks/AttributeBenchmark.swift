import AllocationCount
import PerfEvents
import Profiles
import Synchronization

@testable import ProfilerAgent

/// All that the sampling thread does with a sample: take it from the ring, find its process and mappings, and count its
/// stack in the window.
func attributeBenchmark(_ report: inout Report) async throws {
    let rounds = report.size(50, smoke: 3)
    for (name, load) in [
        ("services", SyntheticLoad.services()), ("compilers", SyntheticLoad.compilers(samples: 1000)),
    ] {
        var loop = try SamplingLoop(load)
        // The first window grows the tables; later ones keep that memory, as the agent does.
        loop.round()
        await loop.nextWindow()
        loop.round()
        await loop.nextWindow()
        let new = loop.round()
        var seen = new
        for _ in 0..<rounds {
            let again = loop.round()
            if again.nanoseconds < seen.nanoseconds { seen = again }
        }
        report.keep(loop.taken)
        for (what, cost) in [("stacks new in the window", new), ("stacks seen before", seen)] {
            report.line(
                "\(name), \(what)", text(cost.nanoseconds, "ns a sample"),
                shareOfBudget(cost.nanoseconds) + ", \(cost.allocations) allocations per 1,000 samples")
        }
    }
}

/// The sampling thread without a thread or a kernel: its rings are filled by us.
private struct SamplingLoop: ~Copyable {
    struct Cost {
        var nanoseconds: Double
        /// Per 1,000 samples.
        var allocations: UInt64
    }

    private var stream: RecordStream
    private var intake: SampleIntake
    private let rings: [RingBuffer]
    private let spareTables = SpareTables()
    private let windows: AsyncStream<RawWindow>
    private let questions: AsyncStream<SamplerQuestion>
    private let records: [(pid: Int32, chain: [UInt64])]
    private var time: UInt64

    init(_ load: SyntheticLoad) throws {
        let (windows, windowsIn) = AsyncStream<RawWindow>.makeStream(bufferingPolicy: .bufferingOldest(8))
        let (questions, questionsIn) = AsyncStream<SamplerQuestion>.makeStream(bufferingPolicy: .bufferingNewest(64))
        self.windows = windows
        self.questions = questions
        rings = try (0..<3).map { _ in try RingBuffer(detachedDataPages: 256) }
        stream = RecordStream(maximumCallChain: 127)
        for (cpu, ring) in rings.enumerated() {
            stream.add(
                ring, kind: cpu < 2 ? .samples : .sideBand, cpu: cpu,
                weights: TickWeights(period: 10_000_000, startedBetween: 0, and: 0))
        }
        intake = SampleIntake(
            filter: .wholeHost, ledgerFile: nil, samplesPerSecond: 100,
            rule: WindowRule(length: .seconds(36_000), isAligned: false),
            window: WindowTable(maximumNodes: 1 << 20, maximumDepth: 127), questions: questionsIn, windows: windowsIn,
            spareTables: spareTables)
        time = HostClock.monotonicNow
        // Numbers that no process of this machine bears: beyond the kernel's own limit.
        let firstPID: Int32 = 5_000_000
        records = load.samples.map { (firstPID + Int32(load.stacks[$0].process), load.stacks[$0].chain) }
        for (process, name) in load.processes.enumerated() {
            let pid = firstPID + Int32(process)
            time += 1000
            rings[2].write(KernelRecords.fork(pid: pid, parent: 1, time: time).span)
            rings[2].write(KernelRecords.exec(pid: pid, name: name, time: time).span)
            for module in 0..<load.program.moduleCount {
                rings[2].write(
                    KernelRecords.mapping(
                        pid: pid, address: load.program.base(ofModule: module), length: 1 << 28,
                        buildID: load.program.module(module).identity.bytes, path: load.program.module(module).name,
                        time: time
                    ).span)
            }
        }
        stream.collect(now: time)
        stream.release(upTo: time, into: &intake)
    }

    var taken: UInt64 { intake.counts.taken }

    /// Every sample of the load once.
    @discardableResult
    mutating func round() -> Cost {
        for (index, record) in records.enumerated() {
            time += 1000
            let bytes = KernelRecords.sample(
                pid: record.pid, tid: record.pid, time: time, cpu: UInt32(index & 1), chain: record.chain)
            rings[index & 1].write(bytes.span)
        }
        let before = allocation_count()
        let spent = threadSeconds {
            stream.collect(now: time)
            stream.release(upTo: time, into: &intake)
        }
        let allocations = allocation_count() - before
        return Cost(
            nanoseconds: spent / Double(records.count) * 1e9,
            allocations: allocations * 1000 / UInt64(records.count))
    }

    /// Ends the window; its table is read and comes back emptied.
    mutating func nextWindow() async {
        time += 1000
        intake.closeWindow(at: time)
        for await raw in windows {
            spareTables.give(raw.table)
            return
        }
    }
}
