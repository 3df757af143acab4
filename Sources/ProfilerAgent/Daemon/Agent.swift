internal import CLinux
internal import Formats
internal import Glibc
internal import LinuxSystem
public import Logging
internal import PerfEvents
internal import Profiles
public import Settings
internal import Synchronization

/// Why the daemon can't run.
public enum AgentError: Error, Sendable, CustomStringConvertible {
    case delivery(DeliveryError)
    case sampling(reason: String)

    public var description: String {
        switch self {
        case .delivery(let error): "\(error)"
        case .sampling(let reason): reason
        }
    }
}

/// The daemon: samples the whole host, names what it saw window by window, and delivers it.
public final class Agent: Sendable {
    public static let windowLength = Duration.seconds(10)
    /// Within this time after SIGTERM batches are still sent; what is left waits in the spool.
    static let shutdownTime = Duration.seconds(5)

    private let settings: Mutex<AgentSettings>
    private let logger: Logger
    private let version: String
    private let delivery: Delivery
    private let thread: SamplingThread
    private let finisher: WindowFinisher
    private let readers: [ObjectReader]
    private let symbolCache: SymbolTableCacheDirectory?
    private let debugServers: DebugServers?
    private let resolver: ModuleResolver
    private let hostName: Mutex<String>

    /// Opens spool and ledger. Nothing is sampled yet.
    public init(_ settings: AgentSettings, version: String, logger: Logger) throws(AgentError) {
        linux_keep_heap_small()
        var tableOptions = ObjectReader.Options()
        tableOptions.timeLimit = settings.helper.maximumTime
        tableOptions.memoryBytes = settings.helper.maximumMemoryBytes
        tableOptions.fileBytes = settings.helper.maximumFileBytes
        var identityOptions = tableOptions
        identityOptions.timeLimit = .seconds(10)
        identityOptions.niceness = 0
        let identities = ObjectReader(options: identityOptions)
        let tables = ObjectReader(options: tableOptions)
        readers = [identities, tables]
        let cachePath = settings.symbols.cacheDirectory ?? settings.spool.directory + "/symbols"
        let cache = Self.symbolCache(settings, path: cachePath, logger)
        let servers = DebugServers(
            settings.symbols, reader: tables, cache: cache == nil ? nil : cachePath, folder: settings.spool.directory)
        let resolver = ModuleResolver(identities: identities, tables: tables, cache: cache, servers: servers)
        let names = ServiceNames(rules: settings.serviceRules)
        let host = Self.facts(settings, version)
        var deliverySettings = DeliverySettings(
            spoolDirectory: settings.spool.directory,
            aggregator: AggregatorAddress(host: settings.aggregator.host, port: Int(settings.aggregator.port)))
        deliverySettings.spoolLimitBytes = settings.spool.maximumBytes
        deliverySettings.synchronisation = settings.spool.sync == .batch ? .everyWindow : .never
        let delivery: Delivery
        do throws(DeliveryError) {
            delivery = try Delivery(
                deliverySettings, host: host, logger: logger,
                symbolTable: { module in await resolver.symbolTable(of: module.identity) })
        } catch { throw .delivery(error) }
        let inspector = ProcessInspector(wantsCommandLine: names.needsCommandLine)
        let rate = settings.samplesPerSecond
        let stackBytes = settings.stackCopyBytes ?? StackUnwinding.stackCopyBytes(atRate: rate)
        thread = SamplingThread(
            SamplingPlan(
                options: SamplingOptions(
                    samplesPerSecond: rate, includeKernel: settings.includesKernel,
                    userStack: StackUnwinding.stackCopy(byteCount: stackBytes)),
                rule: WindowRule(length: Self.windowLength, isAligned: true),
                windowMemoryBytes: settings.windowMemoryBytes, ledgerFile: delivery.ledger))
        finisher = WindowFinisher(
            resolver: resolver, inspector: inspector, names: names, hostLabels: host.labels,
            runtimes: RuntimeNaming(
                codes: thread.runtimeCodes, attachesToJVMs: settings.attachesToJVMs, logger: logger), logger: logger)
        symbolCache = cache
        debugServers = servers
        self.resolver = resolver
        self.delivery = delivery
        self.settings = Mutex(settings)
        self.version = version
        self.logger = logger
        hostName = Mutex(host.name)
    }

