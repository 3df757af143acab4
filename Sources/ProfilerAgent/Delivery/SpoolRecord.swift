// One batch in a segment of the spool: a header with a checksum of its own, then the batch's compressed body with
// another. Little-endian: magic 8, bodyBytes u32, bodyChecksum u32 (CRC-32C), agent 16, epoch 16, sequence u64,
// digest 16, window start and end i64, samples u64, expandedBytes u64, batchedThrough u64; of the ledger taken,
// lateRecords, missedTicks, throttledTicks and 16 words by DropReason.index, each u64; headerChecksum u32 over all of it.
//
// Reading back trusts nothing: whatever is damaged, the search goes on at the next magic whose header checks out.

import ByteCoding
package import Profiles
import WireProtocol

package struct SpoolRecord: Hashable, Sendable {
    package var name: BatchName
    var window: TimeRange
    var samples: UInt64
    var expandedBytes: UInt64
    /// Samples in all batches of the epoch up to this one.
    var batchedThrough: UInt64
    /// The epoch's account as the batch carries it.
    var ledger: Ledger
    var bodyBytes: Int
    var bodyChecksum: UInt32

    init(_ batch: Batch, batchedThrough: UInt64, ledger: Ledger) {
        name = batch.name
        window = batch.window
        samples = batch.samples
        expandedBytes = batch.expandedBytes
        self.batchedThrough = batchedThrough
        self.ledger = ledger
        bodyBytes = batch.body.count
        bodyChecksum = CRC32C.checksum(batch.body)
    }

    var key: SpoolKey { SpoolKey(epoch: name.epoch, sequence: name.sequence) }
    package var totalBytes: Int { Self.headerBytes + bodyBytes }

    /// A byte above 127 first, so that text never looks like it; the digit is the format's version.
    package static let magic: [UInt8] = [0x89, 0x50, 0x46, 0x53, 0x50, 0x31, 0x0D, 0x0A]
    static let dropWords = 16
    package static let headerBytes = 8 + 8 + 16 + 16 + 8 + 16 + 16 + 24 + 8 * (4 + dropWords) + 4
    /// The longest body that is believed: what one message of the wire may hold.
    static let maximumBodyBytes = WireLimits.messageBytes
    /// Far beyond what an epoch reaches, so that the next number is always one.
    static let maximumSequence: UInt64 = 1 << 62

    /// The header as it is written.
    package var header: [UInt8] {
        var writer = ByteWriter(reserving: Self.headerBytes)
        writer.write(Self.magic)
        writer.write(UInt32(bodyBytes))
        writer.write(bodyChecksum)
        writer.write(name.agent.bytes)
        writer.write(name.epoch.bytes)
        writer.write(name.sequence)
        writer.write(name.digest.bytes)
        writer.write(UInt64(bitPattern: window.start.nanoseconds))
        writer.write(UInt64(bitPattern: window.end.nanoseconds))
        writer.write(samples)
        writer.write(expandedBytes)
        writer.write(batchedThrough)
        writer.write(ledger)
        writer.write(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }

    /// Reads a header; nil where the bytes are not an undamaged one.
    init?(header bytes: [UInt8]) {
        guard bytes.count == Self.headerBytes, bytes.starts(with: Self.magic) else { return nil }
        var reader = unsafe ByteReader(bytes.span.bytes)
        do {
            try reader.skip(Self.magic.count)
            let length = try reader.readUInt32()
            bodyChecksum = try reader.readUInt32()
            let agent = try reader.readIdentifier()
            let epoch = try reader.readIdentifier()
            let sequence = try reader.readUInt64()
            name = BatchName(agent: agent, epoch: epoch, sequence: sequence, digest: try reader.readIdentifier())
            let start = Timestamp(nanoseconds: Int64(bitPattern: try reader.readUInt64()))
            window = TimeRange(start: start, end: Timestamp(nanoseconds: Int64(bitPattern: try reader.readUInt64())))
            samples = try reader.readUInt64()
            expandedBytes = try reader.readUInt64()
            batchedThrough = try reader.readUInt64()
            ledger = try reader.readLedger()
            guard try reader.readUInt32() == CRC32C.checksum(Array(bytes.dropLast(4))),
                length <= Self.maximumBodyBytes, sequence > 0, sequence <= Self.maximumSequence,
                samples <= batchedThrough
            else { return nil }
            bodyBytes = Int(length)
        } catch {
            return nil
        }
    }

    func batch(body: [UInt8]) -> Batch {
        Batch(name: name, window: window, samples: samples, expandedBytes: expandedBytes, body: body)
    }
}

/// Which batch of this agent.
struct SpoolKey: Hashable, Sendable {
    var epoch: Identifier
    var sequence: UInt64
}

/// What a segment's bytes hold.
package struct SpoolScan: Sendable {
    /// Undamaged records and where they begin.
    package var whole: [(offset: Int, record: SpoolRecord)] = []
    /// Headers that are sound before a body that isn't.
    package var withoutBody: [SpoolRecord] = []
    /// Headers that are sound before a body that the file ends in: a kill cuts a write at the end of a page.
    package var cutShort: [SpoolRecord] = []
    /// Bytes that belong to no undamaged record.
    package var damagedBytes = 0

    package init(_ bytes: [UInt8]) {
        var offset = 0
        while offset < bytes.count {
            let found = Self.nextMagic(in: bytes, from: offset)
            damagedBytes += found - offset
            offset = found
            guard offset < bytes.count else { return }
            let bodyStart = offset + SpoolRecord.headerBytes
            guard bodyStart <= bytes.count, let record = SpoolRecord(header: Array(bytes[offset..<bodyStart])) else {
                damagedBytes += 1
                offset += 1
                continue
            }
            let end = bodyStart + record.bodyBytes
            if end <= bytes.count, CRC32C.checksum(Array(bytes[bodyStart..<end])) == record.bodyChecksum {
                whole.append((offset, record))
                offset = end
            } else {
                // The length may be right, but a torn body is followed by the next record sooner than it says.
                if end > bytes.count { cutShort.append(record) } else { withoutBody.append(record) }
                damagedBytes += SpoolRecord.headerBytes
                offset = bodyStart
            }
        }
    }

    private static func nextMagic(in bytes: [UInt8], from start: Int) -> Int {
        var offset = start
        while offset < bytes.count {
            if bytes[offset] == SpoolRecord.magic[0], bytes[offset...].starts(with: SpoolRecord.magic) { return offset }
            offset += 1
        }
        return bytes.count
    }
}

extension ByteWriter {
    mutating func write(_ ledger: Ledger) {
        write(ledger.taken)
        write(ledger.lateRecords)
        write(ledger.missedTicks)
        write(ledger.throttledTicks)
        var words = [UInt64](repeating: 0, count: SpoolRecord.dropWords)
        for (reason, count) in ledger.dropped { words[reason.index] = count }
        for word in words { write(word) }
    }
}

extension ByteReader {
    @_lifetime(self: copy self)
    mutating func readIdentifier() throws(ByteCodingError) -> Identifier {
        let bytes = try readBytes(16)
        guard let identifier = Identifier(bytes: bytes) else {
            throw .truncated(offset: offset, needed: 16, available: bytes.count)
        }
        return identifier
    }

    @_lifetime(self: copy self)
    mutating func readLedger() throws(ByteCodingError) -> Ledger {
        var ledger = Ledger()
        ledger.taken = try readUInt64()
        ledger.lateRecords = try readUInt64()
        ledger.missedTicks = try readUInt64()
        ledger.throttledTicks = try readUInt64()
        var words: [UInt64] = []
        for _ in 0..<SpoolRecord.dropWords { words.append(try readUInt64()) }
        for reason in DropReason.allCases where words[reason.index] > 0 {
            ledger.dropped[reason] = words[reason.index]
        }
        return ledger
    }
}
