import Logging
import NIOCore
import ProfileStore
import Profiles
import WireProtocol

/// Does what `AgentConnection` decides: reads and writes messages, checks batches, and waits for the store.
final class AgentConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let number: UInt64
    private let server: IngestServer
    private let eventLoop: any EventLoop
    private var logger: Logger
    private var connection: AgentConnection
    private var decoder: MessageDecoder
    private var context: ChannelHandlerContext?
    private var timer: RepeatedTask?
    private var hello: Hello?
    private var clockOffsetNanoseconds: Int64 = 0
    /// Modules that the server was told of; bounded, since a peer chooses them.
    private var offered: Set<ModuleIdentity> = []
    private var isReading = true
    private var unansweredBytes = 0
    private var hasWarnedOfRefusal = false

    /// What other threads hold of a handler: they reach it through its event loop only.
    struct Reference: Sendable {
        let bound: NIOLoopBound<AgentConnectionHandler>
        let eventLoop: any EventLoop

        func execute(_ body: @escaping @Sendable (AgentConnectionHandler) -> Void) {
            let bound = bound
            eventLoop.execute { body(bound.value) }
        }
    }

    /// To be taken on the event loop.
    var reference: Reference { Reference(bound: NIOLoopBound(self, eventLoop: eventLoop), eventLoop: eventLoop) }

    private static let maximumOffered = 100_000

    init(number: UInt64, server: IngestServer, eventLoop: any EventLoop) {
        self.number = number
        self.server = server
        self.eventLoop = eventLoop
        logger = server.logger
        connection = AgentConnection(limits: server.options.connection, now: .now)
        decoder = MessageDecoder(limit: server.options.connection.messageBytes)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        logger[metadataKey: "peer"] = "\(context.remoteAddress.map { "\($0)" } ?? "unknown")"
        let reference = reference
        timer = eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            reference.bound.value.handle(.tick)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        guard !connection.isClosed else { return }
        let bytes = buffer.readBytes(length: buffer.readableBytes) ?? []
        server.count { $0.receivedBytes += UInt64(bytes.count) }
        decoder.append(bytes)
        do throws(WireError) {
            while !connection.isClosed, let message = try decoder.next() {
                if case .symbolTable = message { server.symbolProgress(number) }
                handle(.received(message))
            }
            handle(.bytes(buffered: decoder.bufferedBytes))
        } catch {
            handle(.broken(error))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        logger.debug("the connection broke: \(error)")
        context.close(promise: nil)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
    }

    func stop() { handle(.stopping) }
    func want(_ modules: [Module]) { handle(.wanted(modules)) }

    private func end() {
        guard context != nil else { return }
        handle(.closed)
        timer?.cancel()
        timer = nil
        context = nil
        _ = server.changeUnanswered(by: -unansweredBytes)
        unansweredBytes = 0
        server.ended(number)
    }

    private func handle(_ event: AgentConnection.Event) {
        for effect in connection.handle(event, at: .now) { perform(effect) }
        steerReading()
    }

    private func perform(_ effect: AgentConnection.Effect) {
        switch effect {
        case .send(let message):
            send(message)
        case .lookUp(let hello):
            self.hello = hello
            clockOffsetNanoseconds = hello.clock.nanoseconds &- server.now().nanoseconds
            resume { server in
                let last = await server.store.lastStoredSequence(agent: hello.agent, epoch: hello.epoch)
                return .lookedUp(lastStored: last)
            }
        case .served(let hello):
            logger[metadataKey: "agent"] = "\(hello.agent)"
            logger.info("agent \(hello.agent) on \(hello.host.name) is connected")
        case .check(let batch):
            check(batch)
        case .append(let batches):
            resume { server in .appended(await server.store.append(batches)) }
        case .table(let module, let bytes):
            guard let agent = hello?.agent else { return }
            server.take(bytes, of: module, from: agent, connection: number)
        case .noTable(let module, let reason):
            server.noTable(of: module, connection: number, reason: reason)
        case .goodbye(let agent):
            let (server, logger) = (server, logger)
            Task {
                do {
                    try await server.store.noteGoodbye(agent: agent, at: server.now())
                } catch {
                    logger.error("can't note a goodbye: \(error)")
                }
            }
        case .close(let reason, let isPeersFault):
            if isPeersFault {
                server.count { $0.peersFaults += 1 }
                logger.warning("a connection is closed: \(reason)")
            } else {
                logger.info("a connection is closed: \(reason)")
            }
            // An empty write comes after all that is to be sent.
            context?.writeAndFlush(wrapOutboundOut(ByteBuffer())).assumeIsolated().whenComplete { _ in
                self.context?.close(promise: nil)
            }
        }
    }

    private func check(_ batch: Batch) {
        do throws(WireError) {
            let profile = try batch.windowProfile()
            let checked = CheckedBatch(
                batch, profile: profile, received: server.now(), clockOffsetNanoseconds: clockOffsetNanoseconds)
            let new = checked.modules.filter { $0.identity.kind != .name && !offered.contains($0.identity) }
            if !new.isEmpty, offered.count < Self.maximumOffered {
                offered.formUnion(new.map(\.identity))
                server.offer(new, from: number)
            }
            handle(.checked(checked))
        } catch {
            handle(.unreadable(batch.name, error))
        }
    }

    /// Waits for something outside the event loop and goes on with its result.
    private func resume(_ body: @escaping @Sendable (IngestServer) async -> AgentConnection.Event) {
        let reference = reference
        let server = server
        Task {
            let event = await body(server)
            reference.execute { handler in
                if case .appended(let outcomes) = event { handler.count(outcomes) }
                handler.handle(event)
            }
        }
    }

    private func count(_ outcomes: [AppendOutcome]) {
        server.count { figures in
            for outcome in outcomes { figures.batches[outcome.word, default: 0] += 1 }
        }
    }

    /// Counts and tells of what is refused before the store sees it; what the store refuses is counted as its outcome.
    private func note(_ refused: Refused) {
        let word: String
        switch refused.reason {
        case .malformed: word = "malformed"
        case .tooLarge: word = "too_large"
        case .foreign: word = "foreign"
        case .expired, .future: return
        }
        server.count { $0.batches[word, default: 0] += 1 }
        // A peer chooses how many there are: one line of a connection, the rest for those who look closer.
        logger.log(
            level: hasWarnedOfRefusal ? .debug : .warning,
            "batch \(refused.name.sequence) is refused as \(word): \(refused.detail)")
        hasWarnedOfRefusal = true
    }

    private func send(_ message: Message) {
        guard let context else { return }
        if case .symbolsWanted = message { server.symbolProgress(number) }
        if case .refused(let refused) = message { note(refused) }
        do throws(WireError) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: try message.encoded())), promise: nil)
        } catch {
            logger.error("can't encode a \(message.word): \(error)")
        }
    }

    /// Stops reading while too much waits for the store, and goes on when this connection's own is answered.
    private func steerReading() {
        guard let context else { return }
        let bytes = connection.unansweredBytes
        let isCrowded = server.changeUnanswered(by: bytes - unansweredBytes)
        unansweredBytes = bytes
        let shouldRead = bytes == 0 || (!isCrowded && bytes < server.options.connection.messageBytes)
        guard shouldRead != isReading else { return }
        isReading = shouldRead
        context.channel.setOption(.autoRead, value: shouldRead).assumeIsolated().whenFailure { _ in }
    }
}

extension AppendOutcome {
    /// The word in metrics.
    var word: String {
        switch self {
        case .stored: "stored"
        case .alreadyStored: "already_stored"
        case .storedAsConflict: "conflict"
        case .expired: "expired"
        case .inFuture: "in_future"
        case .failed: "failed"
        }
    }
}
