import Analysis
import Patterns
import Profiles
import Synchronization

extension SQLiteStore {
    public func samples(_ query: SampleQuery) async throws(ProfileStoreError) -> SampleAnswer {
        let budget = QueryBudget(timeLimit: query.timeLimit, maximumRows: query.maximumRows)
        let result: Result<SampleAnswer, ProfileStoreError> = await withTaskCancellationHandler {
            do throws(ProfileStoreError) {
                return .success(
                    try await run(on: asking) { () throws(ProfileStoreError) in try self.gather(query, budget) })
            } catch {
                return .failure(error)
            }
        } onCancel: {
            budget.cancel()
        }
        return try result.get()
    }

    private func gather(_ query: SampleQuery, _ budget: QueryBudget) throws(ProfileStoreError) -> SampleAnswer {
        let days = query.range.start.utcDay...max(query.range.start.utcDay, query.range.end.utcDay)
        let (partitions, accounts, goodbyes) = state.withLock { state in
            (
                state.partitions.values.filter { days.contains($0.name.day) }.sorted { $0.name < $1.name },
                state.accounts, state.goodbyes
            )
        }
        var gatherer = SampleGatherer(query, budget: budget)
        for partition in partitions {
            do throws(ProfileStoreError) {
                try gatherer.gather(partition, dictionaries)
            } catch .failed where partition.isRetired, .damaged where partition.isRetired {
                // Retention took the file while it was read: it is no longer part of any answer.
                continue
            }
        }
        var answer = gatherer.answer
        answer.silentHosts = Self.silentHosts(query, answer.samples, accounts, goodbyes)
        return answer
    }

    /// Hosts whose agent delivered in the day before the range's end, said no goodbye since, and whose last window ended
    /// before the range began.
    private static func silentHosts(
        _ query: SampleQuery, _ samples: SampleSet, _ accounts: [EpochKey: EpochAccount],
        _ goodbyes: [Identifier: Timestamp]
    ) -> [String] {
        let hosts = NamePatterns(query.selection.hosts)
        let dayBefore = query.range.end + -86_400_000_000_000
        let delivered = Set(samples.hosts.map(\.agent))
        var last: [Identifier: EpochAccount] = [:]
        for (key, account) in accounts where account.firstWindowStart < query.range.end.nanoseconds {
            if let other = last[key.agent], other.lastWindowEnd >= account.lastWindowEnd { continue }
            last[key.agent] = account
        }
        var silent: Set<String> = []
        for (agent, account) in last where !delivered.contains(agent) && hosts.matches(account.host) {
            guard account.lastWindowEnd > dayBefore.nanoseconds,
                account.lastWindowEnd <= query.range.start.nanoseconds
            else { continue }
            if let goodbye = goodbyes[agent], goodbye.nanoseconds >= account.lastReceived { continue }
            silent.insert(account.host)
        }
        return silent.sorted()
    }
}
