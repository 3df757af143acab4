import Logging
import NIOCore
import NIOPosix
import ProfileStore
import Profiles
import SymbolTables
import Synchronization
import WireProtocol

/// What ingest has seen, for metrics.
struct IngestFigures: Sendable {
    var connections = 0
    var connectionsTotal: UInt64 = 0
    var connectionsRefused: UInt64 = 0
    /// Connections that ended because of what the peer sent or did not send.
    var peersFaults: UInt64 = 0
    var batches: [String: UInt64] = [:]
    var samples: UInt64 = 0
    var receivedBytes: UInt64 = 0
    var symbolTables: UInt64 = 0
    var symbolTablesInvalid: UInt64 = 0
    var symbolModulesOpen = 0
}

/// Takes agents' connections and brings what they send into the store.
final class IngestServer: Sendable {
    struct Options: Sendable {
        var connection = AgentConnection.Limits()
        var maximumConnections = 20_000
        /// Bytes of batches without an answer, over all connections, at which each reads no further until its own are
        /// answered.
        var maximumUnansweredBytes = 256 << 20
    }

    let store: any ProfileStore
    let options: Options
    let logger: Logger
    let now: @Sendable () -> Timestamp
    private let state = Mutex(State())

    private struct State {
        var figures = IngestFigures()
        var handlers: [UInt64: AgentConnectionHandler.Reference] = [:]
        var nextConnection: UInt64 = 1
        var requests = SymbolRequests()
        var unansweredBytes = 0
        var isStopping = false
    }

    init(
        store: any ProfileStore, options: Options, logger: Logger, now: @escaping @Sendable () -> Timestamp
    ) {
        self.store = store
        self.options = options
        self.logger = logger
        self.now = now
    }

    var figures: IngestFigures {
        state.withLock { state in
            var figures = state.figures
            figures.connections = state.handlers.count
            figures.symbolModulesOpen = state.requests.openCount
            return figures
        }
    }

    func count(_ change: (inout IngestFigures) -> Void) {
        state.withLock { change(&$0.figures) }
    }

    func listen(host: String, port: Int, group: any EventLoopGroup) async throws -> any Channel {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let handler = self.admit(channel) else { throw ChannelError.eof }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .bind(host: host, port: port).get()
    }

    /// nil where there are too many connections already, or none is wanted any more.
    private func admit(_ channel: any Channel) -> AgentConnectionHandler? {
        let number = state.withLock { state -> UInt64? in
            guard !state.isStopping, state.handlers.count < options.maximumConnections else {
                state.figures.connectionsRefused += 1
                return nil
            }
            state.figures.connectionsTotal += 1
            state.nextConnection += 1
            return state.nextConnection
        }
        guard let number else {
            logger.warning("a connection is refused: \(options.maximumConnections) are open (limits.connections)")
            return nil
        }
        let handler = AgentConnectionHandler(number: number, server: self, eventLoop: channel.eventLoop)
        let reference = handler.reference
        state.withLock { $0.handlers[number] = reference }
        return handler
    }

    func ended(_ number: UInt64) {
        let wanted = state.withLock { state in
            state.handlers[number] = nil
            return state.requests.disconnected(number, at: .now)
        }
        send(wanted)
    }

    /// Says goodbye to every agent, and waits until all are gone or `grace` is over.
    func stop(grace: Duration) async {
        let handlers = state.withLock { state in
            state.isStopping = true
            return Array(state.handlers.values)
        }
        for handler in handlers { handler.execute { $0.stop() } }
        let end = ContinuousClock.now.advanced(by: grace)
        while ContinuousClock.now < end, !state.withLock({ $0.handlers.isEmpty }) {
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Whether all connections together hold so much that they should read no further.
    func changeUnanswered(by bytes: Int) -> Bool {
        state.withLock { state in
            state.unansweredBytes += bytes
            return state.unansweredBytes > options.maximumUnansweredBytes
        }
    }

    // MARK: Symbols

    /// Has the connection asked for the tables of modules that none is stored of.
    func offer(_ modules: [Module], from number: UInt64) {
        Task {
            do {
                let missing = Set(try await store.modulesWithoutTable(among: modules.map(\.identity)))
                let wanted: [UInt64: [Module]] = state.withLock { state in
                    // The connection may have ended meanwhile.
                    guard state.handlers[number] != nil else { return [:] }
                    return state.requests.offer(
                        modules.filter { missing.contains($0.identity) }, from: number, at: .now)
                }
                send(wanted)
            } catch {
                logger.error("can't look for symbol tables: \(error)")
            }
        }
    }

    /// A table has come whole; it is kept if it can be decoded.
    func take(_ table: [UInt8], of module: Module, from agent: Identifier, connection number: UInt64) {
        Task {
            do {
                let decoded = try SymbolTable(decoding: table)
                try await store.storeSymbolTable(
                    table, quality: decoded.quality, of: module.identity, from: agent, at: now())
                count { $0.symbolTables += 1 }
                send(state.withLock { $0.requests.done(module.identity, by: number, at: .now) })
            } catch {
                logger.warning("a symbol table of \(module.name) from agent \(agent) is not kept: \(error)")
                count { $0.symbolTablesInvalid += 1 }
                send(state.withLock { $0.requests.failed(module.identity, by: number, at: .now) })
            }
        }
    }

    func noTable(of module: Module, connection number: UInt64, reason: String) {
        logger.debug("no symbol table of \(module.name): \(reason)")
        send(state.withLock { $0.requests.failed(module.identity, by: number, at: .now) })
    }

    func symbolProgress(_ number: UInt64) {
        state.withLock { $0.requests.progress(number, at: .now) }
    }

    /// Asks others where an agent let its time pass. To be called every few seconds.
    func expireSymbolRequests() {
        send(state.withLock { $0.requests.expire(at: .now) })
    }

    private func send(_ wanted: [UInt64: [Module]]) {
        guard !wanted.isEmpty else { return }
        let handlers = state.withLock { state in
            wanted.compactMap { number, modules in state.handlers[number].map { ($0, modules) } }
        }
        for (handler, modules) in handlers { handler.execute { $0.want(modules) } }
    }
}
