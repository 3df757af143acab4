import Glibc
import Logging
import NIOCore
import NIOPosix
import Profiles
import WireProtocol

/// Carries out what `SenderMachine` decides. Everything here runs on the delivery's event loop.
extension Delivery {
    var aggregatorState: DeliveryStatus.Aggregator {
        switch machine.state {
        case .idle: address == nil ? .none : .connecting
        case .waiting(_, let isTurnedAway): isTurnedAway ? .turnedAway : .waiting
        case .connecting: .connecting
        case .greeting: .greeting
        case .connected: .connected
        case .stopped: .stopped
        }
    }

    func handle(_ event: SenderMachine.Event) {
        let before = machine.stateSince
        let effects = machine.handle(event, at: .now)
        if machine.stateSince != before { since = .now }
        for effect in effects { perform(effect) }
        scheduleTimer()
    }

    /// Events of a connection that has been given up are late and mean nothing.
    func handle(_ event: SenderMachine.Event, from number: UInt64) {
        guard number == connection else { return }
        // `fill` looks itself; a fill within it would send beyond the credit, and be reported before it.
        if case .writable = event, isFilling { return }
        if case .closed = event { channel = nil }
        handle(event)
    }

    private func perform(_ effect: SenderMachine.Effect) {
        switch effect {
        case .connect: connect()
        case .sendHello:
            send(
                .hello(
                    Hello(versions: WireLimits.versions, agent: agent, epoch: epoch, host: host, clock: .now)))
        case .fill(let room): fill(room: room)
        case .settle(let names, let fate):
            let keys = names.map { SpoolKey(epoch: $0.epoch, sequence: $0.sequence) }
            settle { (spool) throws(DeliveryError) in try spool.settle(keys, as: fate) }
        case .settleThrough(let sequence):
            let epoch = self.epoch
            settle { (spool) throws(DeliveryError) in try spool.settle(epoch, through: sequence) }
        case .sendTables(let modules): wanted(modules)
        case .sendGoodbye(let reason, let detail): send(.goodbye(Goodbye(reason: reason, detail: detail)))
        case .disconnect: disconnect()
        case .log(let notice): log(notice)
        case .finished: finish()
        }
    }

    private func settle(_ body: (Spool) throws(DeliveryError) -> Void) {
        do { try body(spool) } catch {
            note("settle", .error, "the spool's state can't be kept, batches may be sent again: \(error)")
        }
        afterSpooling()
    }

    private func fill(room: Int) {
        var sent: [BatchName] = []
        var oversized: [SpoolKey] = []
        do {
            isFilling = true
            defer { isFilling = false }
            // One at a time: when the socket takes no more, the rest stays on the disk instead of in memory.
            while sent.count < room, let channel, channel.isWritable, case .connected(let session) = machine.state,
                let batch = try spool.takeUnsent(on: connection, limit: 1).first
            {
                if let bytes = encoded(batch, within: session) {
                    // A failed write closes the connection, which is told as an event of its own.
                    channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
                    sent.append(batch.name)
                } else {
                    oversized.append(SpoolKey(epoch: batch.name.epoch, sequence: batch.name.sequence))
                }
            }
        } catch {
            note("read", .error, "the spool can't be read: \(error)")
        }
        settle { (spool) throws(DeliveryError) in try spool.settle(oversized, as: .dropped(.refused)) }
        handle(.filled(sent, hasMore: spool.index.hasUnsent(on: connection)))
    }

    /// The batch as a message; nil, with a word in the log, where the aggregator has said that it takes none so large.
    private func encoded(_ batch: Batch, within session: SenderMachine.Session) -> [UInt8]? {
        let why: String
        do {
            let message = try Message.batch(batch).encoded()
            guard let excess = session.excess(of: batch, messageBytes: message.count - Batch.messageHeaderBytes) else {
                return message
            }
            why = excess
        } catch {
            why = "\(error)"
        }
        note(
            "oversized", .error,
            "batch \(batch.name.sequence) with \(batch.samples) samples is dropped, counted refused: \(why)")
        return nil
    }

    func finish() {
        for continuation in onFinish { continuation.resume() }
        onFinish = []
    }

    private func log(_ notice: SenderMachine.Notice) {
        let peer = address.map { "aggregator \($0)" } ?? "aggregator"
        switch notice {
        case .connected(let credit): note("connected", .info, "connected to \(peer), credit \(credit) batches")
        case .lost(let why):
            note("lost", .warning, "\(peer) is not reachable: \(why); samples are kept in the spool meanwhile")
        case .refused(let name, let reason, let detail):
            note("refused", .error, "\(peer) refused batch \(name.sequence) for good (\(reason)): \(detail)")
        case .turnedAway(let why):
            note(
                "turnedAway", .error,
                "\(peer) will not serve this agent: \(why); this agent speaks versions \(WireLimits.versions). "
                    + "Upgrade the older of the two; the next attempt is in five to ten minutes")
        }
    }

    // MARK: Time

