import Profiles
import Testing
import WireProtocol

@testable import ProfilerAgent

@Suite struct SenderMachineTests {
    typealias Instant = ContinuousClock.Instant
    let start = Instant.now

    func name(_ sequence: UInt64, epoch: UInt64 = 1) -> BatchName {
        BatchName(
            agent: Identifier(high: 0, low: 1), epoch: Identifier(high: 0, low: epoch), sequence: sequence,
            digest: Identifier(high: sequence, low: epoch))
    }

    func machine() -> SenderMachine { SenderMachine(sendDelay: .seconds(4), seed: 1, now: start) }

    /// A machine that has been welcomed, and the time.
    func connected(credit: UInt32 = 8, stored: UInt64 = 0) -> (machine: SenderMachine, now: Instant) {
        var machine = machine()
        _ = machine.handle(.start, at: start)
        let now = start + .seconds(2)
        #expect(machine.handle(.timer, at: now) == [.connect])
        #expect(machine.handle(.connected, at: now) == [.sendHello])
        let welcome = Welcome(version: 1, lastStoredSequence: stored, credit: credit)
        var expected: [SenderMachine.Effect] = [.log(.connected(credit: min(Int(credit), SenderMachine.maximumCredit)))]
        if stored > 0 { expected.append(.settleThrough(stored)) }
        expected.append(.fill(room: min(Int(credit), SenderMachine.maximumCredit)))
        #expect(machine.handle(.received(.welcome(welcome)), at: now) == expected)
        return (machine, now)
    }

    @Test func `a Welcome settles what it says is stored before anything is sent`() {
        _ = connected(stored: 7)
    }

