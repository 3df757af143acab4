import NIOCore
import NIOPosix
import Profiles
import Synchronization
import WireProtocol

/// An aggregator for tests: a real socket, and faults on order.
final class TestAggregator: Sendable {
    struct Behaviour: Sendable {
        var credit: UInt32 = 8
        /// Closes each connection after storing so many batches, without an answer to the last one; then behaves.
        var closesAfter: [Int] = []
        var refuses: Set<UInt64> = []
        var refusesToServe: String?
        /// Connections to which nothing is answered after the Welcome.
        var stalls = 0
        /// Connections to which rubbish is sent in place of the Welcome.
        var rubbish = 0
        var wants: [Module] = []
    }

    struct Seen: Sendable {
        var behaviour: Behaviour
        var connections = 0
        var hellos: [Hello] = []
        var stored: [BatchName: Batch] = [:]
        var repeated = 0
        var chunks: [SymbolTableChunk] = []
        var goodbyes: [Goodbye] = []
    }

    let seen: Mutex<Seen>
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let server: Mutex<(any Channel)?> = Mutex(nil)

    init(_ behaviour: Behaviour = Behaviour()) { seen = Mutex(Seen(behaviour: behaviour)) }

    /// Starts listening on loopback; the port.
    func start(port: Int = 0) async throws -> Int {
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AgentHandler(aggregator: self))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        server.withLock { $0 = channel }
        return channel.localAddress?.port ?? 0
    }

    func stop() async throws {
        try await server.withLock { $0 }?.close().get()
        try await group.shutdownGracefully()
    }

    var snapshot: Seen { seen.withLock { $0 } }
}

private final class AgentHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    let aggregator: TestAggregator
    var decoder = MessageDecoder()
    var isStalled = false
    var closesAfter: Int?
    var batches = 0

    init(aggregator: TestAggregator) { self.aggregator = aggregator }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        decoder.append(unwrapInboundIn(data).readableBytesView)
        do {
            while let message = try decoder.next() { received(message, context) }
        } catch {
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func received(_ message: Message, _ context: ChannelHandlerContext) {
        switch message {
        case .hello(let hello):
            let answer = aggregator.seen.withLock { seen -> [Message]? in
                seen.connections += 1
                seen.hellos.append(hello)
                if let why = seen.behaviour.refusesToServe {
                    return [.goodbye(Goodbye(reason: .unsupportedVersion, detail: why))]
                }
                if seen.behaviour.rubbish > 0 {
                    seen.behaviour.rubbish -= 1
                    return nil
                }
                if seen.behaviour.stalls > 0 {
                    seen.behaviour.stalls -= 1
                    isStalled = true
                }
                if !seen.behaviour.closesAfter.isEmpty { closesAfter = seen.behaviour.closesAfter.removeFirst() }
                let numbers = Set(seen.stored.keys.filter { $0.epoch == hello.epoch }.map(\.sequence))
                var last: UInt64 = 0
                while numbers.contains(last + 1) { last += 1 }
                var answers: [Message] = [
                    .unknown(type: 200),
                    .welcome(Welcome(version: 1, lastStoredSequence: last, credit: seen.behaviour.credit)),
                ]
                if !seen.behaviour.wants.isEmpty { answers.append(.symbolsWanted(seen.behaviour.wants)) }
                return answers
            }
            guard let answer else {
                context.writeAndFlush(NIOAny(ByteBuffer(repeating: 0xAB, count: 1_000)), promise: nil)
                return
            }
            for message in answer { send(message, context) }
        case .batch(let batch):
            guard !isStalled else { return }
            batches += 1
            let answer: Message = aggregator.seen.withLock { seen in
                if seen.behaviour.refuses.contains(batch.name.sequence) {
                    return .refused(Refused(name: batch.name, reason: .expired, detail: "test"))
                }
                if seen.stored.updateValue(batch, forKey: batch.name) != nil { seen.repeated += 1 }
                return .ack(batch.name)
            }
            if batches == closesAfter { context.close(promise: nil) } else { send(answer, context) }
        case .symbolTable(let chunk): aggregator.seen.withLock { $0.chunks.append(chunk) }
        case .goodbye(let goodbye): aggregator.seen.withLock { $0.goodbyes.append(goodbye) }
        default: break
        }
    }

    private func send(_ message: Message, _ context: ChannelHandlerContext) {
        guard let bytes = try? message.encoded() else { return }
        context.writeAndFlush(NIOAny(ByteBuffer(bytes: bytes)), promise: nil)
    }
}
