import AllocationCount
import LinuxSystem
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

#if DEBUG
private let isOptimized = false
#else
private let isOptimized = true
#endif

@Suite struct AllocationTests {
    @Test(.enabled(if: isOptimized, "only an optimised build allocates as the shipped one does: swift test -c release"))
    func `taking, ordering and handing on 1,000 samples allocates nothing`() throws {
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

    /// A second and a half holds a reading of losses, a look at the CPUs and, every so often, new periods.
    @Test(
        .enabled(if: isOptimized, "only an optimised build allocates as the shipped one does: swift test -c release"),
        .enabled(if: canSampleHost, "sampling the whole host is not allowed here"))
    func `the sampling loop allocates nothing once its buffers have grown`() throws {
        var sampler = try Sampler(
            SamplingOptions(samplesPerSecond: 1000), periodChangeInterval: 200_000_000...300_000_000)
        let load = BusyThread(cpu: sampler.openCPUs.last ?? 0)
        defer { load.stop() }
        var counter = WeightCounter()
        sampler.start()
        func run(_ span: UInt64, _ sampler: inout Sampler) {
            let end = Clocks.monotonic() + span
            while Clocks.monotonic() < end {
                _ = sampler.wait(upTo: .milliseconds(50))
                sampler.drain(into: &counter)
            }
        }
        run(1_500_000_000, &sampler)
        counter = WeightCounter()
        let before = allocation_count()
        run(1_500_000_000, &sampler)
        let allocations = allocation_count() - before
        #expect(counter.samples >= 1000)
        // A burst of other processes' records may still let a buffer grow.
        print("\(allocations) allocations for \(counter.samples) samples")
        #expect(allocations <= 4)
    }

    @Test func `the count sees an allocation`() {
        let before = allocation_count()
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 100, alignment: 8)
        unsafe memory.deallocate()
        #expect(allocation_count() > before)
    }
}
