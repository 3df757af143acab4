import ProfileStore
import Profiles
import SymbolTables
import WireProtocol

/// One agent's connection as a state machine: what has happened goes in, what to do comes out, and nothing is done here.
///
///     greeting ── Hello ─► welcoming ── its epoch looked up ─► serving
///        any of them ── Goodbye, an error of the peer's, a time-out, our stopping ─► closed
struct AgentConnection {
    struct Limits: Sendable {
        /// Batches that may be without an answer.
        var credit: UInt32 = 8
        var messageBytes = WireLimits.messageBytes
        var expandedBytes = WireLimits.expandedBytes
        var symbolTableBytes = WireLimits.symbolTableBytes
        /// Bytes that a peer may send before it has said Hello.
        var greetingBytes = 64 << 10
        /// A Hello must be there so long after the connection.
        var greetingTime = Duration.seconds(10)
        /// A message must be complete so long after its first byte.
        var messageTime = Duration.seconds(60)
        /// Silence after which a peer is taken for gone.
        var idleTime = Duration.seconds(600)
        /// Batches that can't be read before the peer is taken for broken.
        var malformedBatches = 100

        init() {}
    }

    enum Event {
        case received(Message)
        /// A batch whose content was read, or was found to be unreadable.
        case checked(CheckedBatch)
        case unreadable(BatchName, WireError)
        /// The bytes of the stream are no messages.
        case broken(WireError)
        case lookedUp(lastStored: UInt64)
        /// What became of the batches of the last `append`, in their order.
        case appended([AppendOutcome])
        /// The agent is to be asked for the tables of these modules.
        case wanted([Module])
        /// Bytes came: `buffered` of them belong to a message that is not complete.
        case bytes(buffered: Int)
        case tick
        case stopping
        case closed
    }

    enum Effect {
        case send(Message)
        /// Ask the store for the last sequence of the epoch.
        case lookUp(Hello)
        /// The handshake is done; the agent may be asked for symbols from now on.
        case served(Hello)
        /// Read the batch's content and answer with `checked` or `unreadable`.
        case check(Batch)
        case append([CheckedBatch])
        /// A table that was asked for is complete.
        case table(Module, [UInt8])
        /// The agent has no table of a module that it was asked for.
        case noTable(Module, reason: String)
        case goodbye(Identifier)
        /// Close after everything was sent.
        case close(reason: String, isPeersFault: Bool)
    }

    private enum Phase {
        case greeting
        case welcoming(Hello)
        case serving(Serving)
        case closed
    }

    private struct Serving {
        var hello: Hello
        /// Checked and waiting for the append that is under way.
        var waiting: [CheckedBatch] = []
        /// Being appended now.
        var underWay: [CheckedBatch] = []
        var malformed = 0
        var asked: [Module] = []
        var table: (module: Module, total: Int, bytes: [UInt8])?
    }

    private var phase = Phase.greeting
    private let limits: Limits
    private let start: ContinuousClock.Instant
    private var lastBytes: ContinuousClock.Instant
    /// The version that both speak, once the Hello is there.
    private var version: UInt32 = 0
    private var messageBegan: ContinuousClock.Instant?

    init(limits: Limits, now: ContinuousClock.Instant) {
        self.limits = limits
        start = now
        lastBytes = now
    }

    var isClosed: Bool { if case .closed = phase { true } else { false } }

    /// Bytes of batches without an answer: the reason to read no further for a while.
    var unansweredBytes: Int {
        guard case .serving(let serving) = phase else { return 0 }
        return (serving.waiting + serving.underWay).reduce(0) { $0 + $1.batch.body.count }
    }

    var agent: Identifier? {
        switch phase {
        case .welcoming(let hello): hello.agent
        case .serving(let serving): serving.hello.agent
        case .greeting, .closed: nil
        }
    }