    @Test func `credit is obeyed, within our own bound`() {
        var (machine, now) = connected(credit: 100_000)
        #expect(machine.handle(.filled((1...64).map { name($0) }, hasMore: true), at: now) == [])
        #expect(machine.handle(.writable, at: now) == [])
        #expect(
            machine.handle(.received(.ack(name(3))), at: now) == [
                .settle([name(1), name(2), name(3)], .delivered), .fill(room: 3),
            ])
    }

    @Test func `an Ack covers earlier batches of its own epoch only`() {
        var (machine, now) = connected()
        _ = machine.handle(.filled([name(1), name(1, epoch: 2), name(2)], hasMore: false), at: now)
        #expect(
            machine.handle(.received(.ack(name(2))), at: now) == [.settle([name(1), name(2)], .delivered)])
        #expect(
            machine.handle(.received(.ack(name(1, epoch: 2))), at: now) == [
                .settle([name(1, epoch: 2)], .delivered)
            ])
    }

    @Test func `an Ack covers what it names and numbers below it, whatever was sent first`() {
        var (machine, now) = connected()
        _ = machine.handle(.filled([name(4), name(1), name(3), name(2)], hasMore: false), at: now)
        #expect(machine.handle(.received(.ack(name(2))), at: now) == [.settle([name(1), name(2)], .delivered)])
        #expect(machine.handle(.received(.ack(name(4))), at: now) == [.settle([name(4), name(3)], .delivered)])
    }

    @Test func `the limits of a Welcome tell which batches it is no use to send`() throws {
        var machine = machine()
        let now = start + .seconds(2)
        _ = machine.handle(.start, at: start)
        _ = machine.handle(.timer, at: now)
        _ = machine.handle(.connected, at: now)
        let welcome = Welcome(
            version: 1, lastStoredSequence: 0, credit: 8, maximumMessageBytes: 1_000, maximumExpandedBytes: 5_000)
        _ = machine.handle(.received(.welcome(welcome)), at: now)
        guard case .connected(var session) = machine.state else {
            Issue.record("not connected")
            return
        }
        func batch(expandedBytes: UInt64) -> Batch {
            let moment = Timestamp(seconds: 0)
            return Batch(
                name: name(1), window: TimeRange(start: moment, end: moment), samples: 1, expandedBytes: expandedBytes,
                body: [])
        }
        #expect(session.excess(of: batch(expandedBytes: 5_000), messageBytes: 1_000) == nil)
        #expect(session.excess(of: batch(expandedBytes: 5_000), messageBytes: 1_001) != nil)
        #expect(session.excess(of: batch(expandedBytes: 5_001), messageBytes: 1_000) != nil)
        // A peer that leaves the fields out says nothing, not nothing at all.
        session.maximumMessageBytes = 0
        session.maximumExpandedBytes = 0
        #expect(session.excess(of: batch(expandedBytes: 5_001), messageBytes: 1_001) == nil)
    }

    @Test func `a refused batch is dropped and blocks nothing`() {
        var (machine, now) = connected()
        _ = machine.handle(.filled([name(1), name(2)], hasMore: true), at: now)
        let refused = Refused(name: name(1), reason: .expired, detail: "too old")
        #expect(
            machine.handle(.received(.refused(refused)), at: now) == [
                .log(.refused(name(1), .expired, "too old")), .settle([name(1)], .dropped(.refused)), .fill(room: 7),
            ])
        #expect(
            machine.handle(.received(.ack(name(2))), at: now) == [.settle([name(2)], .delivered), .fill(room: 8)])
    }

    @Test func `messages of unknown types change nothing`() {
        var (machine, now) = connected()
        let before = machine.state
        #expect(machine.handle(.received(.unknown(type: 99)), at: now) == [])
        #expect(machine.state == before)
    }

    @Test func `a new window waits for this agent's place in the fleet, a backlog does not`() {
        var (machine, now) = connected()
        _ = machine.handle(.filled([], hasMore: false), at: now)
        #expect(machine.handle(.spooled, at: now) == [])
        #expect(machine.deadline == now + .seconds(4))
        #expect(machine.handle(.timer, at: now + .seconds(3)) == [])
        #expect(machine.handle(.timer, at: now + .seconds(4)) == [.fill(room: 8)])
    }

    @Test func `a peer that answers nothing is given up after the stated time`() {
        var (machine, now) = connected()
        _ = machine.handle(.filled([name(1)], hasMore: false), at: now)
        #expect(machine.deadline == now + machine.times.answer)
        #expect(machine.handle(.timer, at: now + .seconds(29)) == [])
        let effects = machine.handle(.timer, at: now + .seconds(30))
        #expect(effects.first == .disconnect)
        guard case .waiting = machine.state else {
            Issue.record("state is \(machine.state)")
            return
        }
    }

    @Test func `an idle connection is left alone`() {
        var (machine, now) = connected()
        _ = machine.handle(.filled([], hasMore: false), at: now)
        #expect(machine.deadline == nil)
    }

    static let violations: [Message] = [
        .welcome(Welcome(version: 1, lastStoredSequence: 0, credit: 1)),
        .batch(
            Batch(
                name: BatchName(
                    agent: .random(), epoch: .random(), sequence: 1, digest: Identifier(high: 1, low: 1)),
                window: TimeRange(start: Timestamp(seconds: 0), end: Timestamp(seconds: 1)), samples: 0,
                expandedBytes: 0, body: [])),
        .ack(BatchName(agent: .random(), epoch: .random(), sequence: 1, digest: Identifier(high: 1, low: 1))),
    ]

    @Test(arguments: violations)
    func `a message out of place ends the connection with a word and a long wait`(_ message: Message) {
        var (machine, now) = connected()
        let effects = machine.handle(.received(message), at: now)
        guard case .sendGoodbye(.protocolError, _) = effects.first else {
            Issue.record("effects are \(effects)")
            return
        }
        #expect(effects.contains(.disconnect))
        guard case .waiting(_, isTurnedAway: false) = machine.state else {
            Issue.record("state is \(machine.state)")
            return
        }
    }

    @Test func `a version that can't be served is said clearly and waited out long`() {
        var machine = machine()
        _ = machine.handle(.start, at: start)
        let now = start + .seconds(2)
        _ = machine.handle(.timer, at: now)
        _ = machine.handle(.connected, at: now)
        let goodbye = Goodbye(reason: .unsupportedVersion, detail: "only 7")
        let effects = machine.handle(.received(.goodbye(goodbye)), at: now)
        #expect(effects.contains(.disconnect))
        guard case .waiting(let until, isTurnedAway: true) = machine.state else {
            Issue.record("state is \(machine.state)")
            return
        }
        #expect(until >= now + .seconds(300) && until <= now + .seconds(600))
        #expect(machine.lastError?.contains("only 7") == true)
    }

    @Test func `waits grow to their bound, spread over all of it, and start again after an Ack`() {
        var backOff = BackOff(times: SenderTimes(), seed: testSeed())
        for attempt in 0..<12 {
            let bound = min(Duration.seconds(60), .seconds(1 << min(attempt, 6)))
            let wait = backOff.next()
            #expect(wait >= .zero && wait < bound)
        }
        var longest = Duration.zero
        var shortest = Duration.seconds(60)
        for _ in 0..<1_000 {
            let wait = backOff.next()
            longest = max(longest, wait)
            shortest = min(shortest, wait)
        }
        #expect(longest > .seconds(55) && shortest < .seconds(5))
        backOff.succeeded()
        #expect(backOff.next() < .seconds(1))
    }

    @Test func `stopping delivers what there is, says goodbye and ends`() {
        var (machine, now) = connected()
        _ = machine.handle(.filled([name(1)], hasMore: true), at: now)
        #expect(machine.handle(.stop(by: now + .seconds(5)), at: now) == [.fill(room: 7)])
        #expect(machine.handle(.filled([name(2)], hasMore: false), at: now) == [])
        let effects = machine.handle(.received(.ack(name(2))), at: now)
        #expect(effects.first == .settle([name(1), name(2)], .delivered))
        #expect(effects.suffix(2) == [.disconnect, .finished])
        #expect(machine.state == .stopped)
    }

    @Test func `stopping ends in time beside a peer that answers nothing, and without a connection`() {
        var (machine, now) = connected()
        _ = machine.handle(.filled([name(1)], hasMore: false), at: now)
        #expect(machine.handle(.stop(by: now + .seconds(5)), at: now) == [])
        #expect(machine.deadline == now + .seconds(5))
        #expect(machine.handle(.timer, at: now + .seconds(5)).last == .finished)
        var waiting = self.machine()
        _ = waiting.handle(.start, at: start)
        #expect(waiting.handle(.stop(by: start + .seconds(5)), at: start) == [.connect])
        #expect(waiting.handle(.closed("refused"), at: start).last == .finished)
        var idle = self.machine()
        #expect(idle.handle(.stop(by: start), at: start) == [.finished])
    }
}

