import ByteCoding
import GRDB
import Profiles
import SymbolTables

/// What a reading of the whole store found.
public struct StoreCheckReport: Sendable {
    /// A line for each file: what is in it.
    public var contents: [String] = []
    /// What is wrong; empty where the store is sound.
    public var problems: [String] = []

    public var isSound: Bool { problems.isEmpty }
}

/// Reads everything that a store holds and holds it against its checksums and totals.
public enum StoreCheck {
    /// The store must not be in use.
    public static func run(directory path: String) throws(ProfileStoreError) -> StoreCheckReport {
        let directory = try DataDirectory(path: path, creates: false)
        var report = StoreCheckReport()
        let entries = try directory.entries()
        guard entries.contains(Catalog.fileName) else {
            throw .unusableDirectory(path: path, reason: "there is no store in it (no \(Catalog.fileName))")
        }
        let catalog = try Catalog(directory: path)
        try check(catalog, &report)
        let retired = try catalog.retired()
        for entry in entries where retired[entry] == nil {
            guard let name = PartitionName(fileName: entry) else { continue }
            do throws(ProfileStoreError) {
                try check(try Partition(name: name, directory: path), &report)
            } catch {
                report.problems.append("\(entry): \(error)")
            }
        }
        return report
    }

    private static func check(_ catalog: Catalog, _ report: inout StoreCheckReport) throws(ProfileStoreError) {
        report.problems += try catalog.file.integrityProblems().map { "\(Catalog.fileName): \($0)" }
        let ids = try catalog.file.read("reading symbol tables") { database in
            try Int64.fetchAll(database, sql: "SELECT id FROM symbol_table WHERE bytes IS NOT NULL")
        }
        for id in ids {
            let bytes = try catalog.file.read("reading a symbol table") { database in
                try Row.fetchOne(database, sql: "SELECT bytes FROM symbol_table WHERE id = ?", arguments: [id])?
                    .bytes("bytes")
            }
            do throws(SymbolTableError) {
                _ = try SymbolTable(decoding: bytes ?? [])
            } catch {
                report.problems.append("\(Catalog.fileName): symbol table \(id): \(error)")
            }
        }
        report.contents.append(
            "\(Catalog.fileName): \(ids.count) symbol tables, \(try catalog.pastAccounts().count) past epochs")
    }

    private static func check(_ partition: Partition, _ report: inout StoreCheckReport) throws(ProfileStoreError) {
        let name = partition.name.fileName
        report.problems += try partition.file.integrityProblems().map { "\(name): \($0)" }
        var dictionary = PartitionDictionary()
        do throws(ProfileStoreError) {
            try dictionary.catchUp(partition)
        } catch {
            report.problems.append("\(name): \(error)")
        }
        let totals = try coverageTotals(partition)
        var read: [Int64: Sums] = [:]
        let blockIDs = try partition.file.read("reading blocks") { database in
            try Int64.fetchAll(database, sql: "SELECT id FROM block ORDER BY id")
        }
        for id in blockIDs {
            do {
                let (coverage, sums) = try readBlock(id, partition, dictionary)
                read[coverage, default: Sums()].add(sums)
            } catch {
                report.problems.append("\(name): block \(id): \(error)")
            }
        }
        for (coverage, total) in totals.sorted(by: { $0.key < $1.key }) {
            let sums = read[coverage] ?? Sums()
            if sums != total.blocks {
                report.problems.append(
                    "\(name): the blocks of minute \(total.minute) hold \(sums), \(total.blocks) were covered")
            }
        }
        try checkJournal(partition, totals, &report)
        report.contents.append("\(name): \(try summary(partition)), \(blockIDs.count) blocks")
    }

    private struct Sums: Equatable, CustomStringConvertible {
        var samples: UInt64 = 0
        var weight: UInt64 = 0

        mutating func add(_ other: Sums) {
            samples &+= other.samples
            weight &+= other.weight
        }

        var description: String { "\(samples) samples of weight \(weight)" }
    }

    private static func coverageTotals(
        _ partition: Partition
    ) throws(ProfileStoreError) -> [Int64: (minute: Int64, blocks: Sums)] {
        try partition.file.read("reading coverage") { database in
            var totals: [Int64: (minute: Int64, blocks: Sums)] = [:]
            for row in try Row.fetchAll(database, sql: "SELECT * FROM coverage") {
                totals[row.number("id")] = (
                    row.number("minute"), Sums(samples: row.count("samples"), weight: row.count("weight"))
                )
            }
            return totals
        }
    }