    private func scheduleTimer() {
        guard let due = machine.deadline else {
            timer?.task.cancel()
            timer = nil
            return
        }
        if let timer, timer.due == due { return }
        timer?.task.cancel()
        let delay = max(.zero, ContinuousClock.now.duration(to: due))
        let task = loop.assumeIsolated().scheduleTask(in: TimeAmount(delay)) { [weak self] in
            guard let self else { return }
            self.assumeIsolated { delivery in
                delivery.timer = nil
                delivery.handle(.timer)
            }
        }
        timer = (due, task)
    }

    // MARK: Connection

    private func connect() {
        guard let address else { return }
        connection += 1
        let number = connection
        let milliseconds = Int(machine.times.answer.components.seconds * 1_000)
        ClientBootstrap(group: loop)
            .connectTimeout(TimeAmount(machine.times.answer))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            // The kernel gives up on unacknowledged bytes as soon as we do, not after a quarter of an hour.
            .channelOption(.tcpOption(NIOBSDSocket.Option(rawValue: TCP_USER_TIMEOUT)), value: milliseconds)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        AggregatorHandler(delivery: self, connection: number))
                }
            }
            .connect(host: address.host, port: address.port)
            .whenComplete { result in
                self.assumeIsolated { $0.connectionMade(result, number: number) }
            }
    }

    private func connectionMade(_ result: Result<any Channel, any Error>, number: UInt64) {
        switch result {
        case .success(let made):
            guard number == connection, case .connecting = machine.state else {
                made.close(promise: nil)
                return
            }
            channel = made
            handle(.connected)
        case .failure(let error): handle(.closed(Self.text(of: error)), from: number)
        }
    }

    static func text(of error: any Error) -> String {
        guard let failure = error as? NIOConnectionError else { return "\(error)" }
        let causes = failure.connectionErrors.map { "\($0.target): \($0.error)" }
        let lookups = [failure.dnsAError, failure.dnsAAAAError].compactMap(\.self).map { "\($0)" }
        let parts = causes.isEmpty ? lookups : causes
        return "can't connect: \(parts.joined(separator: "; "))"
    }

    private func disconnect() {
        connection += 1
        channel?.close(promise: nil)
        channel = nil
    }

    private func send(_ message: Message) {
        guard let channel else { return }
        do {
            // A failed write closes the connection, which is told as an event of its own.
            channel.writeAndFlush(ByteBuffer(bytes: try message.encoded()), promise: nil)
        } catch {
            note("encode", .error, "a message can't be sent: \(error)")
        }
    }

    // MARK: Symbol tables

    private func wanted(_ modules: [Module]) {
        for module in modules where !modulesWanted.contains(module) {
            guard modulesWanted.count < WireLimits.modulesWanted else {
                note("wanted", .warning, "the aggregator asks for more symbol tables than it may; the rest must wait")
                break
            }
            modulesWanted.append(module)
        }
        guard !isAnsweringModules else { return }
        isAnsweringModules = true
        Task { await answerModules() }
    }

    private func answerModules() async {
        while !modulesWanted.isEmpty, channel != nil {
            let module = modulesWanted.removeFirst()
            let number = connection
            let answer = await symbolTable(module)
            if number == connection { await send(answer, for: module, on: number) }
        }
        // The aggregator asks again on its next connection.
        modulesWanted = []
        isAnsweringModules = false
    }

    private func send(_ answer: SymbolTableAnswer, for module: Module, on number: UInt64) async {
        var table: [UInt8] = []
        var unavailable: String?
        switch answer {
        case .unavailable(let why): unavailable = why
        case .table(let bytes) where bytes.isEmpty || bytes.count > WireLimits.symbolTableBytes:
            unavailable = "its table has \(bytes.count) bytes"
        case .table(let bytes): table = bytes
        }
        var offset = 0
        repeat {
            let end = min(offset + WireLimits.chunkBytes, table.count)
            let chunk = SymbolTableChunk(
                module: module, totalBytes: UInt64(table.count), offset: UInt64(offset),
                data: Array(table[offset..<end]), unavailable: unavailable)
            guard number == connection, let channel else { return }
            do {
                // Waiting for each chunk lets batches pass between them and keeps one in memory.
                try await channel.writeAndFlush(ByteBuffer(bytes: try Message.symbolTable(chunk).encoded())).get()
            } catch {
                note("table", .warning, "the symbol table of \(module.name) was not sent: \(error)")
                return
            }
            offset = end
        } while offset < table.count
    }
}

/// Turns a connection's bytes into events of the delivery.
private final class AggregatorHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let delivery: Delivery
    private let connection: UInt64
    private var decoder = MessageDecoder()
    private var isBroken = false
    private var failure = "the connection was closed by the other side"

    init(delivery: Delivery, connection: UInt64) {
        self.delivery = delivery
        self.connection = connection
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isBroken else { return }
        decoder.append(unwrapInboundIn(data).readableBytesView)
        do {
            while let message = try decoder.next() { tell(.received(message)) }
        } catch {
            isBroken = true
            tell(.rubbish("\(error)"))
        }
    }

    func channelInactive(context: ChannelHandlerContext) { tell(.closed(failure)) }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { tell(.writable) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = "\(error)"
        context.close(promise: nil)
    }

    private func tell(_ event: SenderMachine.Event) {
        let connection = connection
        delivery.assumeIsolated { $0.handle(event, from: connection) }
    }
}