    mutating func handle(_ event: Event, at now: ContinuousClock.Instant) -> [Effect] {
        switch (phase, event) {
        case (.closed, _):
            return []
        case (_, .closed):
            phase = .closed
            return []
        case (_, .stopping):
            return end(.stopping, "the aggregator is stopping", isPeersFault: false)
        case (_, .broken(let error)):
            return end(.protocolError, "\(error)")
        case (_, .bytes(let buffered)):
            lastBytes = now
            messageBegan = buffered == 0 ? nil : (messageBegan ?? now)
            if case .greeting = phase, buffered > limits.greetingBytes {
                return end(.protocolError, "more than \(limits.greetingBytes) bytes before a Hello")
            }
            return []
        case (_, .tick):
            return tick(now)
        case (_, .received(.unknown)):
            return []
        case (_, .received(.goodbye(let goodbye))):
            let agent = self.agent
            phase = .closed
            let close = Effect.close(reason: "the agent said goodbye: \(goodbye.detail)", isPeersFault: false)
            guard let agent, goodbye.reason == .stopping else { return [close] }
            return [.goodbye(agent), close]

        case (.greeting, .received(.hello(let hello))):
            guard let version = hello.versions.filter(WireLimits.versions.contains).max() else {
                let ours = WireLimits.versions.map(String.init).joined(separator: ", ")
                guard !hello.versions.isEmpty else {
                    return end(
                        .unsupportedVersion,
                        "the agent names no version of the protocol; this aggregator speaks \(ours)")
                }
                let theirs = hello.versions.map(String.init).joined(separator: ", ")
                return end(
                    .unsupportedVersion,
                    "the agent speaks protocol versions \(theirs), this aggregator \(ours); upgrade the older of the two"
                )
            }
            self.version = version
            phase = .welcoming(hello)
            return [.lookUp(hello)]
        case (.welcoming(let hello), .lookedUp(let lastStored)):
            phase = .serving(Serving(hello: hello))
            let welcome = Welcome(
                version: version, lastStoredSequence: lastStored, credit: limits.credit,
                maximumMessageBytes: UInt64(limits.messageBytes), maximumExpandedBytes: UInt64(limits.expandedBytes))
            return [.send(.welcome(welcome)), .served(hello)]
        case (.serving(var serving), _):
            phase = .closed
            let effects = serve(&serving, event)
            // Ends within `serve` leave the phase closed.
            if !effects.contains(where: { if case .close = $0 { true } else { false } }) { phase = .serving(serving) }
            return effects
        case (.greeting, .received(let message)):
            return end(.protocolError, "\(message.word) before Hello")
        case (.welcoming, .received(let message)):
            return end(.protocolError, "\(message.word) before Welcome")
        case (.greeting, _), (.welcoming, _):
            return []
        }
    }

    private func serve(_ serving: inout Serving, _ event: Event) -> [Effect] {
        switch event {
        case .received(.batch(let batch)):
            guard serving.waiting.count + serving.underWay.count < Int(limits.credit) else {
                return Self.ending(.protocolError, "more than \(limits.credit) batches without an answer")
            }
            guard batch.name.agent == serving.hello.agent else {
                return [.send(.refused(Refused(name: batch.name, reason: .foreign, detail: "another agent's batch")))]
            }
            guard batch.expandedBytes <= UInt64(limits.expandedBytes) else {
                let detail = "it expands to \(batch.expandedBytes) bytes, the limit is \(limits.expandedBytes)"
                return [.send(.refused(Refused(name: batch.name, reason: .tooLarge, detail: detail)))]
            }
            guard batch.hasPossibleWindow else {
                let (start, end) = (batch.window.start.nanoseconds, batch.window.end.nanoseconds)
                return refuseMalformed(
                    batch.name, "its window runs from \(start) to \(end) ns, longer than a minute or backwards",
                    &serving)
            }
            return [.check(batch)]
        case .checked(let batch):
            serving.waiting.append(batch)
            return append(&serving)
        case .unreadable(let name, let error):
            return refuseMalformed(name, "\(error)", &serving)
        case .appended(let outcomes):
            return answer(&serving, outcomes) + append(&serving)
        case .wanted(let modules):
            let new = modules.filter { !serving.asked.contains($0) }
            serving.asked += new
            return new.isEmpty ? [] : [.send(.symbolsWanted(new))]
        case .received(.symbolTable(let chunk)):
            return take(chunk, &serving)
        case .received(let message):
            return Self.ending(.protocolError, "\(message.word) is not for an aggregator")
        default:
            return []
        }
    }

    private func refuseMalformed(_ name: BatchName, _ detail: String, _ serving: inout Serving) -> [Effect] {
        serving.malformed += 1
        let refused = Effect.send(.refused(Refused(name: name, reason: .malformed, detail: detail)))
        guard serving.malformed < limits.malformedBatches else {
            return [refused] + Self.ending(.protocolError, "\(serving.malformed) batches that can't be read")
        }
        return [refused]
    }