/// The machine and the spool's index against a model of the aggregator and the network, in virtual time.
@Suite struct SenderHistoryTests {
    struct World {
        var random: SplitMix64
        var now = ContinuousClock.Instant.now
        var machine: SenderMachine
        var index = SpoolIndex(limitBytes: 64 << 20)
        let agent = Identifier(high: 1, low: 1)
        let epoch = Identifier(high: 2, low: 2)
        var sequence: UInt64 = 0
        var taken: UInt64 = 0

        // The network and the aggregator.
        var connection: UInt64 = 0
        var isUp = true
        var isStalled = false
        var isFaulty = true
        var toAggregator: [BatchName] = []
        var toAgent: [Message] = []
        var pendingConnect = false
        var unanswered = 0
        var stored: [BatchName: Int] = [:]
        var refused: Set<UInt64> = []
        var finished = false

        static let credit = 5

        init(seed: UInt64) {
            random = SplitMix64(state: seed)
            machine = SenderMachine(sendDelay: .seconds(3), seed: seed, now: now)
            index.begin(EpochAccount(agent: agent, epoch: epoch))
        }

        static func samples(_ sequence: UInt64) -> UInt64 { sequence % 50 + 1 }

        mutating func handle(_ event: SenderMachine.Event) {
            for effect in machine.handle(event, at: now) { perform(effect) }
            checkInvariant()
        }

        func checkInvariant() {
            guard let known = index.epochs[epoch] else { return }
            #expect(known.account.batched == known.settledSamples + index.pendingSamples)
        }

