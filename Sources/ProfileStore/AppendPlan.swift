import Profiles
import WireProtocol

/// Decides, without any I/O of its own, what becomes of batches that came together: which are new, which are there
/// already, which conflict, and in which commits they go to disk.
struct AppendPlan {
    struct Commit {
        var day: Int64
        var entries: [JournalEntry]
        /// Positions of the entries in `outcomes`.
        var positions: [Int]
    }

    private(set) var outcomes: [AppendOutcome] = []
    /// By epoch, as of the last commit that succeeded.
    private var accounts: [EpochKey: EpochAccount]
    private let horizon: Int64
    private let latestEnd: Int64

    private struct Pending {
        var position: Int
        var entry: JournalEntry
        var day: Int64
    }
    private var pending: [Pending] = []
    /// Batches that came twice in this plan.
    private var repeated: [(position: Int, name: BatchName)] = []
    /// The digests of names that are part of this plan.
    private var planned: [BatchKey: [Identifier]] = [:]
    /// As the accounts will be when everything planned is done.
    private var expected: [EpochKey: EpochAccount]

    private struct BatchKey: Hashable {
        var epoch: EpochKey
        var sequence: UInt64
    }

    /// - Parameters:
    ///   - horizon: windows that start before it are expired.
    ///   - latestEnd: windows that end after it are in the future.
    init(accounts: [EpochKey: EpochAccount], horizon: Int64, latestEnd: Int64) {
        self.accounts = accounts
        expected = accounts
        self.horizon = horizon
        self.latestEnd = latestEnd
    }

    /// - Parameter stored: the digests that are on disk under a name; asked only where the account can't rule it out.
    mutating func add(
        _ checked: CheckedBatch, stored: (EpochKey, UInt64) throws(ProfileStoreError) -> [Identifier]
    ) {
        let batch = checked.batch
        let position = outcomes.count
        guard batch.window.end.nanoseconds <= latestEnd else { return outcomes.append(.inFuture) }
        let key = EpochKey(agent: batch.name.agent, epoch: batch.name.epoch)
        let account = expected[key] ?? EpochAccount()
        let batchKey = BatchKey(epoch: key, sequence: batch.name.sequence)
        var digests = planned[batchKey] ?? []
        if batch.name.sequence <= (accounts[key]?.lastSequence ?? 0) {
            do throws(ProfileStoreError) {
                digests = try stored(key, batch.name.sequence) + digests
            } catch {
                return outcomes.append(.failed(error))
            }
        }
        // What is stored is acknowledged again, however old it is by now.
        if digests.contains(batch.name.digest) {
            if planned[batchKey]?.contains(batch.name.digest) == true { repeated.append((position, batch.name)) }
            return outcomes.append(.alreadyStored)
        }
        // It was stored, in a file that is gone.
        if digests.isEmpty, accounts[key]?.sequences.contains(batch.name.sequence) == true {
            return outcomes.append(.expired)
        }
        guard batch.window.start.nanoseconds >= horizon else { return outcomes.append(.expired) }
        let entry = JournalEntry(
            checked: checked, fork: Int64(digests.count),
            drops: digests.isEmpty && batch.name.sequence > account.lastSequence
                ? account.dropsSince(checked.ledger) : [:])
        planned[batchKey, default: []].append(batch.name.digest)
        expected[key, default: EpochAccount()].add(entry)
        pending.append(Pending(position: position, entry: entry, day: batch.window.start.utcDay))
        outcomes.append(digests.isEmpty ? .stored : .storedAsConflict)
    }

    /// Commits, each of one day, such that batches of one epoch become durable in their order: a kill between two
    /// commits never leaves a later batch stored and an earlier one not.
    func commits() -> [Commit] {
        var commits: [Commit] = []
        var rest = pending
        while let first = rest.first {
            var commit = Commit(day: first.day, entries: [], positions: [])
            var blocked: Set<EpochKey> = []
            var later: [Pending] = []
            for one in rest {
                if one.day == first.day, !blocked.contains(one.entry.key) {
                    commit.entries.append(one.entry)
                    commit.positions.append(one.position)
                } else {
                    blocked.insert(one.entry.key)
                    later.append(one)
                }
            }
            commits.append(commit)
            rest = later
        }
        return commits
    }

    func accountBefore(_ key: EpochKey) -> EpochAccount { accounts[key] ?? EpochAccount() }

    mutating func commitSucceeded(_ changed: [EpochKey: EpochAccount]) {
        accounts.merge(changed) { _, new in new }
    }

    /// What was to be stored in the commit is not; nor is a batch that came twice and is one of them.
    mutating func commitFailed(_ commit: Commit, _ error: ProfileStoreError) {
        for position in commit.positions { outcomes[position] = .failed(error) }
        let names = Set(commit.entries.map(\.checked.batch.name))
        for (position, name) in repeated where names.contains(name) { outcomes[position] = .failed(error) }
    }
}
