import AllocationCount
import PerfEvents
import Testing

/// Adds up, keeps nothing.
struct WeightCounter: RecordHandler {
    var samples = 0
    var weight: UInt64 = 0
    var frames = 0
    var others = 0

    mutating func sample(_ sample: borrowing Sample) {
        samples += 1
        weight &+= sample.weight
        frames += sample.callChain.count
    }
    mutating func mapped(_ mapping: borrowing Mapping) { others += mapping.name.count + mapping.buildID.count }
    mutating func named(_ name: borrowing CommandName) { others += name.name.count }
    mutating func forked(_ fork: Fork) { others += 1 }
    mutating func exited(_ exit: Fork) { others += 1 }
    mutating func cgroup(_ cgroup: borrowing CgroupPath) { others += cgroup.path.count }
    mutating func lost(_ count: UInt64, from ring: RingKind, cpu: Int) {}
    mutating func malformed(ring: RingKind, cpu: Int) {}
    mutating func throttled(cpu: Int, time: UInt64) {}
    mutating func unthrottled(cpu: Int, time: UInt64) {}
}

@Suite struct AllocationTests {
    @Test func `taking, ordering and handing on 1,000 samples allocates nothing`() throws {
        var stream = RecordStream(maximumCallChain: 127)
        let rings = try (0..<4).map { _ in try RingBuffer(detachedDataPages: 16) }
        for (cpu, ring) in rings.enumerated() {
            stream.add(
                ring, kind: cpu < 3 ? .samples : .sideBand, cpu: cpu,
                weights: TickWeights(period: 10, startedBetween: 0, and: 0))
        }
        var counter = WeightCounter()
        var time: UInt64 = 100
        var allocations: UInt64 = 0
        for round in 0..<20 {
            let start = time
            for index in 0..<100 {
                time += 1
                let record =
                    index % 10 == 9
                    ? RecordBytes.mapping(buildID: [1, 2, 3], name: "/usr/lib/libc.so.6", time: time)
                    : RecordBytes.sample(time: time, chain: [CallChain.user, 1, 2, 3, 4, 5])
                rings[index % 10 == 9 ? 3 : index % 3].write(record.span)
            }
            // The first rounds may grow the buffers to their size.
            if round == 8 { counter = WeightCounter() }
            let before = allocation_count()
            stream.collect(now: time)
            stream.release(upTo: start, into: &counter)
            if round >= 8 { allocations += allocation_count() - before }
        }
        #expect(counter.samples >= 1000)
        #expect(allocations == 0)
    }

    @Test func `the count sees an allocation`() {
        let before = allocation_count()
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 100, alignment: 8)
        unsafe memory.deallocate()
        #expect(allocation_count() > before)
    }
}
