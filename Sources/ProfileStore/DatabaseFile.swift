import Foundation
import GRDB

/// One SQLite file of the store, in WAL mode with `synchronous=FULL`: a commit that has returned survives a power cut.
///
/// Readers work on snapshots and never wait for the writer, nor it for them.
final class DatabaseFile: Sendable {
    let path: String
    private let pool: DatabasePool

    /// Bodies are a few KiB each: pages of 8 KiB pack them better than SQLite's 4 KiB.
    private static let pageBytes = 8192

    /// Opens the file, makes it where it isn't there, and brings a new one to `version` by `schema`.
    init(path: String, version: Int, schema: String) throws(ProfileStoreError) {
        self.path = path
        var configuration = Configuration()
        configuration.maximumReaderCount = 4
        configuration.busyMode = .timeout(10)
        configuration.foreignKeysEnabled = false
        configuration.prepareDatabase { database in
            guard !database.configuration.readonly else { return }
            // Has an effect only before the first page is written.
            try database.execute(sql: "PRAGMA page_size = \(Self.pageBytes)")
        }
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
            let found = try pool.writeWithoutTransaction { database in
                // The pool sets NORMAL when it turns WAL on, which may lose the last commits in a power cut.
                try database.execute(sql: "PRAGMA synchronous = FULL")
                // 1 MiB: the log counts against the size that retention allows.
                try database.execute(sql: "PRAGMA wal_autocheckpoint = 128")
                let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
                if found == 0 {
                    try database.inTransaction {
                        try database.execute(sql: schema)
                        try database.execute(sql: "PRAGMA user_version = \(version)")
                        return .commit
                    }
                    return version
                }
                return found
            }
            guard found <= version else {
                throw ProfileStoreError.newerFormat(path: path, version: found, known: version)
            }
        } catch let error as ProfileStoreError {
            throw error
        } catch {
            throw Self.failure(error, path: path, operation: "opening")
        }
    }

    /// Runs `body` in a transaction of the one writer and returns after its commit is on disk.
    func write<Result>(_ operation: String, _ body: (Database) throws -> Result) throws(ProfileStoreError) -> Result {
        try translated(operation) { try pool.write(body) }
    }

    /// Runs `body` on a snapshot.
    func read<Result>(_ operation: String, _ body: (Database) throws -> Result) throws(ProfileStoreError) -> Result {
        try translated(operation) { try pool.read(body) }
    }

    /// Bytes of the file itself, after all that is committed is checkpointed.
    func size() throws(ProfileStoreError) -> Int {
        try read("measuring") { database in
            (try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0) * Self.pageBytes
        }
    }

    /// Bytes within the file that hold nothing now and will be used again.
    func freeBytes() throws(ProfileStoreError) -> Int {
        try read("measuring") { database in
            (try Int.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0) * Self.pageBytes
        }
    }

    /// Moves what the log holds into the file and empties the log, as far as no reader still needs it.
    func truncateLog() {
        // Nothing is lost where it does not succeed: the log stays, and the next call tries again.
        _ = try? pool.writeWithoutTransaction { try $0.checkpoint(.truncate) }
    }

    /// What SQLite itself finds wrong with the file; empty where nothing is.
    func integrityProblems() throws(ProfileStoreError) -> [String] {
        let lines = try read("checking") { database in
            try String.fetchAll(database, sql: "PRAGMA integrity_check")
        }
        return lines == ["ok"] ? [] : lines
    }

    func close() {
        // What still reads keeps its connection and ends by itself; the descriptor goes with the last of them.
        try? pool.close()
    }

    private func translated<Result>(
        _ operation: String, _ body: () throws -> Result
    ) throws(ProfileStoreError) -> Result {
        do {
            return try body()
        } catch let error as ProfileStoreError {
            throw error
        } catch let error as StoppedByTest {
            throw .failed(path: path, operation: operation, reason: "stopped at \(error.step)")
        } catch {
            throw Self.failure(error, path: path, operation: operation)
        }
    }

    /// Tells a file that is no sound database from everything else that may go wrong with it.
    private static func failure(_ error: any Error, path: String, operation: String) -> ProfileStoreError {
        guard let error = error as? DatabaseError,
            error.resultCode == .SQLITE_NOTADB || error.resultCode == .SQLITE_CORRUPT
        else { return .failed(path: path, operation: operation, reason: String(describing: error)) }
        let message = error.message ?? "no message"
        return .damaged(
            path: path,
            what:
                "\(operation) failed with SQLite's error \(error.resultCode.rawValue), \(message); to go on without what"
                + " is in the file, move it and its -wal and -shm elsewhere")
    }
}

/// Thrown by a test's hook in place of the kill of the process; rolls back the transaction that is open.
package struct StoppedByTest: Error {
    package var step: String

    package init(step: String) {
        self.step = step
    }
}

extension Row {
    func bytes(_ column: String) -> [UInt8] {
        guard let data = self[column] as Data? else { return [] }
        return [UInt8](data)
    }

    func number(_ column: String) -> Int64 { self[column] as Int64? ?? 0 }
    /// SQLite's integers are signed; what is counted here uses their bits.
    func count(_ column: String) -> UInt64 { UInt64(bitPattern: number(column)) }
    func text(_ column: String) -> String { self[column] as String? ?? "" }
}

/// A column's value for a count.
func sqlInteger(_ value: UInt64) -> Int64 { Int64(bitPattern: value) }
