import Foundation
import GRDB
import Profiles
import SymbolTables
import WireProtocol

/// `catalog.sqlite`: what does not belong to a day. Symbol tables, goodbyes, and the accounts of epochs as far as their
/// batches lay in files that are gone.
final class Catalog: Sendable {
    let file: DatabaseFile

    static let fileName = "catalog.sqlite"
    private static let schema = """
        CREATE TABLE goodbye(agent BLOB PRIMARY KEY, moment INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE retired(name TEXT PRIMARY KEY, last_window INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE past_epoch(
            agent BLOB NOT NULL, epoch BLOB NOT NULL, host TEXT NOT NULL, version TEXT NOT NULL, rate REAL NOT NULL,
            clock_offset INTEGER NOT NULL, stored_samples INTEGER NOT NULL, stored_batches INTEGER NOT NULL,
            conflict_samples INTEGER NOT NULL, conflict_batches INTEGER NOT NULL, sequences BLOB NOT NULL,
            last_sequence INTEGER NOT NULL, ledger BLOB NOT NULL, first_window INTEGER NOT NULL,
            last_window INTEGER NOT NULL, received INTEGER NOT NULL, PRIMARY KEY(agent, epoch)) WITHOUT ROWID;
        CREATE TABLE symbol_table(
            id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, identity BLOB NOT NULL, quality INTEGER NOT NULL,
            digest BLOB NOT NULL, sender BLOB NOT NULL, moment INTEGER NOT NULL, length INTEGER NOT NULL,
            bytes BLOB, UNIQUE(kind, identity, quality, digest, sender));
        """

    init(directory: String) throws(ProfileStoreError) {
        file = try DatabaseFile(path: directory + "/" + Self.fileName, version: 1, schema: Self.schema)
    }

    func noteGoodbye(_ agent: Identifier, at moment: Timestamp) throws(ProfileStoreError) {
        try file.write("noting a goodbye") { database in
            try database.execute(
                sql: "INSERT OR REPLACE INTO goodbye(agent, moment) VALUES (?, ?)",
                arguments: [Data(agent.bytes), moment.nanoseconds])
        }
    }

    func goodbyes() throws(ProfileStoreError) -> [Identifier: Timestamp] {
        try file.read("reading goodbyes") { database in
            var goodbyes: [Identifier: Timestamp] = [:]
            for row in try Row.fetchAll(database, sql: "SELECT agent, moment FROM goodbye") {
                guard let agent = Identifier(bytes: row.bytes("agent")) else { continue }
                goodbyes[agent] = Timestamp(nanoseconds: row.number("moment"))
            }
            return goodbyes
        }
    }

