public import Logging
public import Profiles

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

    /// Opens the spool, closes the account of the epoch before, and begins a new one. Blocks on the disk for a moment.
    public init(
        _ settings: DeliverySettings, host: HostFacts, logger: Logger, symbolTable: @escaping SymbolTableProvider
    ) throws(DeliveryError) {
        let directory = try PrivateDirectory(settings.spoolDirectory, create: true)
        agent = .random()
        epoch = .random()
        ledger = try LedgerFile(creating: "ledger", in: directory, agent: agent, epoch: epoch)
    }

    /// Connects to the aggregator and keeps delivering until `shutdown`.
    public func start() {}

    /// Writes a window to the spool as this epoch's next batch. `window.ledger` is `ledger.snapshot()` as of the
    /// window's end; the reasons that the delivery itself counts are filled in here. Never throws: a window that can't
    /// be kept is counted `spoolFailed` and logged.
    public func submit(_ window: WindowProfile) async {}

    public func status() async -> DeliveryStatus {
        DeliveryStatus(
            agent: agent, epoch: epoch, ledger: ledger.snapshot(), stored: 0, pending: 0, spooledBatches: 0,
            spooledSamples: 0, spooledBytes: 0, address: nil, state: .none, since: Timestamp(nanoseconds: 0),
            lastError: nil)
    }

    /// Delivers what it can within `deadline`, says goodbye and closes everything. What is left stays in the spool.
    public func shutdown(deadline: Duration) async {}
}
