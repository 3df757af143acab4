// The spool's files: append-only segments of checksummed records, and the state beside them. `SpoolIndex` decides, this
// reads and writes.

import ByteCoding
import Glibc
import Profiles
import WireProtocol

final class Spool {
    /// What a restart found.
    struct Recovery: Sendable {
        var damagedBytes = 0
        var foreignBatches = 0
        var foreignSamples: UInt64 = 0
        var isStateDamaged = false
    }

    private(set) var index: SpoolIndex
    let recovery: Recovery
    let directory: PrivateDirectory
    private let synchronisation: SpoolSynchronisation
    private var openSegment: (number: UInt64, file: Int32)?

    static let stateName = "state"
    /// A segment is at most this long in an honest spool: one record of the largest size.
    static let maximumSegmentBytes = SpoolRecord.headerBytes + SpoolRecord.maximumBodyBytes

    /// Reads what earlier epochs left and closes their accounts.
    ///
    /// - Parameter account: what the ledger's file of the epoch before says.
    init(
        in directory: PrivateDirectory, agent: Identifier, account: EpochAccount?, limitBytes: Int,
        synchronisation: SpoolSynchronisation
    ) throws(DeliveryError) {
        self.directory = directory
        self.synchronisation = synchronisation
        var index = SpoolIndex(limitBytes: limitBytes)
        var recovery = Recovery()
        var state = SpoolState()
        if let bytes = try directory.read(Self.stateName, limit: SpoolState.maximumBytes) {
            if let found = SpoolState(bytes) { state = found } else { recovery.isStateDamaged = true }
        }
        for (number, name) in try Self.segments(in: directory) {
            guard let bytes = try directory.read(name, limit: Self.maximumSegmentBytes) else { continue }
            let scan = SpoolScan(bytes)
            recovery.damagedBytes += scan.damagedBytes
            let foreign = index.recovered(scan, segment: number, fileBytes: bytes.count, agent: agent, state: state)
            recovery.foreignBatches += foreign.foreignBatches
            recovery.foreignSamples &+= foreign.foreignSamples
        }
        index.finishRecovery(state: state, account: account, agent: agent)
        self.index = index
        self.recovery = recovery
    }

    deinit { closeSegment() }

    /// The segments of a spool by number, oldest first.
    static func segments(in directory: PrivateDirectory) throws(DeliveryError) -> [(number: UInt64, name: String)] {
        try directory.names().compactMap { name in
            guard name.hasSuffix(".segment"), let number = UInt64(name.dropLast(8), radix: 16),
                name == segmentName(number), number <= SpoolRecord.maximumSequence
            else { return nil }
            return (number, name)
        }
    }

    private static func segmentName(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits + ".segment"
    }

    // MARK: Writing

    func begin(_ account: EpochAccount) { index.begin(account) }

    /// Writes a batch. The oldest batches go, counted `spoolFull`, where the limit or the disk has no room for it.
    func append(_ batch: Batch, ledger: Ledger) throws(DeliveryError) {
        let before = index.epochs[batch.name.epoch]?.account.batched ?? 0
        let record = SpoolRecord(batch, batchedThrough: before &+ batch.samples, ledger: ledger)
        guard record.bodyBytes <= SpoolRecord.maximumBodyBytes, record.totalBytes <= index.limitBytes else {
            throw .recordTooLarge(
                bytes: record.totalBytes, limit: min(index.limitBytes, SpoolRecord.maximumBodyBytes))
        }
        let oldest = index.makeRoom(for: record.totalBytes)
        if !oldest.isEmpty { try delete(oldest) }
        while true {
            do {
                try write(record, body: batch.body)
                return
            } catch {
                guard error.code == ENOSPC || error.code == EDQUOT, let oldest = index.giveUpOldest() else {
                    throw error
                }
                try delete([oldest])
            }
        }
    }

    private func write(_ record: SpoolRecord, body: [UInt8]) throws(DeliveryError) {
        let place = index.segment(for: record.totalBytes)
        let name = Self.segmentName(place.number)
        var written = place.offset
        do {
            let file = try segmentFile(place.number, isNew: place.isNew)
            written = place.offset + record.totalBytes
            try directory.writeBytes(record.header + body, to: file, name: name, at: place.offset)
            if synchronisation == .everyWindow { try directory.synchronise(file, name: name) }
        } catch {
            // What has been written must not be found by a restart: it is going to be counted as dropped.
            if let file = openSegment?.file, ftruncate(file, off_t(place.offset)) == 0 { written = place.offset }
            closeSegment()
            index.closeLastSegment(bytes: written)
            throw error
        }
        index.appended(record)
    }