    /// Takes over the accounts of a file that is about to go. After this commit the file is gone for all purposes, even
    /// if the program dies before it is deleted.
    func retire(_ name: PartitionName, accounts: [EpochKey: EpochAccount]) throws(ProfileStoreError) {
        var past = try pastAccounts()
        for (key, account) in accounts { past[key, default: EpochAccount()].add(account) }
        let merged = past
        let lastWindow = EpochAccount.lastWindowEnd(in: accounts.values)
        try file.write("retiring a file") { database in
            guard
                try
                    !(Bool.fetchOne(
                        database, sql: "SELECT EXISTS (SELECT 1 FROM retired WHERE name = ?)",
                        arguments: [name.fileName])
                    ?? false)
            else { return }
            try database.execute(
                sql: "INSERT INTO retired(name, last_window) VALUES (?, ?)", arguments: [name.fileName, lastWindow])
            for key in accounts.keys {
                guard let account = merged[key] else { continue }
                try database.execute(
                    sql: """
                        INSERT OR REPLACE INTO past_epoch(agent, epoch, host, version, rate, clock_offset,
                            stored_samples, stored_batches, conflict_samples, conflict_batches, sequences,
                            last_sequence, ledger, first_window, last_window, received)
                        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        Data(key.agent.bytes), Data(key.epoch.bytes), account.host, account.agentVersion,
                        account.samplesPerSecond, account.clockOffsetNanoseconds, sqlInteger(account.storedSamples),
                        sqlInteger(account.storedBatches), sqlInteger(account.conflictSamples),
                        sqlInteger(account.conflictBatches), Data(account.sequences.encoded),
                        sqlInteger(account.lastSequence), Data(account.ledger.encoded), account.firstWindowStart,
                        account.lastWindowEnd, account.lastReceived,
                    ])
            }
        }
    }

    /// Names of retired files, and the end of the last window in each (`EpochAccount.lastWindowEnd(in:)`).
    func retired() throws(ProfileStoreError) -> [String: Int64] {
        try file.read("reading retired files") { database in
            var retired: [String: Int64] = [:]
            for row in try Row.fetchAll(database, sql: "SELECT name, last_window FROM retired") {
                retired[row.text("name")] = row.number("last_window")
            }
            return retired
        }
    }

    func pastAccounts() throws(ProfileStoreError) -> [EpochKey: EpochAccount] {
        let path = file.path
        return try file.read("reading past accounts") { database in
            var accounts: [EpochKey: EpochAccount] = [:]
            for row in try Row.fetchAll(database, sql: "SELECT * FROM past_epoch") {
                accounts[try Partition.epochKey(row, path)] = try EpochAccount(row, path: path)
            }
            return accounts
        }
    }
}

// Symbol tables.
extension Catalog {
    func modulesWithoutTable(among identities: [ModuleIdentity]) throws(ProfileStoreError) -> [ModuleIdentity] {
        try file.read("looking for symbol tables") { database in
            let statement = try database.cachedStatement(
                sql: "SELECT EXISTS (SELECT 1 FROM symbol_table WHERE kind = ? AND identity = ?)")
            return try identities.filter { identity in
                guard identity.kind != .name else { return false }
                let arguments: StatementArguments = [Int(identity.kind.rawValue), Data(identity.bytes)]
                return try Bool.fetchOne(statement, arguments: arguments) != true
            }
        }
    }

    func store(
        _ encoded: [UInt8], quality: SymbolQuality, of module: ModuleIdentity, from sender: Identifier,
        at moment: Timestamp
    ) throws(ProfileStoreError) {
        let digest = Batch.digest(of: encoded)
        try file.write("storing a symbol table") { database in
            let best =
                try Int.fetchOne(
                    database,
                    sql: """
                        SELECT max(quality) FROM symbol_table WHERE kind = ? AND identity = ? AND bytes IS NOT NULL
                        """, arguments: [Int(module.kind.rawValue), Data(module.bytes)]) ?? -1
            let isBetter = Int(quality.rawValue) > best
            try database.execute(
                sql: """
                    INSERT OR IGNORE INTO symbol_table(kind, identity, quality, digest, sender, moment, length, bytes)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    Int(module.kind.rawValue), Data(module.bytes), Int(quality.rawValue), Data(digest.bytes),
                    Data(sender.bytes), moment.nanoseconds, encoded.count,
                    // Of equals the first is used; the others are remembered by digest and sender.
                    isBetter ? Data(encoded) : nil,
                ])
            if isBetter {
                try database.execute(
                    sql: "UPDATE symbol_table SET bytes = NULL WHERE kind = ? AND identity = ? AND quality < ?",
                    arguments: [Int(module.kind.rawValue), Data(module.bytes), Int(quality.rawValue)])
            }
        }
    }

    /// The encoded table that is used for a module.
    func encodedTable(of module: ModuleIdentity) throws(ProfileStoreError) -> [UInt8]? {
        try file.read("reading a symbol table") { database in
            try Row.fetchOne(
                database,
                sql: """
                    SELECT bytes FROM symbol_table WHERE kind = ? AND identity = ? AND bytes IS NOT NULL
                    ORDER BY quality DESC, id LIMIT 1
                    """, arguments: [Int(module.kind.rawValue), Data(module.bytes)])?.bytes("bytes")
        }
    }

    /// Forgets every table that one agent has sent. The modules will be asked for again.
    func revokeTables(from sender: Identifier) throws(ProfileStoreError) {
        try file.write("revoking symbol tables") { database in
            try database.execute(sql: "DELETE FROM symbol_table WHERE sender = ?", arguments: [Data(sender.bytes)])
            // A disagreement without the table that it disagreed with would keep the module from being asked for.
            try database.execute(
                sql: """
                    DELETE FROM symbol_table WHERE NOT EXISTS (
                        SELECT 1 FROM symbol_table AS other WHERE other.kind = symbol_table.kind
                        AND other.identity = symbol_table.identity AND other.bytes IS NOT NULL)
                    """)
        }
    }

    func symbolTableFigures() throws(ProfileStoreError) -> (count: Int, bytes: Int) {
        try file.read("counting symbol tables") { database in
            let row = try Row.fetchOne(
                database,
                sql: "SELECT count(*) AS n, sum(length) AS size FROM symbol_table WHERE bytes IS NOT NULL")
            return (Int(row?.number("n") ?? 0), Int(row?.number("size") ?? 0))
        }
    }
}