        mutating func perform(_ effect: SenderMachine.Effect) {
            switch effect {
            case .connect:
                connection += 1
                pendingConnect = true
            case .sendHello:
                let last = (1...sequence + 1).first { sequence in !stored.keys.contains { $0.sequence == sequence } }
                toAgent.append(
                    .welcome(
                        Welcome(version: 1, lastStoredSequence: (last ?? 1) - 1, credit: UInt32(Self.credit))))
            case .fill(let room):
                let entries = index.takeUnsent(on: connection, limit: room).map { name($0.entry.key.sequence) }
                toAggregator += entries
                unanswered += entries.count
                #expect(unanswered <= Self.credit)
                handle(.filled(entries, hasMore: index.hasUnsent(on: connection)))
            case .settle(let names, let fate):
                for name in names {
                    // An acknowledgement only ever follows the storing.
                    if fate == .delivered { #expect(stored[name] != nil) } else { refused.insert(name.sequence) }
                }
                _ = index.settle(names.map { SpoolKey(epoch: $0.epoch, sequence: $0.sequence) }, as: fate)
            case .settleThrough(let through):
                let keys = index.segments.flatMap { $0.entries.map(\.key).filter { $0.sequence <= through } }
                _ = index.settle(keys, as: .delivered)
            case .disconnect: cut()
            case .finished: finished = true
            case .sendGoodbye, .sendTables, .log: break
            }
        }

        func name(_ sequence: UInt64) -> BatchName {
            BatchName(agent: agent, epoch: epoch, sequence: sequence, digest: Identifier(high: 0, low: sequence))
        }

        mutating func cut() {
            toAggregator = []
            toAgent = []
            unanswered = 0
            pendingConnect = false
        }

        mutating func spool() {
            sequence += 1
            taken += Self.samples(sequence)
            var ledger = Ledger()
            ledger.taken = taken
            let batch = Batch(
                name: name(sequence),
                window: TimeRange(start: Timestamp(seconds: 0), end: Timestamp(seconds: 10)),
                samples: Self.samples(sequence), expandedBytes: 1, body: [UInt8](repeating: 0, count: 5_000))
            let record = SpoolRecord(batch, batchedThrough: taken, ledger: ledger)
            _ = index.segment(for: record.totalBytes)
            index.appended(record)
            handle(.spooled)
        }

        /// The aggregator takes one batch: stores or refuses it, and answers now, later with others, or never.
        mutating func aggregate() {
            guard isUp, !isStalled, !toAggregator.isEmpty else { return }
            let name = toAggregator.removeFirst()
            if name.sequence % 17 == 0 {
                toAgent.append(.refused(Refused(name: name, reason: .malformed, detail: "")))
                return
            }
            stored[name, default: 0] += 1
            if isFaulty, random.next() % 4 == 0, let next = toAggregator.first, next.sequence % 17 != 0 { return }
            toAgent.append(.ack(name))
        }

        mutating func step() {
            switch random.next() % (isFaulty ? 14 : 9) {
            case 0:
                if isFaulty { spool() }
            case 1, 2, 3: aggregate()
            case 4, 5, 6:
                guard !toAgent.isEmpty else { return }
                let message = toAgent.removeFirst()
                switch message {
                case .ack(let name): unanswered = max(0, unanswered - coveredBy(name))
                case .refused: unanswered -= 1
                default: break
                }
                handle(.received(message))
            case 7:
                guard pendingConnect else { return }
                pendingConnect = false
                handle(isUp ? .connected : .closed("connection refused"))
            case 8:
                now += .milliseconds(Int64(random.next() % 20_000))
                if let due = machine.deadline, due <= now { handle(.timer) }
            case 9:
                cut()
                handle(.closed("reset"))
            case 10: isUp.toggle()
            case 11: isStalled.toggle()
            case 12:
                handle(.rubbish("noise"))
            default:
                if toAggregator.isEmpty, toAgent.isEmpty { return }
                now += .seconds(31)
                handle(.timer)
            }
        }

        private func coveredBy(_ name: BatchName) -> Int {
            guard case .connected(let session) = machine.state,
                let place = session.inFlight.firstIndex(of: name)
            else { return 0 }
            return place + 1
        }
    }

    @Test func `whatever the network does, every batch is stored once or refused, and the account adds up`() {
        let seed = testSeed()
        print("SEED=\(seed)")
        var seeds = SplitMix64(state: seed)
        for round in 1...60 {
            var world = World(seed: round == 1 ? seed : seeds.next())
            world.handle(.start)
            for _ in 0..<1_500 { world.step() }
            world.isFaulty = false
            world.isUp = true
            world.isStalled = false
            var steps = 0
            while world.index.batchCount > 0, steps < 200_000 {
                world.step()
                steps += 1
            }
            #expect(world.index.batchCount == 0, "round \(round): \(world.machine.state)")
            let numbers = Set(world.stored.keys.map(\.sequence))
            #expect(numbers == Set((1...world.sequence).filter { $0 % 17 != 0 }))
            let stored = numbers.reduce(0) { $0 + World.samples($1) }
            let account = world.index.epochs[world.epoch]
            #expect(account?.stored == stored)
            #expect(world.taken == stored + (account?.account.ledger.droppedTotal ?? 0))
            world.handle(.stop(by: world.now + .seconds(60)))
            while !world.finished, steps < 400_000 {
                world.step()
                steps += 1
            }
            #expect(world.finished)
        }
    }
}
