import ProfileStore
import Profiles
import Settings
import Testing
import WireProtocol

@testable import ProfilerAggregator

@Suite struct AgentConnectionTests {
    private let now = ContinuousClock.now

    private func served(_ limits: AgentConnection.Limits = .init()) -> AgentConnection {
        var connection = AgentConnection(limits: limits, now: now)
        _ = connection.handle(.received(.hello(hello())), at: now)
        _ = connection.handle(.lookedUp(lastStored: 7), at: now)
        return connection
    }

    @Test func `a Hello is answered by a Welcome with the last stored sequence`() throws {
        var connection = AgentConnection(limits: .init(), now: now)
        let first = connection.handle(.received(.hello(hello())), at: now)
        #expect(first.map(\.word) == ["lookUp"])
        let second = connection.handle(.lookedUp(lastStored: 7), at: now)
        #expect(second.map(\.word) == ["send Welcome", "served"])
        guard case .send(.welcome(let welcome)) = second[0] else { Issue.record("no Welcome"); return }
        #expect(welcome.lastStoredSequence == 7)
        #expect(welcome.version == 1)
        #expect(welcome.credit == 8)
    }

    @Test func `a version that nobody speaks is answered by a Goodbye that says so`() throws {
        var connection = AgentConnection(limits: .init(), now: now)
        let effects = connection.handle(.received(.hello(hello(versions: [9, 12]))), at: now)
        #expect(effects.map(\.word) == ["send Goodbye unsupportedVersion", "close"])
        #expect(connection.isClosed)
    }

    @Test func `the settings' limits are by default those of the wire`() {
        #expect(AggregatorSettings().limits.messageBytes == WireLimits.messageBytes)
        #expect(AggregatorSettings().limits.expandedBatchBytes == WireLimits.expandedBytes)
        #expect(AgentConnection.Limits().symbolTableBytes == WireLimits.symbolTableBytes)
    }

    @Test func `an agent that names no version is told which this aggregator speaks`() throws {
        var connection = AgentConnection(limits: .init(), now: now)
        let effects = connection.handle(.received(.hello(hello(versions: []))), at: now)
        guard case .send(.goodbye(let goodbye)) = effects[0] else { Issue.record("no Goodbye"); return }
        #expect(goodbye.detail == "the agent names no version of the protocol; this aggregator speaks 1")
    }

    @Test(
        arguments: [
            (0, 60_000_000_001), (1, 0), (Int64.min, Int64.max), (Int64.max, Int64.min),
        ] as [(Int64, Int64)])
    func `a batch with an impossible window is refused by name, and the connection stays`(
        start: Int64, end: Int64
    ) throws {
        var connection = served()
        let sound = try batch(sequence: 1)
        let impossible = Batch(
            name: sound.name,
            window: TimeRange(start: Timestamp(nanoseconds: start), end: Timestamp(nanoseconds: end)),
            samples: sound.samples, expandedBytes: sound.expandedBytes, body: sound.body)
        var decoder = MessageDecoder()
        decoder.append(try Message.batch(impossible).encoded())
        let next = try decoder.next()
        let message = try #require(next)
        #expect(connection.handle(.received(message), at: now).map(\.word) == ["send Refused 1 malformed"])
        #expect(!connection.isClosed)
        #expect(throws: WireError.self) { try impossible.windowProfile() }
    }

    @Test(arguments: [
        ("Batch before Hello", "send Goodbye protocolError"), ("Ack before Hello", "send Goodbye protocolError"),
    ])
    func `nothing but Hello comes first`(what: String, expected: String) throws {
        var connection = AgentConnection(limits: .init(), now: now)
        let name = try batch(sequence: 1)
        let effects = connection.handle(.received(what.hasPrefix("Batch") ? .batch(name) : .ack(name.name)), at: now)
        #expect(effects.map(\.word) == [expected, "close"])
    }

