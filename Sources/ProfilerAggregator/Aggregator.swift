import Formats
import Glibc
import Hummingbird
public import Logging
import NIOCore
import NIOPosix
import ProfileStore
import Profiles
public import Settings
import Synchronization

/// The aggregator: a store, the server that agents deliver to, and the server that answers questions.
public struct Aggregator: Sendable {
    /// Where it listens, with the ports that were really taken.
    public struct Addresses: Hashable, Sendable {
        public var agents: HostAndPort
        public var http: HostAndPort
    }

    private let settings: AggregatorSettings
    private let logger: Logger

    /// Time that agents get to take their goodbyes, and batches to be stored, when the aggregator stops.
    private static let grace = Duration.seconds(5)
    private static let upkeepInterval = Duration.seconds(5)

    public init(settings: AggregatorSettings, logger: Logger) {
        self.settings = settings
        self.logger = logger
    }

    /// Runs until `stop` returns.
    ///
    /// - Parameter ready: called once, when both servers listen.
    public func run(
        ready: @escaping @Sendable (Addresses) -> Void, until stop: @escaping @Sendable () async -> Void
    ) async throws(AggregatorError) {
        var options = SQLiteStore.Options(directory: settings.dataDirectory, now: Self.now)
        options.maximumAge = settings.retention.age
        options.maximumBytes = settings.retention.maximumBytes
        let store: SQLiteStore
        do { store = try SQLiteStore(options) } catch { throw .store(error) }

        var ingestOptions = IngestServer.Options()
        ingestOptions.maximumConnections = settings.limits.connections
        ingestOptions.connection.messageBytes = settings.limits.messageBytes
        ingestOptions.connection.expandedBytes = settings.limits.expandedBatchBytes
        let ingest = IngestServer(store: store, options: ingestOptions, logger: logger, now: Self.now)
        let api = HTTPAPI(
            service: QueryService(
                store: store, timeLimit: settings.limits.queryTime,
                price: settings.pricePerCoreHour.map { CorePrice(perCoreHour: $0, currency: settings.currency) }),
            store: store, ingest: ingest, now: Self.now)

        let group = MultiThreadedEventLoopGroup(numberOfThreads: System.coreCount)
        let result: Result<Void, AggregatorError>
        do throws(AggregatorError) {
            result = .success(try await serve(store, ingest, api, group, ready, stop))
        } catch {
            result = .failure(error)
        }
        do {
            try await group.shutdownGracefully()
        } catch {
            logger.error("the event loops did not stop: \(error)")
        }
        try result.get()
    }

    private func serve(
        _ store: SQLiteStore, _ ingest: IngestServer, _ api: HTTPAPI, _ group: MultiThreadedEventLoopGroup,
        _ ready: @escaping @Sendable (Addresses) -> Void, _ stop: @escaping @Sendable () async -> Void
    ) async throws(AggregatorError) {
        let agentsChannel: any Channel
        do {
            agentsChannel = try await ingest.listen(
                host: settings.agentsAddress.host, port: settings.agentsAddress.port, group: group)
        } catch {
            throw .cannotListen(
                settings.agentsAddress, flag: "--listen-agents", key: "listen_agents", reason: Self.reason(error))
        }
        let agents = HostAndPort(
            host: settings.agentsAddress.host, port: agentsChannel.localAddress?.port ?? settings.agentsAddress.port)

        let (port, listening) = AsyncStream<Result<Int, any Error>>.makeStream()
        let wanted = settings.httpAddress
        let app = Application(
            router: api.router(), server: .http1(configuration: .init(idleTimeout: .seconds(60))),
            configuration: ApplicationConfiguration(address: .hostname(wanted.host, port: wanted.port)),
            onServerRunning: { listening.yield(.success($0.localAddress?.port ?? wanted.port)) },
            eventLoopGroupProvider: .shared(group), logger: quietLogger())
        let http = Task {
            do {
                try await app.run()
                listening.yield(.failure(CancellationError()))
            } catch {
                listening.yield(.failure(error))
            }
        }
        var events = port.makeAsyncIterator()
        switch await events.next() {
        case .success(let port):
            api.setReady(true)
            ready(Addresses(agents: agents, http: HostAndPort(host: wanted.host, port: port)))
        case .failure(let error):
            try? await agentsChannel.close()
            throw .cannotListen(wanted, flag: "--listen-http", key: "listen_http", reason: Self.reason(error))
        case nil:
            throw .serverEnded(reason: "it never began")
        }

        let upkeep = Task { await keepUp(store, ingest, api) }
        await stop()
        api.setReady(false)
        logger.info("stopping")
        try? await agentsChannel.close()
        await ingest.stop(grace: Self.grace)
        http.cancel()
        upkeep.cancel()
        await upkeep.value
        await http.value
    }

    /// Compaction, retention, and symbols that nobody has sent, every few seconds.
    private func keepUp(_ store: SQLiteStore, _ ingest: IngestServer, _ api: HTTPAPI) async {
        while !Task.isCancelled {
            do {
                let report = try await store.upkeep(now: Self.now())
                for file in report.retired { logger.info("\(file) is too old or too much and is gone") }
                if report.compaction.damagedBatches > 0 {
                    logger.error("\(report.compaction.damagedBatches) batches are damaged on disk")
                }
                api.count {
                    $0.compactedBatches += report.compaction.batches
                    $0.damagedBatches += report.compaction.damagedBatches
                }
            } catch {
                logger.error("upkeep of the store failed: \(error)")
                api.count { $0.upkeepFailures += 1 }
            }
            ingest.expireSymbolRequests()
            try? await Task.sleep(for: Self.upkeepInterval)
        }
    }

    /// Hummingbird tells at `info` what our own line tells, and reports as an error that it is stopped by cancellation.
    private func quietLogger() -> Logger {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .critical)
        return quiet
    }

    /// The system's words for why a socket can't be bound.
    private static func reason(_ error: any Error) -> String {
        guard let error = error as? IOError else { return String(describing: error) }
        switch error.errnoCode {
        case EADDRINUSE: return "the port is in use by another program"
        case EACCES: return "no permission (ports below 1024 need root or CAP_NET_BIND_SERVICE)"
        case EADDRNOTAVAIL: return "this machine has no such address"
        default: return String(describing: error)
        }
    }

    /// This machine's wall clock.
    @Sendable static func now() -> Timestamp {
        var time = timespec()
        guard unsafe clock_gettime(CLOCK_REALTIME, &time) == 0 else { return Timestamp(nanoseconds: 0) }
        return Timestamp(seconds: Int64(time.tv_sec)) + Int64(time.tv_nsec)
    }
}
