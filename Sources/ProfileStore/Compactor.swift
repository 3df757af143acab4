import ByteCoding
import Foundation
import GRDB
import Profiles
import WireProtocol

/// The points between which a compaction may be killed without a total changing; tests stop it after each.
package enum CompactionStep: String, CaseIterable, Sendable {
    case bodiesRead, batchesMerged, dictionaryWritten, blocksWritten, coverageWritten, committed, bodiesDropped
}

/// What a compaction has done.
public struct CompactionReport: Equatable, Sendable {
    public var batches = 0
    public var blocks = 0
    /// Bodies that could not be read any more: kept, listed, counted.
    public var damagedBatches = 0
    /// Nodes of the largest dictionary that was written.
    var nodes = 0
}

/// Turns closed minutes of one file's journal into per-service blocks.
///
/// Blocks, their part of the dictionary and the journal rows that they cover are one commit. Until it, the rows belong
/// to the tail that queries read; from it on, the blocks hold them. Dropping the bodies of covered rows comes after and
/// can be done again at any time.
struct Compactor {
    let partition: Partition
    let dictionaries: DictionaryCache
    /// Batches of one commit: bounds its memory and how long ingest waits for it.
    var batchesPerCommit = 1024
    /// A minute that is still open is compacted when so many of its batches wait, so that the tail stays short.
    var longTail = 4096
    var afterStep: (CompactionStep) throws -> Void = { _ in }

    /// - Parameter minute: the first minute that is still open.
    func compact(before minute: Int64) throws(ProfileStoreError) -> CompactionReport {
        try dropCoveredBodies()
        var report = CompactionReport()
        while true {
            let found = try partition.file.read("looking for closed minutes") { database in
                try Int64.fetchOne(
                    database,
                    sql: """
                        SELECT minute FROM (\(JournalRow.uncovered)) GROUP BY minute
                        HAVING minute < ? OR count(*) >= ? ORDER BY minute LIMIT 1
                        """, arguments: [minute, longTail])
            }
            guard let found else { return report }
            try compactStep(found, &report)
        }
    }

