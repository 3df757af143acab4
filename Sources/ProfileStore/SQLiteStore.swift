import Dispatch
public import Profiles
public import SymbolTables
import Synchronization
import WireProtocol

/// The store in a directory: one SQLite file for each UTC day (or part of one) and a catalogue.
///
/// Three threads' work is kept apart: appending, upkeep and questions each have queues of their own, so that neither a
/// long question nor a compaction holds up ingest, and none of them blocks the threads that Swift's tasks run on.
public final class SQLiteStore: ProfileStore {
    public struct Options: Sendable {
        public var directory: String
        /// Age at which a day's files go.
        public var maximumAge: Duration = .seconds(14 * 86_400)
        /// Size of all days' files at which the oldest goes; the catalogue is not counted. A file is closed when it holds an eighth of it.
        public var maximumBytes = 20 << 30
        /// A minute is closed so long after its end: batches are sent with a delay.
        public var closingDelay: Duration = .seconds(90)
        /// Entries of dictionaries that are kept in memory, about 40 bytes each.
        public var cachedDictionaryEntries = 8 << 20
        /// Bytes of decoded symbol tables that are kept in memory.
        public var cachedSymbolTableBytes = 256 << 20
        /// How long another's lock on the directory is waited for: the program before may just be ending.
        public var lockPatience: Duration = .seconds(3)
        /// This machine's wall clock.
        public var now: @Sendable () -> Timestamp

        public init(directory: String, now: @escaping @Sendable () -> Timestamp) {
            self.directory = directory
            self.now = now
        }
    }

    /// A window that ends later than this after now is not taken: it would outlive retention.
    public static let maximumLead: Int64 = 86_400_000_000_000
    /// Nodes at which a file is closed, so that its dictionary fits in memory: 8 bytes and a slot of a table each.
    static let maximumNodes = 8 << 20
    /// Batches and bytes of one commit.
    static let batchesPerCommit = 4096
    static let bytesPerCommit = 64 << 20

    struct State {
        var partitions: [PartitionName: Partition] = [:]
        var accounts: [EpochKey: EpochAccount] = [:]
        var goodbyes: [Identifier: Timestamp] = [:]
        /// Counts what changes answers: commits, files that went, goodbyes, symbol tables.
        var version: UInt64 = 0
        /// Windows that start before it are expired.
        var horizon = Int64.min
        var waiting: [AppendRequest] = []
        var isAppending = false
    }

    struct AppendRequest: Sendable {
        var batches: [CheckedBatch]
        var answer: CheckedContinuation<[AppendOutcome], Never>
    }

    let options: Options
    let directory: DataDirectory
    let catalog: Catalog
    let dictionaries: DictionaryCache
    let symbolTables: SymbolTableCache
    let state: Mutex<State>
    let appending = DispatchQueue(label: "store.append")
    let upkeeping = DispatchQueue(label: "store.upkeep", qos: .utility)
    let asking = DispatchQueue(label: "store.ask", attributes: .concurrent)
    /// For tests: called after each step of a compaction.
    let afterCompactionStep = Mutex<(@Sendable (CompactionStep) throws -> Void)?>(nil)

    /// Opens the store, makes it where there is none, and finishes what a kill has cut short.
    public init(_ options: Options) throws(ProfileStoreError) {
        self.options = options
        directory = try DataDirectory(path: options.directory, patience: options.lockPatience)
        catalog = try Catalog(directory: options.directory)
        dictionaries = DictionaryCache(maximumEntries: options.cachedDictionaryEntries)
        symbolTables = SymbolTableCache(maximumBytes: options.cachedSymbolTableBytes)
        var initial = State()
        initial.accounts = try catalog.pastAccounts()
        initial.goodbyes = try catalog.goodbyes()
        let retired = try catalog.retired()
        initial.horizon = Self.horizon(retired.values.max(), options)
        for entry in try directory.entries() {
            if retired[entry] != nil {
                try directory.deleteDatabase(named: entry)
            } else if let name = PartitionName(fileName: entry) {
                let partition = try Partition(name: name, directory: options.directory)
                initial.partitions[name] = partition
                for (key, account) in try partition.accounts() {
                    initial.accounts[key, default: EpochAccount()].add(account)
                }
                partition.close(toFurtherBatches: try partition.file.size() >= options.maximumBytes / 8)
            }
        }
        state = Mutex(initial)
    }

    /// Retention by size may have taken what a batch's age would still allow.
    private static func horizon(_ lastRetiredWindow: Int64?, _ options: Options) -> Int64 {
        let now = options.now().nanoseconds
        let age = options.maximumAge.nanoseconds
        return max(now &- age, min(lastRetiredWindow ?? Int64.min, now))
    }

