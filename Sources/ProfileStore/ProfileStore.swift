public import Profiles
public import SymbolTables

/// A question to the store.
public struct SampleQuery: Sendable {
    public enum Detail: Sendable {
        /// Every stack.
        case stacks
        /// Who used how much: each slice has one row, of the root, with its sums. Cheaper by far.
        case totals
    }

    /// Series, hosts and type are held against it; processes and threads are `Analysis.filter`'s.
    public var selection: Selection
    /// Windows that lie wholly within it are meant.
    public var range: TimeRange
    public var detail: Detail
    /// Time after which the store gives up.
    public var timeLimit: Duration
    /// Rows of slices (stacks by host and window) that an answer may hold.
    public var maximumRows: Int
    /// Whether windows that were delivered without a sample are asked for, too.
    public var wantsEmptyWindows: Bool

    public init(
        selection: Selection, range: TimeRange, detail: Detail = .stacks, timeLimit: Duration = .seconds(30),
        maximumRows: Int = 32 << 20, wantsEmptyWindows: Bool = false
    ) {
        self.wantsEmptyWindows = wantsEmptyWindows
        self.selection = selection
        self.range = range
        self.detail = detail
        self.timeLimit = timeLimit
        self.maximumRows = maximumRows
    }
}

/// What the store holds for a question.
public struct SampleAnswer: Sendable {
    public var samples = SampleSet()
    /// From the first to the last window within the question that any host delivered, whether or not it has samples of
    /// the selection; nil where none did.
    public var coveredRange: TimeRange?
    /// Windows without a sample that were delivered within the range, of hosts that match, and that lost nothing: nothing
    /// ran there. Those without length are accounts, and none of them. Empty unless the query wants them.
    public var emptyWindows: [Host: [TimeRange]] = [:]
    /// What the agents behind the range dropped within it, by reason.
    public var dropped: [DropReason: UInt64] = [:]
    /// Samples that are stored and can't be read any more: blocks or batches that were damaged.
    public var unreadableSamples: UInt64 = 0
    /// Names of hosts that delivered in the 24 h before the range's end, said no goodbye, and nothing in the range.
    public var silentHosts: [String] = []

    public init() {}
}

/// One agent's account over all its epochs, as of the last stored batch of each.
public struct AgentAccount: Hashable, Sendable {
    public var id: Identifier
    public var host: String
    public var version: String
    public var lastSeen: Timestamp
    public var samplesPerSecond: Double
    public var clockOffsetNanoseconds: Int64
    /// Always taken = stored + pending + the sum of dropped.
    public var taken: UInt64
    public var stored: UInt64
    public var pending: UInt64
    public var dropped: [DropReason: UInt64]
    /// Stored under names of their own, because their names were taken: a machine that runs twice.
    public var conflictBatches: UInt64
    public var conflictSamples: UInt64
    /// Whether the last it said was goodbye.
    public var saidGoodbye: Bool
}

/// How the store stands, for metrics.
public struct StoreFigures: Equatable, Sendable {
    public var partitions = 0
    /// Midnight of the first day that anything is stored of; nil where nothing is.
    public var firstDay: Timestamp?
    public var bytes = 0
    public var epochs = 0
    public var storedBatches: UInt64 = 0
    public var storedSamples: UInt64 = 0
    public var conflictBatches: UInt64 = 0
    public var symbolTables = 0
    public var symbolTableBytes = 0
}

/// What a round of upkeep has done.
public struct UpkeepReport: Equatable, Sendable {
    public var compaction = CompactionReport()
    /// Names of files that retention has taken away.
    public var retired: [String] = []
}

/// Keeps batches and answers questions about their samples. One engine for one machine is here (`SQLiteStore`); one for
/// fleets that outgrow a machine follows.
public protocol ProfileStore: Sendable {
    /// Stores batches and returns, in their order, what became of each; what is `stored` is on disk then. Batches of one
    /// epoch become durable in the order given.
    func append(_ batches: [CheckedBatch]) async -> [AppendOutcome]

    /// Greatest sequence of the epoch that is stored without a gap below it; 0 for none.
    func lastStoredSequence(agent: Identifier, epoch: Identifier) async -> UInt64

    func samples(_ query: SampleQuery) async throws(ProfileStoreError) -> SampleAnswer

    func agents() async throws(ProfileStoreError) -> [AgentAccount]

    /// Remembers that an agent said goodbye, until it sends again.
    func noteGoodbye(agent: Identifier, at moment: Timestamp) async throws(ProfileStoreError)

    /// Those of the identities that no table of a symbol file is stored for, whatever its quality.
    func modulesWithoutTable(among identities: [ModuleIdentity]) async throws(ProfileStoreError) -> [ModuleIdentity]

    /// Keeps a module's encoded table, which was decoded once by the caller. A better one replaces a poorer one; among
    /// equals the first stays and the other is remembered as a disagreement.
    func storeSymbolTable(
        _ encoded: [UInt8], quality: SymbolQuality, of module: ModuleIdentity, from sender: Identifier,
        at moment: Timestamp
    ) async throws(ProfileStoreError)

    /// The best table of each module that has one.
    func symbolTables(for modules: [ModuleIdentity]) async throws(ProfileStoreError) -> [ModuleIdentity: SymbolTable]

    /// Compacts closed minutes and takes away what is too old or too much.
    func upkeep(now: Timestamp) async throws(ProfileStoreError) -> UpkeepReport

    func figures() async throws(ProfileStoreError) -> StoreFigures

    /// Another number after every change of what questions are answered from: answers of one version are the same.
    func version() async -> UInt64
}
