import Dispatch
public import Profiles
import Synchronization

extension SQLiteStore {
    public func upkeep(now: Timestamp) async throws(ProfileStoreError) -> UpkeepReport {
        try await run(on: upkeeping) { () throws(ProfileStoreError) in
            var report = UpkeepReport()
            let hook = self.afterCompactionStep.withLock { $0 }
            let closed = Partition.minute(of: now.nanoseconds &- self.options.closingDelay.nanoseconds)
            var failure: ProfileStoreError?
            for partition in self.state.withLock({ $0.partitions.values.sorted { $0.name < $1.name } }) {
                var compactor = Compactor(partition: partition, dictionaries: self.dictionaries)
                if let hook { compactor.afterStep = hook }
                do throws(ProfileStoreError) {
                    let done = try compactor.compact(before: closed)
                    report.compaction.batches += done.batches
                    report.compaction.blocks += done.blocks
                    report.compaction.damagedBatches += done.damagedBatches
                    if done.nodes >= Self.maximumNodes { partition.close(toFurtherBatches: true) }
                } catch {
                    // One damaged file keeps neither the others from being compacted nor old ones from going.
                    failure = failure ?? error
                }
                // No more batches come to a full file: nobody waits for its log.
                if partition.isFull { partition.file.truncateLog() }
            }
            report.retired = try self.retire(now: now)
            if let failure { throw failure }
            return report
        }
    }

    /// Takes away files whose whole day is too old, and then the oldest while all together are too large.
    private func retire(now: Timestamp) throws(ProfileStoreError) -> [String] {
        var retired: [String] = []
        let oldest = now.nanoseconds &- options.maximumAge.nanoseconds
        while true {
            let partitions = state.withLock { $0.partitions.values.sorted { $0.name < $1.name } }
            guard let first = partitions.first else { return retired }
            let isOld = first.name.dayEnd <= oldest
            // The last file stays: it is the one that batches go to.
            let isTooMuch =
                partitions.count > 1
                && partitions.reduce(0) { $0 + directory.bytes(ofDatabase: $1.name.fileName) } > options.maximumBytes
            guard isOld || isTooMuch else { return retired }
            // No batch may come to the file between the reading of its accounts and its end.
            let outcome: Result<Void, ProfileStoreError> = appending.sync {
                do throws(ProfileStoreError) {
                    return .success(try self.retire(first, now: now))
                } catch {
                    return .failure(error)
                }
            }
            try outcome.get()
            retired.append(first.name.fileName)
        }
    }

    private func retire(_ partition: Partition, now: Timestamp) throws(ProfileStoreError) {
        let accounts = try partition.accounts()
        try catalog.retire(partition.name, accounts: accounts)
        partition.retire()
        let lastWindow = EpochAccount.lastWindowEnd(in: accounts.values)
        state.withLock { state in
            state.partitions[partition.name] = nil
            state.version &+= 1
            state.horizon = max(state.horizon, min(lastWindow, now.nanoseconds))
        }
        dictionaries.remove(partition.name)
        partition.file.close()
        try directory.deleteDatabase(named: partition.name.fileName)
    }
}
