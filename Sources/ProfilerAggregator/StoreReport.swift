import ProfileStore

/// What `perf-aggregator check` found.
public struct StoreReport: Sendable {
    /// A line for each file: what is in it.
    public var contents: [String]
    /// What is wrong; empty where the store is sound.
    public var problems: [String]
}

/// Reads a whole store that no aggregator runs on.
public func checkStore(directory: String) throws(AggregatorError) -> StoreReport {
    do throws(ProfileStoreError) {
        let report = try StoreCheck.run(directory: directory)
        return StoreReport(contents: report.contents, problems: report.problems)
    } catch {
        throw .store(error)
    }
}
