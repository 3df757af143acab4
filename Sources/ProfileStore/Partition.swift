import ByteCoding
import Foundation
import GRDB
import Profiles
import Synchronization
import WireProtocol

/// One file of the store: the journal of a UTC day or a part of one, the blocks made from it, and their dictionary.
///
/// Tables: `epoch` (the account of each agent's start, as of its last commit here), `journal` (the name of every
/// batch), `body` (contents that no block covers yet), `damaged` (bodies that can't be read any more), `dictionary`, `host` and `series` (what blocks refer to),
/// `coverage` (which rows of a minute's journal the blocks hold) and `block`.
final class Partition: Sendable {
    let name: PartitionName
    let file: DatabaseFile
    private let state = Mutex(State())

    private struct State {
        var epochIDs: [EpochKey: Int64] = [:]
        var isRetired = false
        var isFull = false
    }

    static let schemaVersion = 1
    private static let schema = """
        CREATE TABLE epoch(
            id INTEGER PRIMARY KEY, agent BLOB NOT NULL, epoch BLOB NOT NULL, host TEXT NOT NULL,
            version TEXT NOT NULL, rate REAL NOT NULL, clock_offset INTEGER NOT NULL,
            stored_samples INTEGER NOT NULL, stored_batches INTEGER NOT NULL,
            conflict_samples INTEGER NOT NULL, conflict_batches INTEGER NOT NULL,
            sequences BLOB NOT NULL, last_sequence INTEGER NOT NULL, ledger BLOB NOT NULL,
            first_window INTEGER NOT NULL, last_window INTEGER NOT NULL, received INTEGER NOT NULL,
            UNIQUE(agent, epoch));
        CREATE TABLE journal(
            row INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, fork INTEGER NOT NULL,
            digest BLOB NOT NULL, minute INTEGER NOT NULL, start INTEGER NOT NULL, length INTEGER NOT NULL,
            samples INTEGER NOT NULL, weight INTEGER NOT NULL, dropped BLOB,
            UNIQUE(epoch, sequence, fork));
        CREATE INDEX journal_dropped ON journal(start) WHERE dropped IS NOT NULL;
        CREATE INDEX journal_empty ON journal(start) WHERE samples = 0;
        CREATE TABLE body(
            row INTEGER PRIMARY KEY, minute INTEGER NOT NULL, expanded INTEGER NOT NULL, checksum INTEGER NOT NULL,
            bytes BLOB NOT NULL);
        CREATE INDEX body_minute ON body(minute, row);
        CREATE TABLE damaged(row INTEGER PRIMARY KEY, detail TEXT NOT NULL);
        CREATE TABLE dictionary(
            segment INTEGER PRIMARY KEY, nodes INTEGER NOT NULL, expanded INTEGER NOT NULL,
            checksum INTEGER NOT NULL, bytes BLOB NOT NULL);
        CREATE TABLE host(id INTEGER PRIMARY KEY, agent BLOB NOT NULL, name TEXT NOT NULL);
        CREATE TABLE series(
            id INTEGER PRIMARY KEY, service TEXT NOT NULL, version TEXT NOT NULL, labels BLOB NOT NULL,
            type TEXT NOT NULL, unit TEXT NOT NULL);
        CREATE TABLE coverage(
            id INTEGER PRIMARY KEY, minute INTEGER NOT NULL, last_row INTEGER NOT NULL, batches INTEGER NOT NULL,
            samples INTEGER NOT NULL, weight INTEGER NOT NULL, windows BLOB NOT NULL);
        CREATE INDEX coverage_minute ON coverage(minute);
        CREATE TABLE block(
            id INTEGER PRIMARY KEY, coverage INTEGER NOT NULL, minute INTEGER NOT NULL, service TEXT NOT NULL,
            slices INTEGER NOT NULL, samples INTEGER NOT NULL, weight INTEGER NOT NULL, nodes INTEGER NOT NULL,
            heads_expanded INTEGER NOT NULL, heads_checksum INTEGER NOT NULL, heads BLOB NOT NULL,
            rows_expanded INTEGER NOT NULL, rows_checksum INTEGER NOT NULL, rows BLOB NOT NULL);
        CREATE INDEX block_minute ON block(minute, service);
        """