    private func compactStep(_ minute: Int64, _ report: inout CompactionReport) throws(ProfileStoreError) {
        let path = partition.file.path
        let rows = try partition.file.read("reading batches") { database in
            try Row.fetchAll(
                database, sql: "\(JournalRow.uncovered) AND body.minute = ? ORDER BY body.row LIMIT ?",
                arguments: [minute, batchesPerCommit]
            ).map { try JournalRow($0, path: path) }
        }
        guard let last = rows.last else { return }
        try step(.bodiesRead)

        // Not put back unless the commit succeeds: what is in memory must be what is on disk.
        var dictionary = try dictionaries.take(partition)
        var builder = BlockBuilder()
        var damaged: [(row: Int64, detail: String)] = []
        var covered = CoveredTotals()
        for row in rows {
            do {
                let profile = try row.profile()
                builder.add(profile, agent: row.batch.name.agent, &dictionary)
                covered.batches += 1
                covered.samples &+= row.batch.samples
                covered.weight &+= row.weight
                covered.windows.insert(row.batch.window)
            } catch {
                damaged.append((row.row, String(describing: error)))
            }
        }
        try step(.batchesMerged)
        let blocks = builder.blocks(dictionary)
        let nodeCount = dictionary.table.nodes.count
        let written = try partition.file.write("writing blocks") { database in
            let written = try writeDictionary(database, dictionary)
            try afterStep(.dictionaryWritten)
            try database.execute(
                sql: """
                    INSERT INTO coverage(minute, last_row, batches, samples, weight, windows)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    minute, last.row, covered.batches, sqlInteger(covered.samples), sqlInteger(covered.weight),
                    Data(encodeWindows(covered.windows)),
                ])
            try write(database, blocks, coverage: database.lastInsertedRowID, minute: minute, nodes: nodeCount)
            try afterStep(.blocksWritten)
            for one in damaged {
                try database.execute(
                    sql: "INSERT OR REPLACE INTO damaged(row, detail) VALUES (?, ?)", arguments: [one.row, one.detail])
            }
            try afterStep(.coverageWritten)
            return written
        }
        dictionaries.put(written, for: partition)
        try step(.committed)
        try dropCoveredBodies()
        try step(.bodiesDropped)
        report.batches += covered.batches
        report.blocks += blocks.count
        report.nodes = max(report.nodes, nodeCount)
        report.damagedBatches += damaged.count
    }

    private struct CoveredTotals {
        var batches = 0
        var samples: UInt64 = 0
        var weight: UInt64 = 0
        var windows: Set<TimeRange> = []
    }

    /// Writes what the file lacks; the answer is the dictionary as it stands on disk after the commit.
    private func writeDictionary(
        _ database: Database, _ dictionary: PartitionDictionary
    ) throws -> PartitionDictionary {
        var written = dictionary
        let extent = TableExtent(dictionary.table)
        if extent != dictionary.writtenExtent {
            let stored = try StoredBytes(
                compressing: DictionarySegment.encode(dictionary.table, after: dictionary.writtenExtent))
            written.segment += 1
            written.writtenExtent = extent
            try database.execute(
                sql: "INSERT INTO dictionary(segment, nodes, expanded, checksum, bytes) VALUES (?, ?, ?, ?, ?)",
                arguments: [
                    written.segment, extent.nodes, stored.expandedCount, Int64(stored.checksum), Data(stored.bytes),
                ])
        }
        let hostCount = try Int.fetchOne(database, sql: "SELECT count(*) FROM host") ?? 0
        for (number, host) in dictionary.hosts.enumerated().dropFirst(hostCount) {
            try database.execute(
                sql: "INSERT INTO host(id, agent, name) VALUES (?, ?, ?)",
                arguments: [number, Data(host.agent.bytes), host.name])
        }
        let seriesCount = try Int.fetchOne(database, sql: "SELECT count(*) FROM series") ?? 0
        for (number, key) in dictionary.series.enumerated().dropFirst(seriesCount) {
            try database.execute(
                sql: "INSERT INTO series(id, service, version, labels, type, unit) VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [
                    number, key.service, key.version, Data(encodeLabels(key.labels)), key.type.name, key.type.unit,
                ])
        }
        return written
    }

    private func write(
        _ database: Database, _ blocks: [(service: String, block: Block)], coverage: Int64, minute: Int64, nodes: Int
    ) throws {
        for (service, block) in blocks {
            let heads = try StoredBytes(compressing: block.encodedHeads)
            let rows = try StoredBytes(compressing: block.encodedRows)
            try database.execute(
                sql: """
                    INSERT INTO block(coverage, minute, service, slices, samples, weight, nodes, heads_expanded,
                        heads_checksum, heads, rows_expanded, rows_checksum, rows)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    coverage, minute, service, block.heads.count,
                    sqlInteger(block.heads.reduce(0) { $0 &+ $1.samples }),
                    sqlInteger(block.heads.reduce(0) { $0 &+ $1.weight }), nodes, heads.expandedCount,
                    Int64(heads.checksum), Data(heads.bytes), rows.expandedCount, Int64(rows.checksum),
                    Data(rows.bytes),
                ])
        }
    }

    /// Bodies that blocks cover; there may be some from before a kill.
    private func dropCoveredBodies() throws(ProfileStoreError) {
        let covered = """
            row <= coalesce((SELECT max(last_row) FROM coverage WHERE coverage.minute = body.minute), 0)
            AND NOT EXISTS (SELECT 1 FROM damaged WHERE damaged.row = body.row)
            """
        let exist = try partition.file.read("looking for covered batches") { database in
            try Bool.fetchOne(database, sql: "SELECT EXISTS (SELECT 1 FROM body WHERE \(covered))") ?? false
        }
        guard exist else { return }
        try partition.file.write("dropping covered batches") { database in
            try database.execute(sql: "DELETE FROM body WHERE \(covered)")
        }
    }

    private func step(_ step: CompactionStep) throws(ProfileStoreError) {
        do {
            try afterStep(step)
        } catch {
            throw .failed(path: partition.file.path, operation: "compacting", reason: String(describing: error))
        }
    }
}

/// Collects the slices of one commit by service, in the file's own numbers.
struct BlockBuilder {
    private var slices: [String: [(head: SliceHead, stacks: StackCounts)]] = [:]

    mutating func add(_ profile: WindowProfile, agent: Identifier, _ dictionary: inout PartitionDictionary) {
        let nodes = dictionary.table.merge(profile.stacks)
        let host = dictionary.number(of: Profiles.Host(name: profile.host.name, agent: agent))
        for series in profile.series {
            let head = SliceHead(
                host: host, series: dictionary.number(of: series.key), window: profile.window,
                samplesPerSecond: series.samplesPerSecond, quality: series.quality, rows: series.stacks.nodes.count,
                samples: series.stacks.sampleCount, weight: series.stacks.totalWeight)
            slices[series.key.service, default: []].append(
                (head, series.stacks.translated { nodes[Int($0)] }))
        }
    }

    /// Ordered by service, and within a block by series, host and window.
    func blocks(_ dictionary: PartitionDictionary) -> [(service: String, block: Block)] {
        slices.sorted { $0.key < $1.key }.map { service, slices in
            let ordered = slices.sorted {
                ($0.head.series, $0.head.host, $0.head.window.start)
                    < ($1.head.series, $1.head.host, $1.head.window.start)
            }
            var block = Block()
            for (head, stacks) in ordered { block.append(head, stacks) }
            return (service, block)
        }
    }
}

extension StackCounts {
    /// The same rows under other numbers of their nodes, ascending again. Numbers must stay distinct.
    func translated(_ number: (UInt32) -> UInt32) -> StackCounts {
        let translated = nodes.map(number)
        let order = translated.indices.sorted { translated[$0] < translated[$1] }
        return StackCounts(
            nodes: order.map { translated[$0] }, counts: order.map { counts[$0] }, weights: order.map { weights[$0] })
    }
}
