import Logging
import Profiles
import Synchronization
import Testing
import WireProtocol

@testable import ProfilerAgent

/// The whole delivery over a real socket, against an aggregator that misbehaves.
@Suite struct SenderTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    struct Failure: Error {
        var what: String
    }

    func delivery(
        port: Int?, limit: Int = 1 << 20, symbolTable: @escaping SymbolTableProvider = { _ in .unavailable("none") }
    ) throws -> Delivery {
        var settings = DeliverySettings(
            spoolDirectory: scratch.path + "/spool", spoolLimitBytes: limit,
            aggregator: port.map { AggregatorAddress(host: "127.0.0.1", port: $0) }, sendSpread: .zero,
            runtimeDirectory: scratch.path + "/run", machineIDPath: "/nonexistent")
        settings.times.firstWait = .milliseconds(20)
        settings.times.longestWait = .milliseconds(100)
        settings.times.answer = .milliseconds(300)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return try Delivery(settings, host: testHost, logger: logger, symbolTable: symbolTable)
    }

    func submit(_ counts: [UInt64], to delivery: Delivery) async {
        for count in counts {
            delivery.ledger.addTaken(count)
            await delivery.submit(testWindow(samples: count, ledger: delivery.ledger.snapshot()))
        }
    }

    func wait(_ what: String, _ condition: () async throws -> Bool) async throws {
        let patience = ContinuousClock.now + .seconds(20)
        while try await !condition() {
            if ContinuousClock.now > patience { throw Failure(what: what) }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Held against what the aggregator really has: per epoch its newest ledger, taken = stored + dropped.
    func expectAccounts(_ seen: TestAggregator.Seen, epochs: Int) throws {
        let byEpoch = Dictionary(grouping: seen.stored.values, by: \.name.epoch)
        #expect(byEpoch.count == epochs)
        for batches in byEpoch.values {
            let newest = try #require(batches.max { $0.name.sequence < $1.name.sequence })
            let ledger = try newest.windowProfile().ledger
            let stored = batches.reduce(0) { $0 + $1.samples }
            #expect(ledger.taken == stored + ledger.droppedTotal)
        }
    }

    func expectDelivered(_ delivery: Delivery) async throws {
        try await wait("everything delivered") { await delivery.status().spooledBatches == 0 }
        let status = await delivery.status()
        #expect(status.pending == 0)
        #expect(status.ledger.taken == status.stored + status.ledger.droppedTotal)
    }

    @Test func `windows arrive, are acknowledged and leave the spool`() async throws {
        let aggregator = TestAggregator()
        let delivery = try delivery(port: try await aggregator.start())
        await delivery.start()
        await submit([5, 6, 7], to: delivery)
        try await expectDelivered(delivery)
        let status = await delivery.status()
        #expect(status.stored == 18 && status.state == .connected && status.lastError == nil)
        await delivery.shutdown(deadline: .seconds(5))
        #expect(await delivery.status().state == .stopped)
        try await wait("goodbye") { aggregator.snapshot.goodbyes.map(\.reason) == [.stopping] }
        let seen = aggregator.snapshot
        #expect(seen.hellos.map(\.agent) == [delivery.agent] && seen.hellos.map(\.epoch) == [delivery.epoch])
        #expect(seen.stored.values.map(\.samples).sorted() == [5, 6, 7])
        try expectAccounts(seen, epochs: 1)
        try await aggregator.stop()
    }

    @Test func `connections that drop after storing lose and double nothing`() async throws {
        var behaviour = TestAggregator.Behaviour()
        behaviour.closesAfter = [1, 3, 2, 4, 1]
        behaviour.credit = 3
        let aggregator = TestAggregator(behaviour)
        let delivery = try delivery(port: try await aggregator.start())
        await delivery.start()
        await submit((1...40).map { UInt64($0) }, to: delivery)
        try await expectDelivered(delivery)
        let seen = aggregator.snapshot
        #expect(seen.connections >= 6)
        #expect(seen.stored.count == 40)
        #expect(await delivery.status().stored == 820)
        await delivery.shutdown(deadline: .seconds(5))
        try expectAccounts(aggregator.snapshot, epochs: 1)
        try await aggregator.stop()
    }

    @Test(.timeLimit(.minutes(1)))
    func `batches larger than the socket takes at once obey the credit, and only what is stored is settled`()
        async throws
    {
        let seed = testSeed()
        print("SEED=\(seed)")
        var generator = SplitMix64(state: seed)
        var behaviour = TestAggregator.Behaviour()
        behaviour.credit = 3
        behaviour.closesAfter = [2, 1, 3, 2, 4]
        let aggregator = TestAggregator(behaviour)
        let delivery = try delivery(port: try await aggregator.start(), limit: 64 << 20)
        let counts = (1...20).map { UInt64($0) }
        for count in counts {
            delivery.ledger.addTaken(count)
            var window = testWindow(samples: count, ledger: delivery.ledger.snapshot())
            // Six bits of chance in each byte, which no compression takes out: 130 KB of body, twice NIO's 64 KiB.
            window.series[0].key.labels = ["a", "b", "c"].map { label in
                let bytes = (0..<60_000).map { _ in UInt8(48 + generator.next() % 64) }
                return Label(name: label, value: String(decoding: bytes, as: UTF8.self))
            }
            await delivery.submit(window)
        }
        #expect(await delivery.status().spooledBytes > 20 * 100_000)
        await delivery.start()
        try await expectDelivered(delivery)
        let seen = aggregator.snapshot
        #expect(Set(seen.stored.keys.map(\.sequence)) == Set(1...20 as ClosedRange<UInt64>))
        #expect(await delivery.status().stored == seen.stored.values.reduce(0) { $0 + $1.samples })
        await delivery.shutdown(deadline: .seconds(5))
        try expectAccounts(aggregator.snapshot, epochs: 1)
        try await aggregator.stop()
    }

    @Test func `a window longer than the wire allows is lost alone and counted`() async throws {
        let aggregator = TestAggregator()
        let delivery = try delivery(port: try await aggregator.start())
        await delivery.start()
        await submit([5], to: delivery)
        delivery.ledger.addTaken(6)
        var long = testWindow(samples: 6, ledger: delivery.ledger.snapshot())
        long.window.start = Timestamp(nanoseconds: long.window.end.nanoseconds - WireLimits.windowNanoseconds - 1)
        await delivery.submit(long)
        await submit([7], to: delivery)
        try await expectDelivered(delivery)
        let status = await delivery.status()
        #expect(status.stored == 12 && status.ledger.dropped == [.spoolFailed: 6])
        await delivery.shutdown(deadline: .seconds(5))
        try expectAccounts(aggregator.snapshot, epochs: 1)
        try await aggregator.stop()
    }

    @Test func `a refused batch is dropped and counted, the others pass`() async throws {
        var behaviour = TestAggregator.Behaviour()
        behaviour.refuses = [1, 3]
        let aggregator = TestAggregator(behaviour)
        let delivery = try delivery(port: try await aggregator.start())
        await delivery.start()
        await submit([10, 20, 30, 40], to: delivery)
        try await expectDelivered(delivery)
        let status = await delivery.status()
        #expect(status.stored == 60 && status.ledger.dropped == [.refused: 40])
        await delivery.shutdown(deadline: .seconds(5))
        // What was refused after the last window is told by a last batch without samples.
        try expectAccounts(aggregator.snapshot, epochs: 1)
        try await aggregator.stop()
    }

    @Test func `a peer that answers nothing is left and tried again`() async throws {
        var behaviour = TestAggregator.Behaviour()
        behaviour.stalls = 2
        let aggregator = TestAggregator(behaviour)
        let delivery = try delivery(port: try await aggregator.start())
        await delivery.start()
        await submit([1, 2], to: delivery)
        try await expectDelivered(delivery)
        #expect(aggregator.snapshot.connections == 3)
        await delivery.shutdown(deadline: .seconds(5))
        try await aggregator.stop()
    }

    @Test func `rubbish costs the connection, not the samples`() async throws {
        var behaviour = TestAggregator.Behaviour()
        behaviour.rubbish = 2
        let aggregator = TestAggregator(behaviour)
        let delivery = try delivery(port: try await aggregator.start())
        await delivery.start()
        await submit([1, 2], to: delivery)
        try await expectDelivered(delivery)
        #expect(aggregator.snapshot.goodbyes.map(\.reason) == [.protocolError, .protocolError])
        await delivery.shutdown(deadline: .seconds(5))
        try await aggregator.stop()
    }

    @Test func `a version that isn't served is shown, and the samples wait`() async throws {
        var behaviour = TestAggregator.Behaviour()
        behaviour.refusesToServe = "only version 7"
        let aggregator = TestAggregator(behaviour)
        let delivery = try delivery(port: try await aggregator.start())
        await delivery.start()
        await submit([3], to: delivery)
        try await wait("turned away") { await delivery.status().state == .turnedAway }
        let status = await delivery.status()
        #expect(status.lastError?.contains("only version 7") == true)
        #expect(status.pending == 3 && status.spooledSamples == 3)
        await delivery.shutdown(deadline: .seconds(5))
        try await aggregator.stop()
    }

    @Test func `symbol tables are sent in parts, or the reason why there is none`() async throws {
        let table = (0..<2_500_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        let known = Module(identity: ModuleIdentity(kind: .buildID, bytes: [1, 2, 3, 4]), name: "/bin/a")
        let unknown = Module(identity: ModuleIdentity(kind: .buildID, bytes: [5, 6, 7, 8]), name: "/bin/b")
        var behaviour = TestAggregator.Behaviour()
        behaviour.wants = [known, unknown]
        let aggregator = TestAggregator(behaviour)
        let delivery = try delivery(port: try await aggregator.start()) { module in
            module == known ? .table(table) : .unavailable("stripped")
        }
        await delivery.start()
        try await wait("tables") { aggregator.snapshot.chunks.count == 4 }
        let chunks = aggregator.snapshot.chunks
        #expect(chunks.prefix(3).flatMap(\.data) == table)
        #expect(chunks.prefix(3).map(\.offset) == [0, 1 << 20, 2 << 20])
        #expect(chunks.allSatisfy { $0.module == known || $0.unavailable == "stripped" })
        #expect(chunks.last?.module == unknown && chunks.last?.totalBytes == 0)
        await delivery.shutdown(deadline: .seconds(5))
        try await aggregator.stop()
    }

    @Test func `an agent that died has its account closed by the next one, and both are delivered`() async throws {
        do {
            let killed = try delivery(port: nil)
            await submit([10, 20], to: killed)
            killed.ledger.addTaken(7)
            killed.ledger.addDropped(2, .ringFull)
            // No shutdown: the open window and the account are left as a kill leaves them.
        }
        let aggregator = TestAggregator()
        let port = try await aggregator.start()
        var next: Delivery?
        try await wait("the lock") {
            do { next = try self.delivery(port: port) } catch DeliveryError.spoolInUse { return false }
            return true
        }
        let delivery = try #require(next)
        await delivery.start()
        await submit([4], to: delivery)
        try await expectDelivered(delivery)
        await delivery.shutdown(deadline: .seconds(5))
        let seen = aggregator.snapshot
        try expectAccounts(seen, epochs: 2)
        let old = try #require(
            seen.stored.values.filter { $0.name.epoch != delivery.epoch }.max { $0.name.sequence < $1.name.sequence })
        #expect(old.name.sequence == 3 && old.samples == 0)
        let ledger = try old.windowProfile().ledger
        #expect(ledger.taken == 37)
        #expect(ledger.dropped == [.killed: 5, .ringFull: 2])
        try await aggregator.stop()
    }

    @Test func `away for long, the spool stays within its limit and every sample is accounted for`() async throws {
        let aggregator = TestAggregator()
        let port = try await aggregator.start()
        try await aggregator.stop()
        let delivery = try delivery(port: port, limit: 64 << 10)
        await delivery.start()
        let counts = (1...400).map { UInt64($0) }
        await submit(counts, to: delivery)
        var status = await delivery.status()
        #expect(status.spooledBytes <= 64 << 10)
        #expect(status.ledger.count(of: .spoolFull) > 0)
        #expect(status.lastError != nil)
        let back = TestAggregator()
        _ = try await back.start(port: port)
        try await expectDelivered(delivery)
        status = await delivery.status()
        #expect(status.stored + status.ledger.droppedTotal == counts.reduce(0, +))
        await delivery.shutdown(deadline: .seconds(5))
        try expectAccounts(back.snapshot, epochs: 1)
        // The newest survive.
        #expect(back.snapshot.stored.values.map(\.samples).max() == 400)
        try await back.stop()
    }

    @Test func `shutdown ends in time when nobody is there, and the next start delivers`() async throws {
        do {
            let delivery = try delivery(port: 1)
            await delivery.start()
            await submit([3, 4], to: delivery)
            let begun = ContinuousClock.now
            await delivery.shutdown(deadline: .seconds(2))
            #expect(ContinuousClock.now - begun < .seconds(4))
        }
        let aggregator = TestAggregator()
        let port = try await aggregator.start()
        var next: Delivery?
        try await wait("the lock") {
            do { next = try self.delivery(port: port) } catch DeliveryError.spoolInUse { return false }
            return true
        }
        let delivery = try #require(next)
        await delivery.start()
        try await expectDelivered(delivery)
        await delivery.shutdown(deadline: .seconds(5))
        try expectAccounts(aggregator.snapshot, epochs: 1)
        try await aggregator.stop()
    }
}
