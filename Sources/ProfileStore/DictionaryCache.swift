import GRDB
import Profiles
import Synchronization

/// The dictionary of one file as far as it was read, in memory.
struct PartitionDictionary: Sendable {
    var table = StackTable()
    var hosts: [Host] = []
    var series: [SeriesKey] = []
    var hostNumbers: [Host: UInt32] = [:]
    var seriesNumbers: [SeriesKey: UInt32] = [:]
    /// The last segment that was read.
    var segment: Int64 = 0
    var writtenExtent = TableExtent()

    mutating func number(of host: Host) -> UInt32 {
        if let known = hostNumbers[host] { return known }
        let number = UInt32(hosts.count)
        hosts.append(host)
        hostNumbers[host] = number
        return number
    }

    mutating func number(of key: SeriesKey) -> UInt32 {
        if let known = seriesNumbers[key] { return known }
        let number = UInt32(series.count)
        series.append(key)
        seriesNumbers[key] = number
        return number
    }

    /// Reads what the file has beyond what is here.
    mutating func catchUp(_ partition: Partition) throws(ProfileStoreError) {
        let path = partition.file.path
        var next = self
        self = PartitionDictionary()
        try partition.file.read("reading the dictionary") { database in
            let rows = try Row.fetchCursor(
                database,
                sql: "SELECT segment, expanded, checksum, bytes FROM dictionary WHERE segment > ? ORDER BY segment",
                arguments: [next.segment])
            while let row = try rows.next() {
                let segment = row.number("segment")
                do {
                    let stored = StoredBytes(
                        bytes: row.bytes("bytes"), expandedCount: Int(row.number("expanded")),
                        checksum: UInt32(truncatingIfNeeded: row.number("checksum")))
                    try DictionarySegment.decode(try stored.expanded(), into: &next.table)
                } catch {
                    throw ProfileStoreError.damaged(path: path, what: "segment \(segment) of the dictionary: \(error)")
                }
                next.segment = segment
            }
            next.writtenExtent = TableExtent(next.table)
            for row in try Row.fetchAll(
                database, sql: "SELECT id, agent, name FROM host WHERE id >= ? ORDER BY id",
                arguments: [next.hosts.count])
            {
                guard let agent = Identifier(bytes: row.bytes("agent")),
                    next.number(of: Host(name: row.text("name"), agent: agent)) == UInt32(clamping: row.number("id"))
                else { throw ProfileStoreError.damaged(path: path, what: "host \(row.number("id"))") }
            }
            for row in try Row.fetchAll(
                database, sql: "SELECT * FROM series WHERE id >= ? ORDER BY id", arguments: [next.series.count])
            {
                guard let labels = decodeLabels(row.bytes("labels")) else {
                    throw ProfileStoreError.damaged(path: path, what: "labels of series \(row.number("id"))")
                }
                let key = SeriesKey(
                    service: row.text("service"), version: row.text("version"), labels: labels,
                    type: ProfileType(name: row.text("type"), unit: row.text("unit")))
                guard next.number(of: key) == UInt32(clamping: row.number("id")) else {
                    throw ProfileStoreError.damaged(path: path, what: "series \(row.number("id"))")
                }
            }
        }
        self = next
    }

    /// A measure of the memory taken.
    var entries: Int { table.nodes.count + table.frames.count + table.strings.count + hosts.count + series.count }
}

/// Keeps the dictionaries of the files that were used last, up to a bound on their entries.
final class DictionaryCache: Sendable {
    private struct State {
        var dictionaries: [PartitionName: PartitionDictionary] = [:]
        /// The one used last stands last.
        var order: [PartitionName] = []
    }

    private let state = Mutex(State())
    private let maximumEntries: Int

    /// About 40 bytes an entry.
    init(maximumEntries: Int) {
        self.maximumEntries = maximumEntries
    }

    /// The file's dictionary as of now. Whoever takes it owns it: nothing is copied when it grows.
    func take(_ partition: Partition) throws(ProfileStoreError) -> PartitionDictionary {
        var dictionary =
            state.withLock { state in
                state.order.removeAll { $0 == partition.name }
                return state.dictionaries.removeValue(forKey: partition.name)
            } ?? PartitionDictionary()
        try dictionary.catchUp(partition)
        return dictionary
    }

    /// Keeps what is written down in the file; what is not must not come here.
    func put(_ dictionary: PartitionDictionary, for partition: Partition) {
        guard !partition.isRetired else { return }
        state.withLock { state in
            state.order.removeAll { $0 == partition.name }
            if let other = state.dictionaries[partition.name], other.segment > dictionary.segment {
                state.order.append(partition.name)
                return
            }
            state.dictionaries[partition.name] = dictionary
            state.order.append(partition.name)
            var entries = state.dictionaries.values.reduce(0) { $0 + $1.entries }
            while entries > maximumEntries, let oldest = state.order.first {
                state.order.removeFirst()
                entries -= state.dictionaries.removeValue(forKey: oldest)?.entries ?? 0
            }
        }
    }

    func remove(_ name: PartitionName) {
        state.withLock { state in
            state.order.removeAll { $0 == name }
            state.dictionaries[name] = nil
        }
    }
}
