// What the spool knows of each epoch whose batches or account are not yet all delivered. Written beside the segments in
// one step (new file, rename), so that a batch's end (delivered, dropped) and its count can't come apart in a kill.

import ByteCoding
import Profiles

package struct SpooledEpoch: Hashable, Sendable {
    package var account: EpochAccount
    /// Samples whose fate is known: delivered, or dropped after they were in a batch. Always
    /// account.batched = settledSamples + the samples pending in the spool.
    var settledSamples: UInt64 = 0
    /// Every batch up to this sequence has its fate …
    var settledThrough: UInt64 = 0
    /// … and these above it.
    var settledBeyond = SequenceRanges()
    /// The account that the newest batch carries.
    var told: Ledger?
    var toldSequence: UInt64 = 0
    /// The end of the last window with samples: where a batch that carries the account alone is placed in time.
    var lastWindowEnd: Timestamp?
    /// False for the epoch that is being written.
    package var isClosed = false

    init(account: EpochAccount) { self.account = account }

    func isSettled(_ sequence: UInt64) -> Bool { sequence <= settledThrough || settledBeyond.contains(sequence) }

    /// Whether the aggregator can't learn the whole account from the batches that there are.
    var needsTelling: Bool { isClosed && told != account.ledger }

    var stored: UInt64 {
        let dropped = DropReason.allCases.filter { !$0.isBeforeBatching }
            .reduce(0) { $0 &+ account.ledger.count(of: $1) }
        return settledSamples > dropped ? settledSamples - dropped : 0
    }
}

package struct SpoolState: Hashable, Sendable {
    package var epochs: [SpooledEpoch] = []

    private static let magic = Array("PFSTATE1".utf8)
    /// Far above what an agent leaves behind that is killed every minute while its aggregator is away.
    private static let maximumEpochs = 100_000
    /// Of one epoch: gaps are made by refusals and damage within what is under way, never by the thousand.
    private static let maximumRanges = 10_000
    static let maximumBytes = 64 << 20

    /// magic, count, epochs, and at the end the CRC-32C of all before.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(Self.magic)
        writer.writeVarint(UInt64(epochs.count))
        for epoch in epochs {
            writer.write(epoch.account.agent.bytes)
            writer.write(epoch.account.epoch.bytes)
            writer.write(epoch.account.ledger)
            writer.writeVarint(epoch.account.batched)
            writer.writeVarint(epoch.account.lastSequence)
            writer.writeVarint(epoch.settledSamples)
            writer.writeVarint(epoch.settledThrough)
            let ranges = epoch.settledBeyond.ranges
            writer.writeVarint(UInt64(ranges.count))
            for range in ranges {
                writer.writeVarint(range.lowerBound)
                writer.writeVarint(range.upperBound)
            }
            writer.write(UInt8(epoch.told == nil ? 0 : 1))
            if let told = epoch.told { writer.write(told) }
            writer.writeVarint(epoch.toldSequence)
            writer.writeSignedVarint(epoch.lastWindowEnd?.nanoseconds ?? 0)
        }
        writer.write(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }

    package init() {}

    /// nil where the bytes are not an undamaged state.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= 12 else { return nil }
        let content = Array(bytes.dropLast(4))
        var reader = unsafe ByteReader(bytes.span.bytes)
        do {
            try reader.seek(to: content.count)
            guard try reader.readUInt32() == CRC32C.checksum(content), content.starts(with: Self.magic) else {
                return nil
            }
            try reader.seek(to: Self.magic.count)
            let count = try reader.readVarint()
            guard count <= UInt64(Self.maximumEpochs) else { return nil }
            for _ in 0..<count {
                var epoch = SpooledEpoch(
                    account: EpochAccount(agent: try reader.readIdentifier(), epoch: try reader.readIdentifier()))
                epoch.account.ledger = try reader.readLedger()
                epoch.account.batched = try reader.readVarint()
                epoch.account.lastSequence = try reader.readVarint()
                epoch.settledSamples = try reader.readVarint()
                epoch.settledThrough = try reader.readVarint()
                let ranges = try reader.readVarint()
                guard ranges <= UInt64(Self.maximumRanges) else { return nil }
                for _ in 0..<ranges {
                    let first = try reader.readVarint()
                    let last = try reader.readVarint()
                    guard first <= last, last <= SpoolRecord.maximumSequence else { return nil }
                    epoch.settledBeyond.insert(first...last)
                }
                if try reader.readUInt8() == 1 { epoch.told = try reader.readLedger() }
                epoch.toldSequence = try reader.readVarint()
                let end = try reader.readSignedVarint()
                epoch.lastWindowEnd = end == 0 ? nil : Timestamp(nanoseconds: end)
                guard
                    max(epoch.account.lastSequence, epoch.settledThrough, epoch.toldSequence)
                        <= SpoolRecord.maximumSequence
                else { return nil }
                epochs.append(epoch)
            }
        } catch {
            return nil
        }
    }
}
