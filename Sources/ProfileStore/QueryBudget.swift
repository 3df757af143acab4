import Synchronization

/// What a question may still cost; asked between the steps of the work.
final class QueryBudget: Sendable {
    private let start = ContinuousClock.now
    private let timeLimit: Duration
    private let maximumRows: Int
    private let state = Mutex((isCancelled: false, rows: 0))

    init(timeLimit: Duration, maximumRows: Int) {
        self.timeLimit = timeLimit
        self.maximumRows = maximumRows
    }

    func cancel() { state.withLock { $0.isCancelled = true } }

    /// - Parameter rows: how many rows the answer has grown by.
    func spend(rows: Int = 0) throws(ProfileStoreError) {
        let (isCancelled, total) = state.withLock { state in
            state.rows += rows
            return state
        }
        if isCancelled { throw .cancelled }
        if total > maximumRows { throw .tooLarge(what: "rows", limit: maximumRows) }
        if start.duration(to: .now) > timeLimit {
            throw .deadlineExceeded(
                seconds: Double(timeLimit.components.seconds)
                    + Double(timeLimit.components.attoseconds) / 1e18)
        }
    }
}
