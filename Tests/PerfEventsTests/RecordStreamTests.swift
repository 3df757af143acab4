import PerfEvents
import Testing

@Suite struct RecordStreamTests {
    private func ring(_ pages: Int = 1) throws -> RingBuffer { try RingBuffer(detachedDataPages: pages) }
    private let weights = TickWeights(period: 10, startedBetween: 0, and: 0)

    @Test func `records of several rings come in order of time`() throws {
        var generator = SeededGenerator()
        print("PERF_FLEET_SEED=\(generator.seed)")
        var stream = RecordStream(maximumCallChain: 127)
        let rings = try (0..<7).map { _ in try ring(4) }
        for (index, ring) in rings.enumerated() {
            stream.add(ring, kind: index % 2 == 0 ? .samples : .sideBand, cpu: index, weights: weights)
        }
        var collector = RecordCollector()
        var time: UInt64 = 1000
        var written = 0
        for round in 0..<200 {
            let roundStart = time
            for _ in 0..<Int.random(in: 0..<60, using: &generator) {
                time += UInt64.random(in: 0..<5, using: &generator)
                let index = Int.random(in: 0..<7, using: &generator)
                let record =
                    index % 2 == 0
                    ? RecordBytes.sample(time: time, chain: [UInt64](repeating: 9, count: Int.random(in: 0..<9)))
                    : RecordBytes.fork(pid: 3, parent: 2, time: time)
                let hasRoom = rings[index].write(record.span)
                #expect(hasRoom)
                written += 1
            }
            stream.collect(now: time)
            stream.release(upTo: round == 199 ? .max : roundStart, into: &collector)
            #expect(round == 199 || collector.times.allSatisfy { $0 <= roundStart })
        }
        #expect(collector.times.count == written)
        #expect(collector.times == collector.times.sorted())
        #expect(collector.malformed == 0)
        #expect(collector.samples.allSatisfy { !$0.isLate && $0.callChain.allSatisfy { $0 == 9 } })
    }

    @Test func `records that wrap around the ring's end are whole`() throws {
        for start in stride(from: 4096 - 96, through: 4096, by: 8) as StrideThrough<UInt64> {
            var stream = RecordStream(maximumCallChain: 127)
            let ring = try ring()
            ring.place(tail: start, head: start)
            stream.add(ring, kind: .samples, cpu: 0, weights: weights)
            for time in 1...3 as ClosedRange<UInt64> {
                let hasRoom = ring.write(RecordBytes.sample(time: time, chain: [1, 2, 3, time]).span)
                #expect(hasRoom)
            }
            var collector = RecordCollector()
            stream.collect(now: 100)
            stream.release(upTo: .max, into: &collector)
            #expect(collector.samples.map(\.callChain) == [[1, 2, 3, 1], [1, 2, 3, 2], [1, 2, 3, 3]])
        }
    }

    @Test func `a record older than what was handed on comes as late`() throws {
        var stream = RecordStream(maximumCallChain: 127)
        let (first, second) = (try ring(), try ring())
        stream.add(first, kind: .samples, cpu: 0, weights: weights)
        stream.add(second, kind: .samples, cpu: 1, weights: weights)
        var collector = RecordCollector()
        first.write(RecordBytes.sample(time: 50).span)
        stream.collect(now: 60)
        stream.release(upTo: 55, into: &collector)
        second.write(RecordBytes.sample(time: 40).span)
        second.write(RecordBytes.sample(time: 70).span)
        stream.collect(now: 80)
        stream.release(upTo: 75, into: &collector)
        #expect(collector.samples.map(\.time) == [50, 40, 70])
        #expect(collector.samples.map(\.isLate) == [false, true, false])
    }

    @Test func `records of one ring that changed places are put in order`() throws {
        var stream = RecordStream(maximumCallChain: 127)
        let ring = try ring()
        stream.add(ring, kind: .sideBand, cpu: 0)
        for time in [30, 10, 20, 40, 5] as [UInt64] {
            ring.write(RecordBytes.fork(pid: 2, parent: 1, time: time).span)
        }
        var collector = RecordCollector()
        stream.collect(now: 100)
        stream.release(upTo: 25, into: &collector)
        stream.collect(now: 100)
        stream.release(upTo: .max, into: &collector)
        #expect(collector.times == [5, 10, 20, 30, 40])
    }

