public import Profiles

/// What lies in a spool, read without its lock: for `perf-agent spool --list`.
public struct SpoolListing: Sendable {
    public struct Row: Sendable {
        public var name: BatchName
        public var window: TimeRange
        public var samples: UInt64
        /// On disk, the record's header included.
        public var bytes: Int
    }

    public var rows: [Row] = []
    /// Bytes in segments that belong to no undamaged record.
    public var damagedBytes = 0
    /// Batches whose header is sound and whose body is damaged or ends too early.
    public var damagedBatches = 0

    public var samples: UInt64 { rows.reduce(0) { $0 &+ $1.samples } }
    public var bytes: Int { rows.reduce(0) { $0 + $1.bytes } }
    /// The start of the oldest window; nil where nothing is pending.
    public var oldest: Timestamp? { rows.map(\.window.start).min() }

    /// - Throws: where the directory or a file in it can't be read, or isn't this user's.
    public init(spoolDirectory path: String) throws(DeliveryError) {
        let directory = try PrivateDirectory(path, create: false)
        let state = try directory.read(Spool.stateName, limit: SpoolState.maximumBytes).flatMap { SpoolState($0) }
        var epochs: [Identifier: SpooledEpoch] = [:]
        for epoch in state?.epochs ?? [] { epochs[epoch.account.epoch] = epoch }
        for (_, name) in try Spool.segments(in: directory) {
            // A running agent may delete a segment between the listing and the reading.
            guard let bytes = try directory.read(name, limit: Spool.maximumSegmentBytes) else { continue }
            let scan = SpoolScan(bytes)
            damagedBytes += scan.damagedBytes
            damagedBatches += scan.withoutBody.count + scan.cutShort.count
            for (_, record) in scan.whole where !(epochs[record.name.epoch]?.isSettled(record.name.sequence) ?? false) {
                rows.append(
                    Row(name: record.name, window: record.window, samples: record.samples, bytes: record.totalBytes))
            }
        }
    }
}
