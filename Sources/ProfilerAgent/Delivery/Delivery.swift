// The way of a window from the sampling loop to the aggregator: batch, spool, connection, acknowledgement; and the
// account of the epoch. One event loop does it all: the actor runs on the loop that also serves the connection.

import Glibc
public import Logging
public import NIOCore
import NIOPosix
public import Profiles
import WireProtocol

/// What the agent can say about a module that the aggregator asked for.
public enum SymbolTableAnswer: Sendable {
    /// The encoded table.
    case table([UInt8])
    /// There is none; the reason, for people.
    case unavailable(String)
}

/// Builds the encoded symbol table of a module. Called for one module at a time.
public typealias SymbolTableProvider = @Sendable (_ module: Module) async -> SymbolTableAnswer

/// Takes windows, keeps them in the spool until the aggregator has them, and keeps this epoch's account.
public actor Delivery {
    public nonisolated let agent: Identifier
    public nonisolated let epoch: Identifier
    /// The counters that the sampling thread adds to.
    public nonisolated let ledger: LedgerFile
    public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.executor.asUnownedSerialExecutor() }

    nonisolated let loop: any EventLoop
    let address: AggregatorAddress?
    let logger: Logger
    let symbolTable: SymbolTableProvider
    var host: HostFacts
    let spool: Spool
    private let lock: SpoolLock
    var notices = RepeatedNotices()

    // The sending side; `Delivery+Sending.swift`.
    var machine: SenderMachine
    var since: Timestamp
    var connection: UInt64 = 0
    var channel: (any Channel)?
    /// While `fill` writes. A write that passes the channel's high-water mark tells `writable` from within itself.
    var isFilling = false
    var timer: (due: SenderMachine.Instant, task: Scheduled<Void>)?
    var modulesWanted: [Module] = []
    var isAnsweringModules = false
    var onFinish: [CheckedContinuation<Void, Never>] = []

    /// Opens the spool, closes the account of the epoch before, and begins a new one. Blocks on the disk for a moment.
    ///
    /// - Parameters:
    ///   - loop: runs the delivery; without one, a thread is started that lives as long as the process.
    ///   - host: what the aggregator is told until a window says something newer.
    public init(
        _ settings: DeliverySettings, host: HostFacts, logger: Logger, on loop: (any EventLoop)? = nil,
        symbolTable: @escaping SymbolTableProvider
    ) throws(DeliveryError) {
        let directory = try PrivateDirectory(settings.spoolDirectory, create: true)
        lock = try SpoolLock(in: directory)
        let identity = try AgentIdentity(in: directory, machineIDPath: settings.machineIDPath)
        let agent = identity.agent
        let epoch = Identifier.random()
        let before = EpochBefore(agent: agent, spool: directory, runtimeDirectory: settings.runtimeDirectory)
        let spool = try Spool(
            in: directory, agent: agent, account: before.account, limitBytes: settings.spoolLimitBytes,
            synchronisation: settings.synchronisation)
        Self.report(spool.recovery, formerAgent: identity.formerAgent, agent: agent, to: logger)
        for failure in before.failures { logger.warning("the account of the epoch before: \(failure)") }
        // The closing batches are in the spool before the old counters are given up: a kill in between closes twice,
        // with the same numbers.
        for failure in Self.tellClosedEpochs(in: spool, host: host) {
            logger.error("the account of an earlier epoch can't be spooled yet: \(failure)")
        }
        spool.begin(EpochAccount(agent: agent, epoch: epoch))
        try spool.delete([])
        let created = try before.replace(epoch: epoch)
        if let failure = created.failure {
            logger.notice("the ledger's file lies in the spool, not in \(settings.runtimeDirectory): \(failure)")
        }

        self.agent = agent
        self.epoch = epoch
        self.ledger = created.ledger
        self.spool = spool
        self.host = host
        self.logger = logger
        self.symbolTable = symbolTable
        self.loop = loop ?? MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
        address = settings.aggregator
        let fraction = Double(agent.high >> 11) * 0x1p-53
        machine = SenderMachine(
            sendDelay: settings.sendSpread * fraction, times: settings.times, seed: .random(in: .min ... .max),
            now: .now)
        since = .now
    }

    /// Connects to the aggregator and keeps delivering until `shutdown`.
    public func start() {
        if address != nil { handle(.start) }
    }

    /// Writes a window to the spool as this epoch's next batch.
    ///
    /// `window.ledger` is `ledger.snapshot()` as of the window's end; the reasons that the delivery itself counts
    /// (`spoolFull`, `spoolDamaged`, `refused`) are filled in here. Never throws: a window that can't be kept is
    /// counted `spoolFailed` and logged.
    public func submit(_ window: WindowProfile) async {
        host = window.host
        if let failure = append(window) {
            ledger.addDropped(window.sampleCount, .spoolFailed)
            note("spool", .error, "a window of \(window.sampleCount) samples is lost: \(failure)")
        }
        afterSpooling()
        handle(.spooled)
    }

    public func status() async -> DeliveryStatus {
        let account = ledger.snapshot()
        let stored = spool.index.epochs[epoch]?.stored ?? 0
        let settled = stored &+ account.droppedTotal
        return DeliveryStatus(
            agent: agent, epoch: epoch, ledger: account, stored: stored,
            pending: account.taken > settled ? account.taken - settled : 0, spooledBatches: spool.index.batchCount,
            spooledSamples: spool.index.pendingSamples, spooledBytes: spool.index.totalBytes, address: address,
            state: aggregatorState, since: since, lastError: machine.lastError)
    }

    /// Delivers what it can within `deadline`, says goodbye and closes the connection. What is left stays in the spool.
    public func shutdown(deadline: Duration) async {
        // What was dropped since the last window is told by a batch of its own, or the account would stay open.
        if spool.index.epochs[epoch]?.told != ledger.snapshot(), ledger.snapshot() != Ledger() {
            let end = spool.index.epochs[epoch]?.lastWindowEnd ?? .now
            if let failure = append(.accountOnly(ledger.snapshot(), host: host, at: end)) {
                note("spool", .error, "the account can't be spooled: \(failure); the next start closes it")
            }
            afterSpooling()
            handle(.spooled)
        }
        await withCheckedContinuation { continuation in
            onFinish.append(continuation)
            if machine.state == .stopped { finish() } else { handle(.stop(by: .now + deadline)) }
        }
        let left = spool.index.batchCount
        if left > 0 { logger.notice("\(left) batches stay in \(spool.directory.path) for the next start") }
    }

    // MARK: Spooling

    private func append(_ window: WindowProfile) -> DeliveryError? {
        var window = window
        let own = spool.index.epochs[epoch]?.account.ledger
        for reason in DropReason.allCases where !reason.isBeforeBatching {
            let count = own?.count(of: reason) ?? 0
            window.ledger.dropped[reason] = count > 0 ? count : nil
        }
        let account = ledger.account
        let failure = Self.append(
            window, to: spool, agent: agent, epoch: epoch, sequence: account.lastSequence + 1)
        if failure == nil {
            ledger.raise(.lastSequence, to: account.lastSequence + 1)
            ledger.raise(.batched, to: account.batched &+ window.sampleCount)
        }
        return failure
    }

    /// After whatever may have dropped batches: the live counters follow, and closed epochs get their last word.
    func afterSpooling() {
        for failure in Self.tellClosedEpochs(in: spool, host: host) {
            note("closing", .error, "the account of an earlier epoch can't be spooled yet: \(failure)")
        }
        guard let account = spool.index.epochs[epoch]?.account.ledger else { return }
        for reason in DropReason.allCases where !reason.isBeforeBatching {
            ledger.raiseDropped(reason, to: account.count(of: reason))
        }
    }

    private static func append(
        _ window: WindowProfile, to spool: Spool, agent: Identifier, epoch: Identifier, sequence: UInt64
    ) -> DeliveryError? {
        let batch: Batch
        do { batch = try Batch(encoding: window, agent: agent, epoch: epoch, sequence: sequence) } catch {
            return .unencodable(reason: "\(error)")
        }
        do { try spool.append(batch, ledger: window.ledger) } catch { return error }
        return nil
    }

    /// A closed epoch whose account has changed since its last batch gets one more batch, without samples, under its
    /// own name and next sequence number. So each epoch's account is complete on its own, whoever reads it.
    private static func tellClosedEpochs(in spool: Spool, host: HostFacts) -> [DeliveryError] {
        spool.index.epochs.values.filter(\.needsTelling).compactMap { closed in
            append(
                .accountOnly(closed.account.ledger, host: host, at: closed.lastWindowEnd ?? .now), to: spool,
                agent: closed.account.agent, epoch: closed.account.epoch, sequence: closed.account.lastSequence + 1)
        }
    }

    private static func report(
        _ recovery: Spool.Recovery, formerAgent: Identifier?, agent: Identifier, to logger: Logger
    ) {
        if let formerAgent {
            logger.notice("this disk was agent \(formerAgent) on another machine; here it is agent \(agent)")
        }
        if recovery.foreignBatches > 0 {
            logger.warning(
                """
                \(recovery.foreignBatches) batches (\(recovery.foreignSamples) samples) of another agent are deleted: \
                the machine that this disk was copied from delivers them
                """)
        }
        if recovery.damagedBytes > 0 {
            logger.warning("\(recovery.damagedBytes) bytes of the spool are damaged; their samples are counted")
        }
        if recovery.isStateDamaged {
            logger.warning("the spool's state is damaged; batches may be sent again, which changes nothing")
        }
    }

    /// Logs, but a run of like messages once a minute.
    func note(_ kind: String, _ level: Logger.Level, _ text: String) {
        guard let suppressed = notices.admit(kind, at: .now) else { return }
        let more = suppressed > 0 ? " (\(suppressed) more like this since the last one shown)" : ""
        logger.log(level: level, "\(text)\(more)")
    }
}

extension WindowProfile {
    /// A window without samples and without length, which carries an account and covers no time.
    static func accountOnly(_ ledger: Ledger, host: HostFacts, at moment: Timestamp) -> WindowProfile {
        WindowProfile(
            host: host, window: TimeRange(start: moment, end: moment), stacks: StackTable(), series: [], ledger: ledger)
    }
}

extension Timestamp {
    static var now: Timestamp {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}
