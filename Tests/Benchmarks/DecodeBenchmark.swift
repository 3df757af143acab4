import AllocationCount
import PerfEvents

/// From the bytes in the rings of two CPUs to samples in one order of time.
func decodeBenchmark(_ report: inout Report) throws {
    let rounds = report.size(200, smoke: 2)
    for depth in [8, 24, 120] {
        let (nanoseconds, allocations, sum) = try decode(depth: depth, rounds: rounds)
        report.keep(sum)
        report.line(
            "decode and order, \(depth) frames", text(nanoseconds, "ns a sample"),
            shareOfBudget(nanoseconds) + ", \(allocations) allocations per 1,000 samples")
    }
}

/// What two CPUs at 100 Hz make of a cost per sample, beside the limit on all of the agent's work.
func shareOfBudget(_ nanoseconds: Double) -> String {
    String((nanoseconds * 200 / 1e9 / 0.005 * 1e5).rounded() / 1e3) + " % of the 0.5 % of a core at 2 × 100 Hz"
}

private func decode(depth: Int, rounds: Int) throws -> (nanoseconds: Double, allocations: UInt64, sum: UInt64) {
    let samplesPerRound = 1000
    let rings = try (0..<2).map { _ in try RingBuffer(detachedDataPages: 256) }
    var stream = RecordStream(maximumCallChain: 127)
    for (cpu, ring) in rings.enumerated() {
        stream.add(
            ring, kind: .samples, cpu: cpu, weights: TickWeights(period: 10_000_000, startedBetween: 0, and: 0))
    }
    var dice = Dice(state: 7)
    let chain = [CallChain.user] + (0..<depth).map { _ in 0x5555_0000_0000 + dice.next() % (1 << 28) }
    var handler = AddingHandler()
    var time: UInt64 = 1
    var least = Double.infinity
    var allocations: UInt64 = 0
    for round in 0..<rounds {
        let start = time
        for index in 0..<samplesPerRound {
            time += 5_000_000
            let record = KernelRecords.sample(
                pid: 7, tid: 8, time: time, cpu: UInt32(index & 1), chain: chain)
            rings[index & 1].write(record.span)
        }
        let before = allocation_count()
        let spent = threadSeconds {
            stream.collect(now: time)
            stream.release(upTo: start, into: &handler)
        }
        // Nothing is old enough in the first round; buffers may grow in the second.
        if round > 0 { least = min(least, spent) }
        if round > 1 { allocations += allocation_count() - before }
    }
    stream.release(upTo: .max, into: &handler)
    let perThousand = allocations / UInt64(max(1, rounds - 2))
    return (least / Double(samplesPerRound) * 1e9, perThousand, handler.sum)
}

/// Reads every sample and keeps one number.
struct AddingHandler: RecordHandler {
    var sum: UInt64 = 0

    mutating func sample(_ sample: borrowing Sample) {
        sum &+= sample.weight &+ sample.time
        for index in sample.callChain.indices { sum &+= sample.callChain[index] }
    }
    mutating func mapped(_ mapping: borrowing Mapping) { sum &+= mapping.address }
    mutating func named(_ name: borrowing CommandName) {}
    mutating func forked(_ fork: Fork) {}
    mutating func exited(_ exit: Fork) {}
    mutating func cgroup(_ cgroup: borrowing CgroupPath) {}
    mutating func lost(_ count: UInt64, from ring: RingKind, cpu: Int) {}
    mutating func malformed(ring: RingKind, cpu: Int) {}
    mutating func throttled(cpu: Int, time: UInt64) {}
    mutating func unthrottled(cpu: Int, time: UInt64) {}
}
