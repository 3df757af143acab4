import ByteCoding
import GRDB
import Profiles
import WireProtocol

/// A batch as it is read back from a journal.
struct JournalRow: Sendable {
    var row: Int64
    var minute: Int64
    var batch: Batch
    var checksum: UInt32
    var weight: UInt64

    /// Of rows that no block covers and that can be read; `journal`, `epoch` and `body` are the names to refer to.
    static let uncovered = """
        SELECT body.row, body.minute, body.expanded, body.checksum, body.bytes, journal.sequence, journal.digest,
            journal.start, journal.length, journal.samples, journal.weight, epoch.agent, epoch.epoch
        FROM body JOIN journal ON journal.row = body.row JOIN epoch ON epoch.id = journal.epoch
        WHERE body.row > coalesce((SELECT max(last_row) FROM coverage WHERE coverage.minute = body.minute), 0)
            AND NOT EXISTS (SELECT 1 FROM damaged WHERE damaged.row = body.row)
        """

    init(_ row: Row, path: String) throws(ProfileStoreError) {
        self.row = row.number("row")
        minute = row.number("minute")
        let key = try Partition.epochKey(row, path)
        guard let digest = Identifier(bytes: row.bytes("digest")) else {
            throw .damaged(path: path, what: "the digest of journal row \(self.row)")
        }
        let start = row.number("start")
        batch = Batch(
            name: BatchName(agent: key.agent, epoch: key.epoch, sequence: row.count("sequence"), digest: digest),
            window: TimeRange(
                start: Timestamp(nanoseconds: start), end: Timestamp(nanoseconds: start &+ row.number("length"))),
            samples: row.count("samples"), expandedBytes: row.count("expanded"), body: row.bytes("bytes"))
        checksum = UInt32(truncatingIfNeeded: row.number("checksum"))
        weight = row.count("weight")
    }

    /// The content, held against checksum and digest.
    func profile() throws -> WindowProfile {
        guard CRC32C.checksum(batch.body) == checksum else { throw SegmentError(detail: "the checksum does not agree") }
        return try batch.windowProfile()
    }
}