    @Test func `every kind of record reaches its method`() throws {
        var stream = RecordStream(maximumCallChain: 3)
        let (samples, sideBand) = (try ring(), try ring())
        stream.add(samples, kind: .samples, cpu: 5, weights: weights)
        stream.add(sideBand, kind: .sideBand, cpu: 5)
        sideBand.write(RecordBytes.commandName(name: "worker-17", time: 1, isExec: true).span)
        sideBand.write(RecordBytes.fork(pid: 9, parent: 7, time: 2).span)
        sideBand.write(RecordBytes.fork(pid: 9, parent: 7, time: 3, isExit: true).span)
        sideBand.write(RecordBytes.mapping(buildID: [1, 2, 3], name: "/bin/true", time: 4).span)
        sideBand.write(RecordBytes.cgroup(id: 6, path: "/a/b", time: 5).span)
        sideBand.write(RecordBytes.lost(12, time: 6).span)
        samples.write(RecordBytes.sample(time: 7, chain: [CallChain.kernel, 1, CallChain.user, 2, 3]).span)
        samples.write(RecordBytes.sample(time: 8, chain: [CallChain.user, 2, 3]).span)
        samples.write(RecordBytes.sample(pid: 0, tid: 0, time: 9).span)
        samples.write(RecordBytes().finished(type: 77, trailerTime: 10).span)
        samples.write(RecordBytes.lost(2, time: 11).span)
        var collector = RecordCollector()
        stream.collect(now: 100)
        stream.release(upTo: .max, into: &collector)
        #expect(collector.names == [.init(pid: 7, tid: 7, time: 1, isExec: true, name: "worker-17")])
        #expect(collector.forks.map(\.pid) == [9])
        #expect(collector.exits.map(\.parentPID) == [7])
        #expect(
            collector.mappings == [
                .init(
                    pid: 7, address: 0x1000, length: 0x2000, fileOffset: 0x3000, buildID: [1, 2, 3], name: "/bin/true")
            ])
        #expect(collector.cgroups == ["/a/b"])
        #expect(collector.lost == [.sideBand: 12, .samples: 2])
        #expect(collector.samples.map(\.isChainFull) == [true, false])
        #expect(collector.samples.map(\.cpu) == [5, 5])
        #expect(collector.malformed == 0)
    }

    @Test func `at one time what describes a process comes before its sample`() throws {
        var stream = RecordStream(maximumCallChain: 127)
        let (samples, sideBand) = (try ring(), try ring())
        stream.add(samples, kind: .samples, cpu: 0, weights: weights)
        stream.add(sideBand, kind: .sideBand, cpu: 0)
        samples.write(RecordBytes.sample(time: 5).span)
        sideBand.write(RecordBytes.fork(pid: 9, parent: 7, time: 5).span)
        var order = OrderOfKinds()
        stream.collect(now: 100)
        stream.release(upTo: .max, into: &order)
        #expect(order.kinds == ["fork", "sample"])
    }

    /// What can stand in a ring when memory is damaged; the good record before and the one of the next round survive.
    private static let damaged: [[UInt8]] = {
        let ones = [UInt8](repeating: 1, count: 8)
        var overlongBuildID = RecordBytes.mapping(buildID: [UInt8](repeating: 1, count: 20), name: "x", time: 3)
        overlongBuildID[40] = 21
        var oneEntryTooMany = RecordBytes.sample(time: 3)
        oneEntryTooMany[32] = 1
        var hugeChain = RecordBytes.sample(time: 3)
        hugeChain.replaceSubrange(32..<40, with: [UInt8](repeating: 0xFF, count: 8))
        return [
            [UInt8](repeating: 0, count: 48), [UInt8](repeating: 0xFF, count: 48), [9, 0, 0, 0, 2, 0, 4, 0],
            [9, 0, 0, 0, 2, 0, 16, 0] + ones, [9, 0, 0, 0, 2, 0, 248, 0], [3, 0, 0, 0, 2, 0, 12, 0] + ones,
            overlongBuildID, oneEntryTooMany, hugeChain,
        ]
    }()

    @Test(arguments: damaged) func `what is no record is counted once and passed over`(bytes: [UInt8]) throws {
        var stream = RecordStream(maximumCallChain: 127)
        let ring = try ring()
        stream.add(ring, kind: .samples, cpu: 0, weights: weights)
        ring.write(RecordBytes.sample(time: 1).span)
        ring.write(bytes.span)
        var collector = RecordCollector()
        stream.collect(now: 100)
        stream.release(upTo: .max, into: &collector)
        ring.write(RecordBytes.sample(time: 90).span)
        stream.collect(now: 100)
        stream.release(upTo: .max, into: &collector)
        #expect(collector.malformed == 1)
        #expect(collector.samples.map(\.time) == [1, 90])
    }

    @Test(arguments: [(0, 4104), (0, UInt64.max - 7), (8, 0), (0, 44)] as [(UInt64, UInt64)])
    func `a damaged control page costs what it speaks of and no more`(tail: UInt64, head: UInt64) throws {
        var stream = RecordStream(maximumCallChain: 127)
        let ring = try ring()
        stream.add(ring, kind: .samples, cpu: 0, weights: weights)
        ring.place(tail: tail, head: head)
        var collector = RecordCollector()
        stream.collect(now: 100)
        stream.release(upTo: .max, into: &collector)
        #expect(collector.malformed == 1)
        ring.place(tail: 0, head: 0)
        ring.write(RecordBytes.sample(time: 90).span)
        stream.collect(now: 100)
        stream.release(upTo: .max, into: &collector)
        #expect(collector.samples.map(\.time) == [90])
    }

    @Test func `a time in the future does not stay in the queue`() throws {
        var stream = RecordStream(maximumCallChain: 127)
        let ring = try ring()
        stream.add(ring, kind: .sideBand, cpu: 0)
        ring.write(RecordBytes.fork(pid: 1, parent: 1, time: .max).span)
        var collector = RecordCollector()
        stream.collect(now: 100)
        stream.release(upTo: 100, into: &collector)
        #expect(collector.forks.count == 1)
    }

    @Test func `each loss is reported once, by whichever teller comes first`() {
        var losses = LossAccount()
        #expect(losses.recordSays(5) == 5)
        #expect(losses.countSays(5) == 0)
        #expect(losses.countSays(9) == 4)
        #expect(losses.recordSays(4) == 0)
        #expect(losses.recordSays(1) == 1)
    }
}

private struct OrderOfKinds: RecordHandler {
    var kinds: [String] = []
    mutating func sample(_ sample: borrowing Sample) { kinds.append("sample") }
    mutating func mapped(_ mapping: borrowing Mapping) {}
    mutating func named(_ name: borrowing CommandName) {}
    mutating func forked(_ fork: Fork) { kinds.append("fork") }
    mutating func exited(_ exit: Fork) {}
    mutating func cgroup(_ cgroup: borrowing CgroupPath) {}
    mutating func lost(_ count: UInt64, from ring: RingKind, cpu: Int) {}
    mutating func malformed(ring: RingKind, cpu: Int) {}
    mutating func throttled(cpu: Int, time: UInt64) {}
    mutating func unthrottled(cpu: Int, time: UInt64) {}
}