    private func segmentFile(_ number: UInt64, isNew: Bool) throws(DeliveryError) -> Int32 {
        if let openSegment, openSegment.number == number, !isNew { return openSegment.file }
        closeSegment()
        let name = Self.segmentName(number)
        guard let file = try directory.open(name, O_WRONLY | O_CREAT | (isNew ? O_EXCL : 0)) else {
            throw .system(operation: "create", path: directory.path(of: name), code: ENOENT)
        }
        openSegment = (number, file)
        if isNew, synchronisation == .everyWindow { try directory.synchroniseEntries() }
        return file
    }

    private func closeSegment() {
        if let openSegment { close(openSegment.file) }
        openSegment = nil
    }

    // MARK: Ends

    /// Notes the fate of batches; the state goes to disk before the files go.
    func settle(_ keys: some Sequence<SpoolKey>, as fate: BatchFate) throws(DeliveryError) {
        guard index.settle(keys, as: fate) else { return }
        try delete(index.takeEmptySegments())
    }

    /// Every batch of the epoch up to the sequence is stored: the aggregator says so when it greets.
    func settle(_ epoch: Identifier, through sequence: UInt64) throws(DeliveryError) {
        let keys = index.segments.flatMap {
            $0.entries.map(\.key).filter { $0.epoch == epoch && $0.sequence <= sequence }
        }
        try settle(keys, as: .delivered)
    }

    /// Writes the state, then deletes segments, among them those without any pending record.
    ///
    /// A finished epoch is forgotten only after that: without it, a kill in between, or a segment that stays for other
    /// records, would have its delivered batches listed as pending and sent again.
    func delete(_ segments: [UInt64]) throws(DeliveryError) {
        let segments = segments + index.takeEmptySegments()
        do {
            // What is deleted must not be missed by an older state after a power failure.
            try writeState(synchronised: synchronisation == .everyWindow && !segments.isEmpty)
        } catch {
            // A full disk has no room for the state either, until the segments are gone.
            guard error.code == ENOSPC || error.code == EDQUOT, !segments.isEmpty else { throw error }
            try remove(segments)
            index.forgetFinishedEpochs()
            return try writeState()
        }
        try remove(segments)
        if index.forgetFinishedEpochs() { try writeState() }
    }

    private func remove(_ segments: [UInt64]) throws(DeliveryError) {
        for number in segments {
            if openSegment?.number == number { closeSegment() }
            try directory.remove(Self.segmentName(number))
        }
    }

    /// Mostly not forced to disk: after a power failure an older state only has batches sent again.
    func writeState(synchronised: Bool = false) throws(DeliveryError) {
        try directory.replace(Self.stateName, with: index.state.encoded(), synchronised: synchronised)
    }

    // MARK: Sending

    /// The oldest batches not yet sent on this connection. One that can no longer be read back is settled as damaged.
    func takeUnsent(on connection: UInt64, limit: Int) throws(DeliveryError) -> [Batch] {
        var batches: [Batch] = []
        var damaged: [SpoolKey] = []
        for (segment, entry) in index.takeUnsent(on: connection, limit: limit) {
            if let batch = try read(entry, segment: segment) {
                batches.append(batch)
            } else {
                damaged.append(entry.key)
            }
        }
        if !damaged.isEmpty { try settle(damaged, as: .dropped(.spoolDamaged)) }
        return batches
    }

    private func read(_ entry: SpoolEntry, segment: UInt64) throws(DeliveryError) -> Batch? {
        let name = Self.segmentName(segment)
        guard let file = try directory.open(name, O_RDONLY) else { return nil }
        defer { close(file) }
        let bytes = try directory.readBytes(of: file, name: name, at: entry.offset, count: entry.bytes)
        guard bytes.count == entry.bytes,
            let record = SpoolRecord(header: Array(bytes.prefix(SpoolRecord.headerBytes))), record.key == entry.key,
            record.totalBytes == entry.bytes
        else { return nil }
        let body = Array(bytes[SpoolRecord.headerBytes...])
        return CRC32C.checksum(body) == record.bodyChecksum ? record.batch(body: body) : nil
    }
}