    /// nil where none is wanted, and where it can't be had: then every table is made anew, which is worth a warning alone.
    private static func symbolCache(
        _ settings: AgentSettings, path: String, _ logger: Logger
    ) -> SymbolTableCacheDirectory? {
        guard settings.symbols.maximumCacheBytes > 0 else { return nil }
        do throws(DeliveryError) {
            return try SymbolTableCacheDirectory(path: path, maximumBytes: settings.symbols.maximumCacheBytes)
        } catch {
            logger.warning("symbol tables are not kept: \(error.reason); symbols.cache names another directory")
            return nil
        }
    }

    /// Samples and delivers until `stop`; returns when what was held is delivered or spooled.
    public func run() async throws(AgentError) {
        do { try await thread.start() } catch {
            await delivery.shutdown(deadline: .seconds(1))
            throw .sampling(reason: "\(error)")
        }
        let directory = settings.withLock { $0.spool.directory }
        do {
            try StatusSocket.serve(spoolDirectory: directory) { [weak self] format in
                await self?.status(format) ?? []
            }
        } catch { logger.warning("`perf-agent status` will not work: \(error)") }
        await delivery.start()
        let rate = settings.withLock { $0.samplesPerSecond }
        logger.info("sampling every CPU at \(rate) Hz; spool \(directory)")
        let answering = Task { await finisher.answer(thread.questions, from: thread) }
        for await raw in thread.windows {
            let named = await finisher.finish(raw)
            let (settings, version) = (settings.withLock { $0 }, version)
            let window = WindowProfile(
                host: Self.facts(settings, version), window: raw.range, stacks: named.stacks, series: named.series,
                ledger: raw.ledger)
            thread.spareTables.give(raw.table)
            await delivery.submit(window)
            // A window's tables are large and short-lived.
            linux_trim_heap()
        }
        await thread.ended()
        await answering.value
        await delivery.shutdown(deadline: Self.shutdownTime)
        logger.info("ended")
    }

    /// Ends sampling; `run` returns soon after.
    public func stop() { thread.stop() }

    /// Other settings for what can change while it runs: labels, rules of services, the host's name. Answers the names
    /// of those that need a new start.
    public func reload(_ new: AgentSettings) async -> [String] {
        let old = settings.withLock { settings in
            let old = settings
            settings.labels = new.labels
            settings.serviceRules = new.serviceRules
            settings.host = new.host
            return old
        }
        let host = Self.facts(new, version)
        hostName.withLock { $0 = host.name }
        await finisher.use(names: ServiceNames(rules: new.serviceRules), hostLabels: host.labels)
        var needRestart: [String] = []
        if old.aggregator != new.aggregator { needRestart.append("aggregator") }
        if old.samplesPerSecond != new.samplesPerSecond { needRestart.append("rate") }
        if old.includesKernel != new.includesKernel { needRestart.append("kernel") }
        if old.stackCopyBytes != new.stackCopyBytes { needRestart.append("stack_copy") }
        if old.attachesToJVMs != new.attachesToJVMs { needRestart.append("jvm_attach") }
        if old.spool != new.spool { needRestart.append("spool") }
        if old.windowMemoryBytes != new.windowMemoryBytes { needRestart.append("memory") }
        if old.helper != new.helper { needRestart.append("helper") }
        if old.symbols != new.symbols { needRestart.append("symbols") }
        if old.logLevel != new.logLevel { needRestart.append("log_level") }
        return needRestart
    }

    private static func facts(_ settings: AgentSettings, _ version: String) -> HostFacts {
        HostFacts(
            name: settings.host ?? HostName.current(), agentVersion: version, kernelRelease: KernelRelease.current(),
            onlineCPUs: UInt32(clamping: CPUList.online()?.count ?? 1),
            labels: settings.labels.map { Label(name: $0.key, value: $0.value) }.sorted())
    }

    // MARK: Status