    init(name: PartitionName, directory: String) throws(ProfileStoreError) {
        self.name = name
        file = try DatabaseFile(
            path: directory + "/" + name.fileName, version: Self.schemaVersion, schema: Self.schema)
        let ids = try file.read("reading accounts") { database in
            try Row.fetchAll(database, sql: "SELECT id, agent, epoch FROM epoch")
        }
        let path = file.path
        for row in ids {
            let key = try Self.epochKey(row, path)
            state.withLock { $0.epochIDs[key] = row.number("id") }
        }
    }

    /// Set when retention has taken the file away: what still reads it may find nothing more.
    var isRetired: Bool { state.withLock { $0.isRetired } }
    func retire() { state.withLock { $0.isRetired = true } }

    /// Set when the file is large enough: batches of its day go to a further one.
    var isFull: Bool { state.withLock { $0.isFull } }
    func close(toFurtherBatches full: Bool) { state.withLock { $0.isFull = full } }

    /// Puts batches into the journal in one commit, and with it the account of each of their epochs.
    ///
    /// The sequences and the ledger in `accounts` are the epoch's own, over all files; the counts become this file's.
    func append(
        _ entries: [JournalEntry], accounts: [EpochKey: EpochAccount]
    ) throws(ProfileStoreError) {
        var shares: [EpochKey: EpochAccount] = [:]
        for entry in entries { shares[entry.key, default: EpochAccount()].add(entry) }
        var ids = state.withLock { $0.epochIDs }
        var nextID = Int64(ids.count) + 1
        for key in shares.keys where ids[key] == nil {
            ids[key] = nextID
            nextID += 1
        }
        let all = ids
        try file.write("storing batches") { database in
            try Self.upsertEpochs(database, shares, accounts, all)
            let journal = try database.cachedStatement(
                sql: """
                    INSERT INTO journal(epoch, sequence, fork, digest, minute, start, length, samples, weight, dropped)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """)
            let body = try database.cachedStatement(
                sql: "INSERT INTO body(row, minute, expanded, checksum, bytes) VALUES (?, ?, ?, ?, ?)")
            for entry in entries {
                let batch = entry.checked.batch
                let start = batch.window.start.nanoseconds
                let minute = Self.minute(of: start)
                try journal.execute(arguments: [
                    all[entry.key], sqlInteger(batch.name.sequence), entry.fork, Data(batch.name.digest.bytes), minute,
                    start, batch.window.end.nanoseconds - start, sqlInteger(batch.samples),
                    sqlInteger(entry.checked.weight), entry.drops.isEmpty ? nil : Data(encodeDrops(entry.drops)),
                ])
                try body.execute(arguments: [
                    database.lastInsertedRowID, minute, sqlInteger(batch.expandedBytes),
                    Int64(CRC32C.checksum(batch.body)), Data(batch.body),
                ])
            }
        }
        state.withLock { $0.epochIDs = all }
    }