    /// One append at a time: what comes meanwhile goes together into the next.
    private func append(_ serving: inout Serving) -> [Effect] {
        guard serving.underWay.isEmpty, !serving.waiting.isEmpty else { return [] }
        serving.underWay = serving.waiting
        serving.waiting = []
        return [.append(serving.underWay)]
    }

    /// Answers in the order sent. An Ack covers the batches of its epoch before it, so only the last of a run is sent.
    private func answer(_ serving: inout Serving, _ outcomes: [AppendOutcome]) -> [Effect] {
        var effects: [Effect] = []
        var acknowledged: BatchName?
        func flush() {
            if let name = acknowledged { effects.append(.send(.ack(name))) }
            acknowledged = nil
        }
        let batches = serving.underWay
        serving.underWay = []
        for (batch, outcome) in zip(batches, outcomes) {
            let name = batch.batch.name
            switch outcome {
            case .stored, .alreadyStored, .storedAsConflict:
                if let before = acknowledged, before.epoch != name.epoch { flush() }
                acknowledged = name
            case .expired:
                flush()
                let detail = "its day is no longer kept"
                effects.append(.send(.refused(Refused(name: name, reason: .expired, detail: detail))))
            case .inFuture:
                flush()
                let detail = "its window ends more than a day ahead of the aggregator's clock"
                effects.append(.send(.refused(Refused(name: name, reason: .future, detail: detail))))
            case .failed(let error):
                flush()
                return effects + Self.ending(.overloaded, "can't store batches: \(error)", isPeersFault: false)
            }
        }
        flush()
        return effects
    }

    private func take(_ chunk: SymbolTableChunk, _ serving: inout Serving) -> [Effect] {
        guard let position = serving.asked.firstIndex(of: chunk.module) else {
            return Self.ending(.protocolError, "a symbol table of \(chunk.module.name) that was not asked for")
        }
        if let reason = chunk.unavailable {
            serving.asked.remove(at: position)
            return [.noTable(chunk.module, reason: reason)]
        }
        guard chunk.totalBytes > 0, chunk.totalBytes <= UInt64(limits.symbolTableBytes) else {
            serving.asked.remove(at: position)
            if serving.table?.module == chunk.module { serving.table = nil }
            return Self.ending(
                .protocolError,
                "a symbol table of \(chunk.totalBytes) bytes, the limit is \(limits.symbolTableBytes)")
        }
        var table = serving.table ?? (module: chunk.module, total: Int(chunk.totalBytes), bytes: [])
        guard table.module == chunk.module, table.total == Int(chunk.totalBytes),
            chunk.offset == UInt64(table.bytes.count), chunk.data.count <= table.total - table.bytes.count,
            !chunk.data.isEmpty
        else {
            return Self.ending(.protocolError, "a part of a symbol table that does not follow the one before")
        }
        serving.table = nil
        table.bytes += chunk.data
        guard table.bytes.count == table.total else {
            serving.table = table
            return []
        }
        serving.asked.remove(at: position)
        return [.table(chunk.module, table.bytes)]
    }

    private mutating func tick(_ now: ContinuousClock.Instant) -> [Effect] {
        if case .greeting = phase, start.duration(to: now) > limits.greetingTime {
            return end(.idle, "no Hello within \(limits.greetingTime)")
        }
        if let began = messageBegan, began.duration(to: now) > limits.messageTime {
            return end(.idle, "a message was not complete within \(limits.messageTime)")
        }
        if lastBytes.duration(to: now) > limits.idleTime { return end(.idle, "silent for \(limits.idleTime)") }
        return []
    }

    private mutating func end(_ reason: GoodbyeReason, _ detail: String, isPeersFault: Bool = true) -> [Effect] {
        phase = .closed
        return Self.ending(reason, detail, isPeersFault: isPeersFault)
    }

    private static func ending(
        _ reason: GoodbyeReason, _ detail: String, isPeersFault: Bool = true
    ) -> [Effect] {
        [.send(.goodbye(Goodbye(reason: reason, detail: detail))), .close(reason: detail, isPeersFault: isPeersFault)]
    }
}

extension Message {
    /// The message's name, for sentences.
    var word: String {
        switch self {
        case .hello: "Hello"
        case .welcome: "Welcome"
        case .batch: "Batch"
        case .ack: "Ack"
        case .refused: "Refused"
        case .symbolsWanted: "SymbolsWanted"
        case .symbolTable: "SymbolTableChunk"
        case .goodbye: "Goodbye"
        case .unknown(let type): "a message of type \(type)"
        }
    }
}