    /// For tests: `body` is called after each step of every compaction from now on.
    package func stopCompaction(by body: (@Sendable (CompactionStep) throws -> Void)?) {
        afterCompactionStep.withLock { $0 = body }
    }

    // MARK: Appending

    public func append(_ batches: [CheckedBatch]) async -> [AppendOutcome] {
        guard !batches.isEmpty else { return [] }
        return await withCheckedContinuation { continuation in
            let starts = state.withLock { state in
                state.waiting.append(AppendRequest(batches: batches, answer: continuation))
                defer { state.isAppending = true }
                return !state.isAppending
            }
            if starts { appending.async { self.appendWaiting() } }
        }
    }

    /// Commits what waits, together, until nothing does.
    private func appendWaiting() {
        while true {
            let requests = state.withLock { state -> [AppendRequest] in
                var count = 0
                var bytes = 0
                var taken = 0
                for request in state.waiting {
                    count += request.batches.count
                    bytes += request.batches.reduce(0) { $0 + $1.batch.body.count }
                    if taken > 0, count > Self.batchesPerCommit || bytes > Self.bytesPerCommit { break }
                    taken += 1
                }
                let requests = Array(state.waiting.prefix(taken))
                state.waiting.removeFirst(taken)
                if requests.isEmpty { state.isAppending = false }
                return requests
            }
            guard !requests.isEmpty else { return }
            let outcomes = append(together: requests.flatMap(\.batches))
            var start = 0
            for request in requests {
                let end = start + request.batches.count
                request.answer.resume(returning: Array(outcomes[start..<end]))
                start = end
            }
        }
    }

    private func append(together batches: [CheckedBatch]) -> [AppendOutcome] {
        var accounts: [EpochKey: EpochAccount] = [:]
        let (horizon, partitions) = state.withLock { state in
            for batch in batches {
                let key = EpochKey(agent: batch.batch.name.agent, epoch: batch.batch.name.epoch)
                accounts[key] = state.accounts[key] ?? EpochAccount()
            }
            return (
                max(state.horizon, options.now().nanoseconds &- options.maximumAge.nanoseconds),
                Array(state.partitions.values)
            )
        }
        var plan = AppendPlan(
            accounts: accounts, horizon: horizon, latestEnd: options.now().nanoseconds &+ Self.maximumLead)
        for batch in batches {
            plan.add(batch) { key, sequence throws(ProfileStoreError) in
                var digests: [Identifier] = []
                for partition in partitions.sorted(by: { $0.name < $1.name }) {
                    digests += try partition.digests(key, sequence: sequence)
                }
                return digests
            }
        }
        var failure: ProfileStoreError?
        for commit in plan.commits() {
            // What follows a failed commit would leave a gap in its epoch.
            if let failure {
                plan.commitFailed(commit, failure)
                continue
            }
            do throws(ProfileStoreError) {
                let partition = try partitionForAppending(day: commit.day)
                var changed: [EpochKey: EpochAccount] = [:]
                for entry in commit.entries {
                    changed[entry.key, default: plan.accountBefore(entry.key)].add(entry)
                }
                try partition.append(commit.entries, accounts: changed)
                plan.commitSucceeded(changed)
                state.withLock { state in
                    for (key, account) in changed {
                        state.accounts[key] = account
                    }
                    state.version &+= 1
                }
                try closeIfLarge(partition)
            } catch {
                failure = error
                plan.commitFailed(commit, error)
            }
        }
        return plan.outcomes
    }

    private func partitionForAppending(day: Int64) throws(ProfileStoreError) -> Partition {
        let last = state.withLock { state in
            state.partitions.values.filter { $0.name.day == day }.max { $0.name < $1.name }
        }
        if let last, !last.isFull { return last }
        let name = PartitionName(day: day, part: last.map { $0.name.part + 1 } ?? firstFreePart(day))
        let partition = try Partition(name: name, directory: options.directory)
        try directory.sync()
        state.withLock { $0.partitions[name] = partition }
        return partition
    }

    /// A retired file's name is not used again.
    private func firstFreePart(_ day: Int64) -> Int {
        let retired = (try? catalog.retired()) ?? [:]
        let parts = retired.keys.compactMap { PartitionName(fileName: $0) }.filter { $0.day == day }.map(\.part)
        return (parts.max() ?? -1) + 1
    }

    private func closeIfLarge(_ partition: Partition) throws(ProfileStoreError) {
        let used = try partition.file.size() - partition.file.freeBytes()
        if used >= options.maximumBytes / 8 { partition.close(toFurtherBatches: true) }
    }

    // MARK: Accounts

    public func lastStoredSequence(agent: Identifier, epoch: Identifier) async -> UInt64 {
        state.withLock { $0.accounts[EpochKey(agent: agent, epoch: epoch)]?.sequences.contiguous ?? 0 }
    }