    private static func upsertEpochs(
        _ database: Database, _ shares: [EpochKey: EpochAccount], _ accounts: [EpochKey: EpochAccount],
        _ ids: [EpochKey: Int64]
    ) throws {
        let statement = try database.cachedStatement(
            sql: """
                INSERT INTO epoch(id, agent, epoch, host, version, rate, clock_offset, stored_samples, stored_batches,
                    conflict_samples, conflict_batches, sequences, last_sequence, ledger, first_window, last_window,
                    received)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT(id) DO UPDATE SET
                    host = excluded.host, version = excluded.version, rate = excluded.rate,
                    clock_offset = excluded.clock_offset,
                    stored_samples = stored_samples + excluded.stored_samples,
                    stored_batches = stored_batches + excluded.stored_batches,
                    conflict_samples = conflict_samples + excluded.conflict_samples,
                    conflict_batches = conflict_batches + excluded.conflict_batches,
                    sequences = excluded.sequences, last_sequence = excluded.last_sequence, ledger = excluded.ledger,
                    first_window = min(first_window, excluded.first_window),
                    last_window = max(last_window, excluded.last_window), received = excluded.received
                """)
        for (key, share) in shares {
            guard let account = accounts[key], let id = ids[key] else { continue }
            try statement.execute(arguments: [
                id, Data(key.agent.bytes), Data(key.epoch.bytes), account.host, account.agentVersion,
                account.samplesPerSecond, account.clockOffsetNanoseconds, sqlInteger(share.storedSamples),
                sqlInteger(share.storedBatches), sqlInteger(share.conflictSamples), sqlInteger(share.conflictBatches),
                Data(account.sequences.encoded), sqlInteger(account.lastSequence), Data(account.ledger.encoded),
                share.firstWindowStart, share.lastWindowEnd, account.lastReceived,
            ])
        }
    }

    /// The account of every epoch with batches here.
    func accounts() throws(ProfileStoreError) -> [EpochKey: EpochAccount] {
        let path = file.path
        return try file.read("reading accounts") { database in
            var accounts: [EpochKey: EpochAccount] = [:]
            for row in try Row.fetchAll(database, sql: "SELECT * FROM epoch") {
                accounts[try Self.epochKey(row, path)] = try EpochAccount(row, path: path)
            }
            return accounts
        }
    }

    /// The digests of the batches stored here under a name, in the order of their forks.
    func digests(_ key: EpochKey, sequence: UInt64) throws(ProfileStoreError) -> [Identifier] {
        guard let id = state.withLock({ $0.epochIDs[key] }) else { return [] }
        return try file.read("looking up a batch") { database in
            try Row.fetchAll(
                database, sql: "SELECT digest FROM journal WHERE epoch = ? AND sequence = ? ORDER BY fork",
                arguments: [id, sqlInteger(sequence)]
            ).compactMap { Identifier(bytes: $0.bytes("digest")) }
        }
    }

    /// The minute since 1970 that a window belongs to.
    static func minute(of nanoseconds: Int64) -> Int64 {
        let minute: Int64 = 60_000_000_000
        return nanoseconds >= 0 ? nanoseconds / minute : (nanoseconds + 1) / minute - 1
    }

    static func epochKey(_ row: Row, _ path: String) throws(ProfileStoreError) -> EpochKey {
        guard let agent = Identifier(bytes: row.bytes("agent")), let epoch = Identifier(bytes: row.bytes("epoch"))
        else { throw .damaged(path: path, what: "an agent's or epoch's ID has not 16 bytes") }
        return EpochKey(agent: agent, epoch: epoch)
    }
}

extension EpochAccount {
    /// From a row of `epoch` or of the catalogue's `past_epoch`, which have the same columns.
    init(_ row: Row, path: String) throws(ProfileStoreError) {
        self.init()
        host = row.text("host")
        agentVersion = row.text("version")
        samplesPerSecond = row["rate"] as Double? ?? 0
        clockOffsetNanoseconds = row.number("clock_offset")
        storedSamples = row.count("stored_samples")
        storedBatches = row.count("stored_batches")
        conflictSamples = row.count("conflict_samples")
        conflictBatches = row.count("conflict_batches")
        lastSequence = row.count("last_sequence")
        firstWindowStart = row.number("first_window")
        lastWindowEnd = row.number("last_window")
        lastReceived = row.number("received")
        do {
            sequences = try SequenceRanges(decoding: row.bytes("sequences"))
            ledger = try Ledger(decoding: row.bytes("ledger"))
        } catch {
            throw .damaged(path: path, what: "the account of an epoch of host \(host): \(error)")
        }
    }
}