    private static func readBlock(
        _ id: Int64, _ partition: Partition, _ dictionary: PartitionDictionary
    ) throws -> (coverage: Int64, sums: Sums) {
        let row = try partition.file.read("reading a block") { database in
            try Row.fetchOne(database, sql: "SELECT * FROM block WHERE id = ?", arguments: [id])
        }
        guard let row else { throw SegmentError(detail: "is not there") }
        func stored(_ column: String) -> StoredBytes {
            StoredBytes(
                bytes: row.bytes(column), expandedCount: Int(row.number(column + "_expanded")),
                checksum: UInt32(truncatingIfNeeded: row.number(column + "_checksum")))
        }
        let heads = try Block.decodeHeads(try stored("heads").expanded())
        let block = try Block(
            heads: heads, rows: try stored("rows").expanded(), nodeLimit: dictionary.table.nodes.count)
        var sums = Sums()
        var start = 0
        for head in heads {
            let rows = start..<start + head.rows
            start = rows.upperBound
            let samples = block.counts[rows].reduce(0, &+)
            let weight = block.weights[rows].reduce(0, &+)
            guard samples == head.samples, weight == head.weight else {
                throw SegmentError(detail: "a slice's rows add up to \(samples) samples, its head says \(head.samples)")
            }
            guard Int(head.host) < dictionary.hosts.count, Int(head.series) < dictionary.series.count else {
                throw SegmentError(detail: "a slice's host or series is not there")
            }
            sums.add(Sums(samples: samples, weight: weight))
        }
        guard sums == Sums(samples: row.count("samples"), weight: row.count("weight")) else {
            throw SegmentError(detail: "its slices hold \(sums), its row says \(row.count("samples")) samples")
        }
        return (row.number("coverage"), sums)
    }

    /// What was covered must be what the journal says of the covered rows; what is not covered must be readable; the
    /// accounts must be the journal's sums.
    private static func checkJournal(
        _ partition: Partition, _ totals: [Int64: (minute: Int64, blocks: Sums)], _ report: inout StoreCheckReport
    ) throws(ProfileStoreError) {
        let name = partition.name.fileName
        let path = partition.file.path
        var noted: [Int64: Sums] = [:]
        for total in totals.values { noted[total.minute, default: Sums()].add(total.blocks) }
        let covered = try partition.file.read("reading the journal") { database in
            var covered: [Int64: Sums] = [:]
            let rows = try Row.fetchCursor(
                database,
                sql: """
                    SELECT journal.minute, journal.samples, journal.weight FROM journal JOIN
                        (SELECT minute, max(last_row) AS last FROM coverage GROUP BY minute) AS c
                        ON c.minute = journal.minute AND journal.row <= c.last
                    WHERE NOT EXISTS (SELECT 1 FROM damaged WHERE damaged.row = journal.row)
                    """)
            while let row = try rows.next() {
                covered[row.number("minute"), default: Sums()].add(
                    Sums(samples: row.count("samples"), weight: row.count("weight")))
            }
            return covered
        }
        for minute in Set(noted.keys).union(covered.keys).sorted() where noted[minute] != covered[minute] {
            let (one, other) = (noted[minute] ?? Sums(), covered[minute] ?? Sums())
            // A minute whose every batch was damaged is noted with nothing.
            guard one != other else { continue }
            report.problems.append("\(name): minute \(minute): coverage says \(one), the journal \(other)")
        }
        let rows = try partition.file.read("reading the journal") { database in
            try Row.fetchAll(database, sql: JournalRow.uncovered).map { try JournalRow($0, path: path) }
        }
        for row in rows {
            do { _ = try row.profile() } catch { report.problems.append("\(name): journal row \(row.row): \(error)") }
        }
        let (lost, damaged, wrong) = try partition.file.read("reading the journal") { database in
            (
                try Int.fetchOne(
                    database,
                    sql: """
                        SELECT count(*) FROM journal
                        WHERE row > coalesce((SELECT max(last_row) FROM coverage AS c WHERE c.minute = journal.minute), 0)
                            AND NOT EXISTS (SELECT 1 FROM body WHERE body.row = journal.row)
                        """) ?? 0,
                try Row.fetchAll(database, sql: "SELECT row, detail FROM damaged").map {
                    "journal row \($0.number("row")): \($0.text("detail"))"
                },
                try Row.fetchAll(
                    database,
                    sql: """
                        SELECT epoch.host AS host FROM epoch LEFT JOIN journal ON journal.epoch = epoch.id AND fork = 0
                        GROUP BY epoch.id HAVING coalesce(sum(samples), 0) <> stored_samples
                            OR count(journal.row) <> stored_batches
                        """
                ).map { "the account of host \($0.text("host")) is not the sum of its batches" }
            )
        }
        if lost > 0 { report.problems.append("\(name): \(lost) batches have neither body nor block") }
        report.problems += (damaged + wrong).map { "\(name): \($0)" }
    }

    private static func summary(_ partition: Partition) throws(ProfileStoreError) -> String {
        try partition.file.read("counting") { database in
            let row = try Row.fetchOne(
                database,
                sql: """
                    SELECT count(*) AS batches, sum(samples) AS samples,
                        (SELECT count(*) FROM epoch) AS epochs, (SELECT count(*) FROM body) AS bodies,
                        (SELECT count(*) FROM journal WHERE fork > 0) AS conflicts FROM journal
                    """)
            guard let row else { return "nothing" }
            return """
                \(row.number("batches")) batches (\(row.number("bodies")) not compacted, \
                \(row.number("conflicts")) conflicts), \(row.count("samples")) samples, \(row.number("epochs")) epochs
                """
        }
    }
}