    public func agents() async throws(ProfileStoreError) -> [AgentAccount] {
        let (accounts, goodbyes) = state.withLock { ($0.accounts, $0.goodbyes) }
        return AgentAccount.accounts(of: accounts, goodbyes: goodbyes)
    }

    public func noteGoodbye(agent: Identifier, at moment: Timestamp) async throws(ProfileStoreError) {
        state.withLock { state in
            state.goodbyes[agent] = moment
            state.version &+= 1
        }
        try await run(on: appending) { () throws(ProfileStoreError) in
            try self.catalog.noteGoodbye(agent, at: moment)
        }
    }

    // MARK: Symbol tables

    public func modulesWithoutTable(
        among identities: [ModuleIdentity]
    ) async throws(ProfileStoreError) -> [ModuleIdentity] {
        try await run(on: asking) { () throws(ProfileStoreError) in
            try self.catalog.modulesWithoutTable(among: identities)
        }
    }

    public func storeSymbolTable(
        _ encoded: [UInt8], quality: SymbolQuality, of module: ModuleIdentity, from sender: Identifier,
        at moment: Timestamp
    ) async throws(ProfileStoreError) {
        try await run(on: upkeeping) { () throws(ProfileStoreError) in
            try self.catalog.store(encoded, quality: quality, of: module, from: sender, at: moment)
        }
        symbolTables.remove(module)
        state.withLock { $0.version &+= 1 }
    }

    public func symbolTables(
        for modules: [ModuleIdentity]
    ) async throws(ProfileStoreError) -> [ModuleIdentity: SymbolTable] {
        try await run(on: asking) { () throws(ProfileStoreError) in
            var tables: [ModuleIdentity: SymbolTable] = [:]
            for module in modules where module.kind != .name {
                if let cached = self.symbolTables.table(of: module) {
                    tables[module] = cached
                } else if let encoded = try self.catalog.encodedTable(of: module) {
                    // One damaged table leaves its module without names; the rest of the answer stands.
                    guard let table = try? SymbolTable(decoding: encoded) else { continue }
                    self.symbolTables.put(table, for: module)
                    tables[module] = table
                }
            }
            return tables
        }
    }

    /// Forgets every table that one agent has sent; the modules are asked for again.
    public func revokeSymbolTables(from sender: Identifier) async throws(ProfileStoreError) {
        try await run(on: upkeeping) { () throws(ProfileStoreError) in try self.catalog.revokeTables(from: sender) }
        symbolTables.removeAll()
        state.withLock { $0.version &+= 1 }
    }

    // MARK: Figures

    public func version() async -> UInt64 { state.withLock { $0.version } }

    public func figures() async throws(ProfileStoreError) -> StoreFigures {
        let (names, accounts) = state.withLock { (Array($0.partitions.keys), Array($0.accounts.values)) }
        return try await run(on: asking) { () throws(ProfileStoreError) in
            var figures = StoreFigures()
            figures.partitions = names.count
            figures.firstDay = names.map(\.day).min().map { Timestamp(seconds: $0 * 86_400) }
            figures.bytes = self.directory.bytes(ofDatabase: Catalog.fileName)
            for name in names { figures.bytes += self.directory.bytes(ofDatabase: name.fileName) }
            figures.epochs = accounts.count
            for account in accounts {
                figures.storedBatches &+= account.storedBatches
                figures.storedSamples &+= account.storedSamples
                figures.conflictBatches &+= account.conflictBatches
            }
            (figures.symbolTables, figures.symbolTableBytes) = try self.catalog.symbolTableFigures()
            return figures
        }
    }

    /// Bytes of the files that hold something: pages that dropped bodies have left are used again.
    package func usedBytes() async throws(ProfileStoreError) -> Int {
        let partitions = state.withLock { Array($0.partitions.values) }
        return try await run(on: asking) { () throws(ProfileStoreError) in
            var used = 0
            for partition in partitions { used += try partition.file.size() - partition.file.freeBytes() }
            return used
        }
    }

    /// Runs blocking work on a queue of its own.
    func run<Success: Sendable>(
        on queue: DispatchQueue, _ body: @escaping @Sendable () throws(ProfileStoreError) -> Success
    ) async throws(ProfileStoreError) -> Success {
        let result: Result<Success, ProfileStoreError> = await withCheckedContinuation { continuation in
            queue.async {
                do throws(ProfileStoreError) {
                    continuation.resume(returning: .success(try body()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }
}

extension Duration {
    /// Saturates.
    var nanoseconds: Int64 {
        let (product, overflow) = components.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : product &+ components.attoseconds / 1_000_000_000
    }
}