    @Test func `batches that come during an append go together into the next, and each is answered in order`() throws {
        var connection = served()
        let batches = try (1...4).map { try batch(sequence: $0) }
        #expect(connection.handle(.received(.batch(batches[0])), at: now).map(\.word) == ["check"])
        #expect(connection.handle(.checked(try checked(batches[0])), at: now).map(\.word) == ["append 1"])
        for batch in batches.dropFirst() {
            #expect(connection.handle(.checked(try checked(batch)), at: now).isEmpty)
        }
        #expect(connection.handle(.appended([.stored]), at: now).map(\.word) == ["send Ack 1", "append 3"])
        #expect(
            connection.handle(.appended([.alreadyStored, .expired, .storedAsConflict]), at: now).map(\.word)
                == ["send Ack 2", "send Refused 3 expired", "send Ack 4"])
        #expect(connection.unansweredBytes == 0)
    }

    @Test func `one Ack covers a run of an epoch, and another epoch has its own`() throws {
        var connection = served()
        for one in [(1, 1), (1, 2), (2, 1), (2, 2)] {
            _ = connection.handle(
                .checked(try checked(try batch(epoch: UInt64(one.0), sequence: UInt64(one.1)))), at: now)
        }
        _ = connection.handle(.appended([.stored]), at: now)
        let effects = connection.handle(.appended([.stored, .stored, .stored]), at: now)
        #expect(effects.map(\.word) == ["send Ack 2", "send Ack 2"])
    }

    @Test func `more batches than the credit, and another agent's batch`() throws {
        var limits = AgentConnection.Limits()
        limits.credit = 2
        var connection = served(limits)
        #expect(
            connection.handle(.received(.batch(try batch(agent: 2, sequence: 1))), at: now).map(\.word)
                == ["send Refused 1 foreign"])
        for sequence in 1...2 {
            _ = connection.handle(.checked(try checked(try batch(sequence: UInt64(sequence)))), at: now)
        }
        #expect(
            connection.handle(.received(.batch(try batch(sequence: 3))), at: now).map(\.word)
                == ["send Goodbye protocolError", "close"])
    }

    @Test func `a store that fails ends the connection, after what was stored is acknowledged`() throws {
        var connection = served()
        for sequence in 1...3 {
            _ = connection.handle(.checked(try checked(try batch(sequence: UInt64(sequence)))), at: now)
        }
        _ = connection.handle(.appended([.stored]), at: now)
        let full = ProfileStoreError.failed(path: "x", operation: "storing", reason: "disk full")
        #expect(
            connection.handle(.appended([.stored, .failed(full)]), at: now).map(\.word)
                == ["send Ack 2", "send Goodbye overloaded", "close"])
    }

    @Test func `only tables that were asked for are taken, part after part`() throws {
        func chunk(_ offset: UInt64, _ data: [UInt8], total: UInt64 = 6) -> AgentConnection.Event {
            .received(.symbolTable(SymbolTableChunk(module: testModule, totalBytes: total, offset: offset, data: data)))
        }
        var unasked = served()
        #expect(unasked.handle(chunk(0, [1]), at: now).map(\.word) == ["send Goodbye protocolError", "close"])

        var asked = served()
        #expect(asked.handle(.wanted([testModule]), at: now).map(\.word) == ["send SymbolsWanted 1"])
        #expect(asked.handle(.wanted([testModule]), at: now).isEmpty)
        #expect(asked.handle(chunk(0, [1, 2, 3]), at: now).isEmpty)
        #expect(asked.handle(chunk(3, [4, 5, 6]), at: now).map(\.word) == ["table 6"])
        #expect(asked.handle(chunk(0, [1]), at: now).map(\.word) == ["send Goodbye protocolError", "close"])

        for (offset, data, total) in [(1, [1], 6), (0, [1, 2, 3, 4, 5, 6, 7], 6), (0, [], 6), (0, [1], 1 << 40)]
            as [(UInt64, [UInt8], UInt64)]
        {
            var connection = served()
            _ = connection.handle(.wanted([testModule]), at: now)
            #expect(
                connection.handle(chunk(offset, data, total: total), at: now).map(\.word)
                    == ["send Goodbye protocolError", "close"])
        }

        var without = served()
        _ = without.handle(.wanted([testModule]), at: now)
        let none = SymbolTableChunk(module: testModule, totalBytes: 0, offset: 0, data: [], unavailable: "gone")
        #expect(without.handle(.received(.symbolTable(none)), at: now).map(\.word) == ["noTable"])
    }

    @Test func `a peer that is slow to greet, to finish a message, or silent is left`() {
        var slow = AgentConnection(limits: .init(), now: now)
        #expect(slow.handle(.tick, at: now + .seconds(9)).isEmpty)
        #expect(slow.handle(.tick, at: now + .seconds(11)).map(\.word) == ["send Goodbye idle", "close"])

        var dripping = served()
        for second in 0..<60 {
            #expect(dripping.handle(.bytes(buffered: 10 + second), at: now + .seconds(second)).isEmpty)
        }
        #expect(dripping.handle(.tick, at: now + .seconds(61)).map(\.word) == ["send Goodbye idle", "close"])

        var silent = served()
        _ = silent.handle(.bytes(buffered: 0), at: now)
        #expect(silent.handle(.tick, at: now + .seconds(599)).isEmpty)
        #expect(silent.handle(.tick, at: now + .seconds(601)).map(\.word) == ["send Goodbye idle", "close"])

        var flooding = AgentConnection(limits: .init(), now: now)
        #expect(
            flooding.handle(.bytes(buffered: 1 << 20), at: now).map(\.word) == ["send Goodbye protocolError", "close"])
    }

    @Test func `in every history each batch is answered at most once and in order, and nothing follows a close`() throws
    {
        var generator = SystemRandomNumberGenerator()
        let batches = try (1...12).map { try batch(sequence: $0) }
        for _ in 0..<300 {
            var connection = AgentConnection(limits: .init(), now: now)
            var sent: UInt64 = 0
            var answered: UInt64 = 0
            var underWay = 0
            var isClosed = false
            for step in 0..<60 {
                let event: AgentConnection.Event
                switch Int.random(in: 0..<8, using: &generator) {
                case 0: event = .received(.hello(hello()))
                case 1: event = .lookedUp(lastStored: 0)
                case 2, 3, 4:
                    guard sent < 12 else { continue }
                    event = .checked(try checked(batches[Int(sent)]))
                case 5, 6:
                    guard underWay > 0 else { continue }
                    event = .appended(
                        (0..<underWay).map { _ in
                            [.stored, .alreadyStored, .expired][Int.random(in: 0..<3, using: &generator)]
                        })
                default: event = step > 50 ? .stopping : .tick
                }
                let before = connection.isClosed
                let isServing = connection.agent != nil
                let effects = connection.handle(event, at: now)
                if before { #expect(effects.isEmpty) }
                if case .checked = event, isServing, !before {
                    // Only what is taken while serving counts.
                    if effects.contains(where: { $0.word.hasPrefix("append") }) || connection.unansweredBytes > 0 {
                        sent += 1
                    }
                }
                if case .appended = event { underWay = 0 }
                for effect in effects {
                    switch effect {
                    case .append(let batches): underWay = batches.count
                    case .send(.ack(let name)):
                        #expect(name.sequence > answered)
                        answered = name.sequence
                    case .send(.refused(let refused)):
                        #expect(refused.name.sequence == answered + 1)
                        answered = refused.name.sequence
                    case .close:
                        #expect(!isClosed)
                        isClosed = true
                    default: break
                    }
                }
                #expect(answered <= sent)
            }
        }
    }
}

extension AgentConnection.Effect {
    /// Short enough to compare.
    var word: String {
        switch self {
        case .send(.ack(let name)): "send Ack \(name.sequence)"
        case .send(.refused(let refused)): "send Refused \(refused.name.sequence) \(refused.reason)"
        case .send(.goodbye(let goodbye)): "send Goodbye \(goodbye.reason)"
        case .send(.symbolsWanted(let modules)): "send SymbolsWanted \(modules.count)"
        case .send(let message): "send \(message.word)"
        case .lookUp: "lookUp"
        case .served: "served"
        case .check: "check"
        case .append(let batches): "append \(batches.count)"
        case .table(_, let bytes): "table \(bytes.count)"
        case .noTable: "noTable"
        case .goodbye: "goodbye"
        case .close: "close"
        }
    }
}