    private func status(_ format: String) async -> [UInt8] {
        let delivery = await delivery.status()
        let helpers = readers.compactMap(\.statistics.helper)
        let tables = await symbolCache?.statistics
        let fetched = await debugServers?.statistics
        let answer = StatusAnswer(
            id: delivery.agent, host: hostName.withLock { $0 }, epoch: delivery.epoch,
            samples: SampleAccount(ledger: delivery.ledger, stored: delivery.stored),
            cpuSeconds: Double(cpuNanoseconds(helpers)) / 1e9, residentBytes: residentBytes(helpers),
            aggregator: delivery.address.map {
                StatusAnswer.Aggregator(address: "\($0)", state: delivery.state.rawValue, since: delivery.since)
            }, symbolCache: tables.map(StatusAnswer.SymbolCache.init),
            debuginfod: fetched.map(StatusAnswer.Debuginfod.init))
        return format == "json"
            ? answer.json() + [10] : Array(Self.text(answer, delivery, tables: resolver.tablesMade).utf8)
    }

    private static func text(_ answer: StatusAnswer, _ delivery: DeliveryStatus, tables: String) -> String {
        var lines = [
            "agent       \(answer.id) on \(answer.host), epoch \(answer.epoch)",
            "samples     taken \(answer.samples.taken) = stored \(answer.samples.stored) + pending"
                + " \(answer.samples.pending) + \(SummaryLine.losses(answer.samples.dropped))",
            "estimated   \(delivery.ledger.missedTicks) ticks missed, \(delivery.ledger.throttledTicks) throttled,"
                + " \(delivery.ledger.lateRecords) samples came late",
            "spool       \(delivery.spooledBatches) batches, \(delivery.spooledSamples) samples,"
                + " \(delivery.spooledBytes) bytes",
            "itself      \((answer.cpuSeconds * 100).rounded() / 100) s of CPU, \(answer.residentBytes >> 20) MiB resident",
        ]
        lines.append("symbols     tables: \(tables)")
        if let cache = answer.symbolCache {
            lines.append(
                "            \(cache.tables) kept, \(cache.bytes) bytes; found \(cache.hits) times, not found"
                    + " \(cache.misses) times; \(cache.damaged) damaged, \(cache.outdated) of another build,"
                    + " \(cache.evicted) gone for want of space, \(cache.failures) could not be written")
        }
        if let served = answer.debuginfod {
            lines.append(
                "debuginfod  \(served.found) debug files, \(served.bytes) bytes; \(served.absent) not known,"
                    + " \(served.useless) of no use, \(served.failures) failures, \(served.spared) not asked again"
                    + (served.lastFailure.map { " (last: \($0))" } ?? ""))
        }
        if let aggregator = answer.aggregator {
            lines.append(
                "aggregator  \(aggregator.address): \(aggregator.state) since \(aggregator.since)"
                    + (delivery.lastError.map { " (\($0))" } ?? ""))
        }
        return lines.map { EscapedText.escape($0) }.joined(separator: "\n") + "\n"
    }

    /// CPU time of this process and of its helpers, ended ones too.
    private func cpuNanoseconds(_ helpers: [Int32]) -> UInt64 {
        helpers.reduce(Clocks.processCPU() &+ Clocks.endedChildrenCPU()) {
            $0 &+ (ProcessStatus.read($1)?.cpuNanoseconds ?? 0)
        }
    }

    /// Resident memory of this process and of its helpers.
    private func residentBytes(_ helpers: [Int32]) -> UInt64 {
        helpers.reduce(Self.residentBytes(of: getpid())) { $0 &+ Self.residentBytes(of: $1) }
    }

    /// Field 2 of /proc/PID/statm, in pages (proc_pid_statm(5)).
    private static func residentBytes(of process: Int32) -> UInt64 {
        guard let text = ProcFile.read("/proc/\(process)/statm", limit: 256) else { return 0 }
        let fields = String(decoding: text, as: UTF8.self).split(separator: " ")
        return fields.count > 1 ? (UInt64(fields[1]) ?? 0) * UInt64(max(1, sysconf(Int32(_SC_PAGESIZE)))) : 0
    }
}

extension StatusAnswer.SymbolCache {
    init(_ counts: SymbolTableCacheDirectory.Statistics) {
        self.init(
            tables: counts.files, bytes: counts.bytes, hits: counts.hits, misses: counts.misses,
            damaged: counts.damaged, outdated: counts.outdated, evicted: counts.evicted, failures: counts.failures)
    }
}

extension StatusAnswer.Debuginfod {
    init(_ counts: DebugServers.Statistics) {
        self.init(
            found: counts.found, bytes: counts.bytes, absent: counts.absent, useless: counts.useless,
            failures: counts.failures, spared: counts.spared, lastFailure: counts.lastFailure)
    }
}
