import Glibc
import Profiles
import Testing
import WireProtocol

@testable import ProfilerAgent

@Suite struct SpoolTests {
    let scratch: Scratch
    let agent = Identifier(high: 1, low: 2)
    let epoch = Identifier(high: 3, low: 4)

    init() throws { scratch = try Scratch() }

    func open(limit: Int = 1 << 20, account: EpochAccount? = nil) throws -> Spool {
        try Spool(
            in: PrivateDirectory(scratch.path + "/spool", create: true), agent: agent, account: account,
            limitBytes: limit, synchronisation: .never)
    }

    func batch(_ sequence: UInt64, samples: UInt64, bytes: Int = 50) -> Batch {
        let body = (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ Int(sequence)) }
        return Batch(
            name: BatchName(agent: agent, epoch: epoch, sequence: sequence, digest: Batch.digest(of: body)),
            window: TimeRange(
                start: Timestamp(seconds: 10 * Int64(sequence)), end: Timestamp(seconds: 10 * Int64(sequence) + 10)),
            samples: samples, expandedBytes: 1_000, body: body)
    }

    /// A spool with batches 1… of the given samples, written by an epoch that took just them.
    func fill(_ spool: Spool, _ samples: [UInt64], bytes: Int = 50) throws {
        spool.begin(EpochAccount(agent: agent, epoch: epoch))
        var ledger = Ledger()
        for (index, count) in samples.enumerated() {
            ledger.taken += count
            ledger.dropped = spool.index.epochs[epoch]?.account.ledger.dropped ?? [:]
            try spool.append(batch(UInt64(index + 1), samples: count, bytes: bytes), ledger: ledger)
        }
    }

    func account(taken: UInt64, batched: UInt64, last: UInt64) -> EpochAccount {
        var account = EpochAccount(agent: agent, epoch: epoch, batched: batched, lastSequence: last)
        account.ledger.taken = taken
        return account
    }

    func segmentPath(_ number: Int = 1) -> String { "spool/000000000000000\(number).segment" }

    let segmentName = "0000000000000001.segment"

    func sequences(_ spool: Spool, connection: UInt64 = 1) throws -> [UInt64] {
        try spool.takeUnsent(on: connection, limit: 10_000).map(\.name.sequence)
    }

    /// taken = stored + pending + dropped, for the epoch.
    func expectBalance(_ spool: Spool, taken: UInt64, _ remark: Comment = "") {
        guard let known = spool.index.epochs[epoch] else {
            #expect(taken == 0, remark)
            return
        }
        let account = known.account
        #expect(account.ledger.taken == taken, remark)
        #expect(
            account.ledger.taken
                == known.stored + spool.index.pendingSamples(of: epoch) + account.ledger.droppedTotal, remark)
    }

    @Test func `batches come back as they were written, in order, after a restart`() throws {
        try fill(open(), [10, 20, 30])
        let spool = try open(account: account(taken: 60, batched: 60, last: 3))
        let batches = try spool.takeUnsent(on: 1, limit: 10)
        #expect(batches == [batch(1, samples: 10), batch(2, samples: 20), batch(3, samples: 30)])
        #expect(try spool.takeUnsent(on: 1, limit: 10).isEmpty)
        #expect(try spool.takeUnsent(on: 2, limit: 2).map(\.name.sequence) == [1, 2])
        expectBalance(spool, taken: 60)
    }

    @Test func `what is settled is not sent again after a restart, and its file goes`() throws {
        let spool = try open()
        try fill(spool, [10, 20, 30])
        try spool.settle([SpoolKey(epoch: epoch, sequence: 2)], as: .dropped(.refused))
        try spool.settle([SpoolKey(epoch: epoch, sequence: 1)], as: .delivered)
        #expect(spool.index.epochs[epoch]?.stored == 10)
        let again = try open(account: account(taken: 60, batched: 60, last: 3))
        #expect(try sequences(again) == [3])
        #expect(again.index.epochs[epoch]?.account.ledger.dropped == [.refused: 20])
        #expect(again.index.epochs[epoch]?.needsTelling == true)
        expectBalance(again, taken: 60)
        try again.settle([SpoolKey(epoch: epoch, sequence: 3)], as: .delivered)
        #expect(try Spool.segments(in: again.directory).isEmpty)
        #expect(again.index.epochs[epoch]?.stored == 40)
    }

    @Test func `taken and never batched is killed, once, however often it restarts`() throws {
        try fill(open(), [10, 20])
        for _ in 1...3 {
            let spool = try open(account: account(taken: 37, batched: 30, last: 2))
            #expect(spool.index.epochs[epoch]?.account.ledger.dropped == [.killed: 7])
            expectBalance(spool, taken: 37)
            try spool.writeState()
        }
    }

    @Test func `a spool cut at any byte keeps what is whole and counts the rest`() throws {
        try fill(open(), [10, 20, 40])
        let whole = try #require(
            try PrivateDirectory(scratch.path + "/spool", create: true).read(
                "0000000000000001.segment", limit: 1 << 20))
        let record = SpoolRecord.headerBytes + 50
        #expect(whole.count == 3 * record)
        for length in 0...whole.count {
            try scratch.write(segmentPath(), Array(whole[..<length]))
            let spool = try open(account: account(taken: 75, batched: 70, last: 3))
            let kept = length / record
            #expect(try sequences(spool) == [1, 2, 3].prefix(kept).map { UInt64($0) }, "cut at \(length)")
            if kept > 0 {
                let lost = [70, 60, 40, 0][kept]
                let dropped = spool.index.epochs[epoch]?.account.ledger.dropped
                #expect(dropped?[.spoolDamaged, default: 0] == UInt64(lost), "cut at \(length)")
                #expect(dropped?[.killed] == 5)
            }
            expectBalance(spool, taken: 75, "cut at \(length)")
        }
    }

    @Test func `a record that the kill cut short was never batched, one that was finished is damaged`() throws {
        try fill(open(), [10, 20, 40])
        let whole = try #require(
            try PrivateDirectory(scratch.path + "/spool", create: true).read(segmentName, limit: 1 << 20))
        let record = whole.count / 3
        // A kill before the ledger's counters moved leaves them where the second batch put them.
        let killed = account(taken: 75, batched: 30, last: 2)
        for length in (2 * record)..<whole.count {
            try scratch.write(segmentPath(), Array(whole[..<length]))
            let spool = try open(account: killed)
            #expect(spool.index.epochs[epoch]?.account.ledger.dropped == [.killed: 45], "cut at \(length)")
            #expect(try sequences(spool) == [1, 2], "cut at \(length)")
            expectBalance(spool, taken: 75, "cut at \(length)")
        }
        try scratch.write(segmentPath(), whole)
        var spool = try open(account: killed)
        #expect(spool.index.epochs[epoch]?.account.ledger.dropped == [.killed: 5])
        #expect(try sequences(spool) == [1, 2, 3])
        expectBalance(spool, taken: 75)
        var damaged = whole
        damaged[whole.count - 1] ^= 1
        try scratch.write(segmentPath(), damaged)
        spool = try open(account: killed)
        #expect(spool.index.epochs[epoch]?.account.ledger.dropped == [.spoolDamaged: 40, .killed: 5])
        expectBalance(spool, taken: 75)
    }

    @Test func `a first record that was cut short is not taken for delivered, even without the state`() throws {
        try fill(open(), [10])
        let whole = try #require(
            try PrivateDirectory(scratch.path + "/spool", create: true).read(segmentName, limit: 1 << 20))
        try scratch.write(segmentPath(), Array(whole.dropLast()))
        let spool = try open(account: account(taken: 12, batched: 0, last: 0))
        #expect(spool.index.epochs[epoch]?.stored == 0)
        #expect(spool.index.epochs[epoch]?.account.ledger.dropped == [.killed: 12])
        expectBalance(spool, taken: 12)
    }

    @Test func `one flipped bit loses one batch, before and after it all survive`() throws {
        try fill(open(), [10, 20, 40])
        let directory = try PrivateDirectory(scratch.path + "/spool", create: true)
        let whole = try #require(try directory.read("0000000000000001.segment", limit: 1 << 20))
        let record = whole.count / 3
        for offset in whole.indices {
            var damaged = whole
            damaged[offset] ^= 1 << (offset % 8)
            try scratch.write(segmentPath(), damaged)
            let spool = try open(account: account(taken: 75, batched: 70, last: 3))
            let hit = UInt64(offset / record + 1)
            #expect(try sequences(spool) == [1, 2, 3].filter { $0 != hit }, "flip at \(offset)")
            // Without the state, a first batch that is gone can't be told from one that was delivered.
            if hit > 1 {
                #expect(
                    spool.index.epochs[epoch]?.account.ledger.dropped[.spoolDamaged] == [0, 10, 20, 40][Int(hit)],
                    "flip at \(offset)")
            }
            #expect(spool.recovery.damagedBytes > 0)
            expectBalance(spool, taken: 75, "flip at \(offset)")
        }
    }

    @Test func `with the state even a damaged first batch is counted`() throws {
        let spool = try open()
        try fill(spool, [10, 20, 40])
        try spool.writeState()
        var bytes = try #require(try spool.directory.read("0000000000000001.segment", limit: 1 << 20))
        bytes[SpoolRecord.headerBytes + 3] ^= 1
        bytes[20] ^= 1
        try scratch.write(segmentPath(), bytes)
        let again = try open(account: account(taken: 70, batched: 70, last: 3))
        #expect(again.index.epochs[epoch]?.account.ledger.dropped == [.spoolDamaged: 10])
        expectBalance(again, taken: 70)
    }

    @Test func `a batch damaged while the agent runs is dropped when its turn comes`() throws {
        let spool = try open()
        try fill(spool, [10, 20, 40])
        var bytes = try #require(try spool.directory.read("0000000000000001.segment", limit: 1 << 20))
        bytes[SpoolRecord.headerBytes + 50 + SpoolRecord.headerBytes + 7] ^= 4
        try scratch.write(segmentPath(), bytes)
        #expect(try sequences(spool) == [1, 3])
        #expect(spool.index.epochs[epoch]?.account.ledger.dropped == [.spoolDamaged: 20])
        expectBalance(spool, taken: 70)
    }

    @Test func `a damaged state has batches sent again and nothing lost`() throws {
        let spool = try open()
        try fill(spool, [10, 20, 40])
        try spool.settle([SpoolKey(epoch: epoch, sequence: 1)], as: .delivered)
        var state = try #require(try spool.directory.read("state", limit: 1 << 20))
        state[state.count / 2] ^= 1
        try scratch.write("spool/state", state)
        let again = try open(account: account(taken: 70, batched: 70, last: 3))
        #expect(again.recovery.isStateDamaged)
        #expect(try sequences(again) == [1, 2, 3])
        expectBalance(again, taken: 70)
    }

    @Test func `every flip and every cut of the state is noticed`() throws {
        let spool = try open()
        try fill(spool, [10, 20])
        try spool.settle([SpoolKey(epoch: epoch, sequence: 2)], as: .delivered)
        let bytes = spool.index.state.encoded()
        #expect(SpoolState(bytes) == spool.index.state)
        for bit in 0..<bytes.count * 8 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << (bit % 8)
            #expect(SpoolState(damaged) == nil)
        }
        for length in bytes.indices { #expect(SpoolState(Array(bytes[..<length])) == nil) }
    }

    @Test func `a full spool gives up the oldest first and counts their samples`() throws {
        let spool = try open(limit: 256 << 10)
        let counts = (1...200).map { UInt64($0) }
        try fill(spool, counts, bytes: 4_000)
        let left = try sequences(spool)
        #expect(left == Array(UInt64(201 - left.count)...200))
        #expect(spool.index.totalBytes <= 256 << 10)
        var onDisk = 0
        for (_, name) in try Spool.segments(in: spool.directory) {
            onDisk += try #require(try spool.directory.read(name, limit: 1 << 20)).count
        }
        #expect(onDisk == spool.index.totalBytes)
        let lost = (1...UInt64(200 - left.count)).reduce(0, +)
        #expect(spool.index.epochs[epoch]?.account.ledger.dropped == [.spoolFull: lost])
        expectBalance(spool, taken: counts.reduce(0, +))
        let again = try open(limit: 256 << 10)
        #expect(try sequences(again) == left)
        expectBalance(again, taken: counts.reduce(0, +))
    }

    @Test func `a batch that may be stored already is given up last`() throws {
        let spool = try open(limit: 256 << 10)
        try fill(spool, [1, 2], bytes: 4_000)
        #expect(try spool.takeUnsent(on: 1, limit: 1).map(\.name.sequence) == [1])
        var ledger = Ledger()
        ledger.taken = 3
        for sequence in 3...200 as ClosedRange<UInt64> {
            ledger.taken += 1
            try spool.append(batch(sequence, samples: 1, bytes: 4_000), ledger: ledger)
        }
        let left = try sequences(spool, connection: 2)
        #expect(left.first == 1)
        #expect(left.last == 200)
        expectBalance(spool, taken: ledger.taken)
    }

    @Test func `a batch over the limit is refused by name, and nothing else is given up for it`() throws {
        let spool = try open(limit: 64 << 10)
        try fill(spool, [10])
        #expect(throws: DeliveryError.self) {
            try spool.append(batch(2, samples: 5, bytes: 100_000), ledger: Ledger())
        }
        #expect(try sequences(spool) == [1])
    }

    @Test func `batches of another agent's disk are left to that agent`() throws {
        try fill(open(), [10, 20])
        let other = try Spool(
            in: PrivateDirectory(scratch.path + "/spool", create: true), agent: Identifier(high: 9, low: 9),
            account: account(taken: 30, batched: 30, last: 2), limitBytes: 1 << 20, synchronisation: .never)
        #expect(other.recovery.foreignBatches == 2 && other.recovery.foreignSamples == 30)
        #expect(other.index.epochs.isEmpty)
        try other.delete([])
        #expect(try Spool.segments(in: other.directory).isEmpty)
    }

    @Test func `a finished epoch is known until its last file is gone, so that nothing of it is listed or sent again`()
        throws
    {
        try fill(open(), [10, 20])
        var spool = try open(account: account(taken: 30, batched: 30, last: 2))
        let next = Identifier(high: 5, low: 6)
        spool.begin(EpochAccount(agent: agent, epoch: next))
        // The old epoch's last word and the new epoch's first batch share the segment that is written.
        try spool.append(batch(3, samples: 0), ledger: try #require(spool.index.epochs[epoch]?.account.ledger))
        var first = batch(1, samples: 7)
        first.name.epoch = next
        var ledger = Ledger()
        ledger.taken = 7
        try spool.append(first, ledger: ledger)
        try spool.settle((1...3).map { SpoolKey(epoch: epoch, sequence: $0) }, as: .delivered)
        #expect(try SpoolListing(spoolDirectory: scratch.path + "/spool").rows.map(\.name) == [first.name])
        spool = try open(
            account: EpochAccount(agent: agent, epoch: next, ledger: ledger, batched: 7, lastSequence: 1))
        #expect(try spool.takeUnsent(on: 1, limit: 10).map(\.name) == [first.name])
        try spool.settle([SpoolKey(epoch: next, sequence: 1)], as: .delivered)
        #expect(try Spool.segments(in: spool.directory).isEmpty)
        #expect(spool.index.epochs.isEmpty)
        let state = try #require(try spool.directory.read(Spool.stateName, limit: 1 << 20))
        #expect(SpoolState(state)?.epochs.isEmpty == true)
    }

    @Test func `the list shows what is pending and what is damaged`() throws {
        let spool = try open()
        try fill(spool, [10, 20, 40])
        try spool.settle([SpoolKey(epoch: epoch, sequence: 1)], as: .delivered)
        var bytes = try #require(try spool.directory.read("0000000000000001.segment", limit: 1 << 20))
        bytes[bytes.count - 1] ^= 1
        try scratch.write(segmentPath(), bytes)
        let listing = try SpoolListing(spoolDirectory: scratch.path + "/spool")
        #expect(listing.rows.map(\.name.sequence) == [2])
        #expect(listing.samples == 20)
        #expect(listing.damagedBatches == 1)
        #expect(listing.oldest == Timestamp(seconds: 20))
    }

    @Test func `a writer killed at any moment leaves every batch that it finished`() throws {
        let seed = testSeed()
        print("SEED=\(seed)")
        var generator = SplitMix64(state: seed)
        for round in 1...25 {
            let epoch = Identifier(high: 77, low: UInt64(round))
            let directory = try PrivateDirectory(scratch.path + "/spool", create: true)
            let ledger = try LedgerFile(creating: "ledger", in: directory, agent: agent, epoch: epoch)
            let child = fork()
            if child == 0 { Self.write(to: scratch.path + "/spool", ledger: ledger) }
            let patience = ContinuousClock.now + .seconds(5)
            while ledger.account.lastSequence < 2, ContinuousClock.now < patience { usleep(50) }
            usleep(UInt32(generator.next() % 10_000))
            kill(child, SIGKILL)
            var status: Int32 = 0
            #expect(unsafe waitpid(child, &status, 0) == child)
            let before = ledger.account
            try #require(before.lastSequence >= 2)
            let spool = try Spool(
                in: directory, agent: agent, account: before, limitBytes: 8 << 20, synchronisation: .never)
            let known = try #require(spool.index.epochs[epoch])
            let found = try spool.takeUnsent(on: 1, limit: 1_000_000).filter { $0.name.epoch == epoch }
            // One more where the kill came between the record and the count.
            #expect(found.count == before.lastSequence || found.count == before.lastSequence + 1)
            #expect(found.map(\.name.sequence) == Array(1...UInt64(found.count)))
            #expect(known.account.ledger.dropped[.spoolDamaged] == nil)
            #expect(
                before.ledger.taken
                    == found.reduce(0) { $0 + $1.samples } + known.account.ledger.droppedTotal, "round \(round)")
            try spool.settle(found.map { SpoolKey(epoch: epoch, sequence: $0.name.sequence) }, as: .delivered)
        }
    }

    private static func write(to path: String, ledger: LedgerFile) -> Never {
        do {
            let directory = try PrivateDirectory(path, create: true)
            let spool = try Spool(
                in: directory, agent: ledger.agent, account: nil, limitBytes: 8 << 20, synchronisation: .never)
            spool.begin(EpochAccount(agent: ledger.agent, epoch: ledger.epoch))
            var sequence: UInt64 = 0
            while true {
                sequence += 1
                ledger.addTaken(sequence % 7)
                let body = [UInt8](repeating: UInt8(truncatingIfNeeded: sequence), count: Int(sequence % 5_000))
                let batch = Batch(
                    name: BatchName(
                        agent: ledger.agent, epoch: ledger.epoch, sequence: sequence, digest: ledger.agent),
                    window: TimeRange(start: Timestamp(seconds: 0), end: Timestamp(seconds: 10)),
                    samples: sequence % 7, expandedBytes: 1, body: body)
                try spool.append(batch, ledger: ledger.snapshot())
                ledger.raise(.lastSequence, to: sequence)
                ledger.raise(.batched, to: ledger.account.batched + sequence % 7)
            }
        } catch {
            _exit(1)
        }
    }
}
