// What lies where in the spool, and the account of every epoch in it. No I/O: `Spool` does what is decided here.

package import Profiles

struct SpoolEntry: Hashable, Sendable {
    var key: SpoolKey
    var samples: UInt64
    var offset: Int
    var bytes: Int
    /// The connection that it was last sent on; 0 for never. Once sent and unanswered, it may be stored already.
    var sentOn: UInt64 = 0
}

struct SpoolSegment: Hashable, Sendable {
    var number: UInt64
    /// Length of the file.
    var bytes: Int
    /// Records without a fate yet, in the order of the file.
    var entries: [SpoolEntry] = []
    /// Of all whole records in the file, those with a fate included.
    var epochs: Set<Identifier> = []
}

/// What has become of a batch.
enum BatchFate: Hashable, Sendable {
    case delivered
    case dropped(DropReason)
}

package struct SpoolIndex: Sendable {
    /// Oldest first; the last one is written to while `isLastOpen`.
    private(set) var segments: [SpoolSegment] = []
    private(set) var isLastOpen = false
    package private(set) var epochs: [Identifier: SpooledEpoch] = [:]
    /// Batches without a fate and their samples, by epoch.
    private var pending: [Identifier: Pending] = [:]
    private var nextNumber: UInt64 = 1

    private struct Pending: Hashable, Sendable {
        var batches = 0
        var samples: UInt64 = 0
    }

    /// While recovering: for each epoch the samples batched before the first record that was found.
    private var firstBatched: [Identifier: UInt64] = [:]
    let limitBytes: Int
    /// A sixteenth of the limit: what goes at once when the spool is full. Not above 4 MiB, which is what a restart
    /// may read for nothing, nor below 64 KiB, a few batches.
    let segmentBytes: Int

    package init(limitBytes: Int) {
        self.limitBytes = limitBytes
        segmentBytes = min(4 << 20, max(64 << 10, limitBytes / 16))
    }

    var totalBytes: Int { segments.reduce(0) { $0 + $1.bytes } }
    var batchCount: Int { pending.values.reduce(0) { $0 + $1.batches } }
    var pendingSamples: UInt64 { pending.values.reduce(0) { $0 &+ $1.samples } }
    var state: SpoolState {
        var state = SpoolState()
        state.epochs = epochs.values.sorted { $0.account.epoch < $1.account.epoch }
        return state
    }

    func pendingSamples(of epoch: Identifier) -> UInt64 { pending[epoch]?.samples ?? 0 }

    // MARK: Writing

    mutating func begin(_ account: EpochAccount) {
        epochs[account.epoch] = SpooledEpoch(account: account)
    }

    /// The segment for a record of so many bytes and whether it is new.
    mutating func segment(for bytes: Int) -> (number: UInt64, offset: Int, isNew: Bool) {
        if isLastOpen, let last = segments.last, last.bytes == 0 || last.bytes + bytes <= segmentBytes {
            return (last.number, last.bytes, false)
        }
        segments.append(SpoolSegment(number: nextNumber, bytes: 0))
        nextNumber += 1
        isLastOpen = true
        return (nextNumber - 1, 0, true)
    }

    /// After a failed write: nothing more goes into the last segment, and so many bytes of it stay on the disk.
    mutating func closeLastSegment(bytes: Int) {
        isLastOpen = false
        if !segments.isEmpty { segments[segments.count - 1].bytes = bytes }
    }

    mutating func appended(_ record: SpoolRecord) {
        guard var last = segments.popLast() else { return }
        enter(record, at: last.bytes, in: &last)
        last.bytes += record.totalBytes
        segments.append(last)
        learn(record)
    }

    private mutating func enter(_ record: SpoolRecord, at offset: Int, in segment: inout SpoolSegment) {
        segment.entries.append(
            SpoolEntry(key: record.key, samples: record.samples, offset: offset, bytes: record.totalBytes))
        segment.epochs.insert(record.name.epoch)
        pending[record.name.epoch, default: Pending()].batches += 1
        pending[record.name.epoch, default: Pending()].samples &+= record.samples
    }

    /// - Parameters:
    ///   - isWhole: whether the batch, and with it the account that it carries, is there.
    ///   - batched: samples in the batches that the record proves to have been written; nil for its own included.
    private mutating func learn(_ record: SpoolRecord, isWhole: Bool = true, batched: UInt64? = nil) {
        var epoch =
            epochs[record.name.epoch]
            ?? SpooledEpoch(account: EpochAccount(agent: record.name.agent, epoch: record.name.epoch))
        epoch.account.batched = max(epoch.account.batched, batched ?? record.batchedThrough)
        epoch.account.lastSequence = max(epoch.account.lastSequence, record.name.sequence)
        epoch.account.ledger = epoch.account.ledger.merged(with: record.ledger)
        if isWhole, record.name.sequence >= epoch.toldSequence {
            epoch.told = record.ledger
            epoch.toldSequence = record.name.sequence
        }
        if record.samples > 0 { epoch.lastWindowEnd = max(epoch.lastWindowEnd ?? record.window.end, record.window.end) }
        epochs[record.name.epoch] = epoch
    }

    // MARK: Making room

    /// Gives up the oldest segments until `bytes` more fit; their numbers, for the files to be deleted.
    ///
    /// A segment with a batch that has been sent and not answered goes last: such a batch may be stored, and counting
    /// it as dropped would count it twice.
    mutating func makeRoom(for bytes: Int) -> [UInt64] {
        var gone: [UInt64] = []
        while totalBytes + bytes > limitBytes, let number = giveUpOldest() { gone.append(number) }
        return gone
    }

    /// Drops one segment, counted `spoolFull`; nil where there is none.
    package mutating func giveUpOldest() -> UInt64? {
        guard !segments.isEmpty else { return nil }
        let index = segments.firstIndex { !$0.entries.contains { $0.sentOn != 0 } } ?? 0
        let segment = segments[index]
        for entry in segment.entries { close(entry, as: .dropped(.spoolFull)) }
        segments.remove(at: index)
        if index == segments.count { isLastOpen = false }
        trimSettled(Set(segment.entries.map(\.key.epoch)))
        return segment.number
    }

    // MARK: Ends

    /// Notes the fate of batches; true where anything changed. Unknown keys are ignored: they have their fate already.
    mutating func settle(_ keys: some Sequence<SpoolKey>, as fate: BatchFate) -> Bool {
        var wanted = Set(keys)
        var touched: Set<Identifier> = []
        for index in segments.indices where !wanted.isEmpty {
            guard segments[index].entries.contains(where: { wanted.contains($0.key) }) else { continue }
            let found = segments[index].entries.filter { wanted.contains($0.key) }
            segments[index].entries.removeAll { wanted.contains($0.key) }
            for entry in found {
                wanted.remove(entry.key)
                close(entry, as: fate)
                touched.insert(entry.key.epoch)
            }
        }
        trimSettled(touched)
        return !touched.isEmpty
    }

    /// Segments without a pending record, other than the one that is written: their files can go.
    mutating func takeEmptySegments() -> [UInt64] {
        let open = isLastOpen ? segments.last?.number : nil
        let empty = segments.filter { $0.entries.isEmpty && $0.number != open }.map(\.number)
        segments.removeAll { $0.entries.isEmpty && $0.number != open }
        return empty
    }

    private mutating func close(_ entry: SpoolEntry, as fate: BatchFate) {
        pending[entry.key.epoch]?.batches -= 1
        pending[entry.key.epoch]?.samples &-= entry.samples
        if pending[entry.key.epoch]?.batches == 0 { pending[entry.key.epoch] = nil }
        guard var epoch = epochs[entry.key.epoch] else { return }
        epoch.settledSamples &+= entry.samples
        epoch.settledBeyond.insert(entry.key.sequence)
        if case .dropped(let reason) = fate {
            if entry.samples > 0 { epoch.account.ledger.dropped[reason, default: 0] &+= entry.samples }
            // The account itself is lost with the batch that told it; a refused one would be refused again.
            if reason != .refused, entry.key.sequence == epoch.toldSequence { epoch.told = nil }
        }
        epochs[entry.key.epoch] = epoch
    }

    /// Everything below an epoch's first pending record is settled, so numbers need be kept only above it.
    ///
    /// An epoch's records lie in the order of their numbers, so the search ends at the first of each: near the front
    /// for those that are being delivered, however long the spool is.
    private mutating func trimSettled(_ touched: Set<Identifier>) {
        var first: [Identifier: UInt64] = [:]
        let sought = touched.filter { pending[$0] != nil }.count
        search: for segment in segments {
            for entry in segment.entries {
                if first.count == sought { break search }
                let epoch = entry.key.epoch
                if first[epoch] == nil, touched.contains(epoch) { first[epoch] = entry.key.sequence }
            }
        }
        for id in touched {
            guard var epoch = epochs[id] else { continue }
            epoch.settledThrough = max(
                epoch.settledThrough, first[id].map { $0 - 1 } ?? epoch.account.lastSequence)
            epoch.settledBeyond.removeThrough(epoch.settledThrough)
            epochs[id] = epoch
        }
    }

    /// Closed epochs whose batches and account have all been delivered need no memory once no file holds a record of
    /// theirs; true where one is forgotten.
    @discardableResult
    mutating func forgetFinishedEpochs() -> Bool {
        let before = epochs.count
        let onDisk = segments.reduce(into: Set<Identifier>()) { $0.formUnion($1.epochs) }
        epochs = epochs.filter { !$0.value.isClosed || onDisk.contains($0.key) || $0.value.needsTelling }
        return epochs.count < before
    }

    // MARK: Sending

    /// The oldest records not yet sent on this connection, marked as sent on it.
    mutating func takeUnsent(on connection: UInt64, limit: Int) -> [(segment: UInt64, entry: SpoolEntry)] {
        var taken: [(segment: UInt64, entry: SpoolEntry)] = []
        for index in segments.indices where taken.count < limit {
            for place in segments[index].entries.indices where segments[index].entries[place].sentOn != connection {
                guard taken.count < limit else { break }
                segments[index].entries[place].sentOn = connection
                taken.append((segments[index].number, segments[index].entries[place]))
            }
        }
        return taken
    }

    func hasUnsent(on connection: UInt64) -> Bool {
        segments.contains { $0.entries.contains { $0.sentOn != connection } }
    }

    // MARK: After a restart

    /// Takes what a segment was found to hold, before `finishRecovery`. Records of other agents are left out; their
    /// number and samples are returned.
    package mutating func recovered(
        _ scan: SpoolScan, segment number: UInt64, fileBytes: Int, agent: Identifier, state: SpoolState
    ) -> (foreignBatches: Int, foreignSamples: UInt64) {
        let known = Dictionary(state.epochs.map { ($0.account.epoch, $0) }) { first, _ in first }
        var segment = SpoolSegment(number: number, bytes: fileBytes)
        var foreign = (foreignBatches: 0, foreignSamples: UInt64(0))
        for (offset, record) in scan.whole {
            guard record.name.agent == agent else {
                foreign.foreignBatches += 1
                foreign.foreignSamples &+= record.samples
                continue
            }
            learn(record)
            segment.epochs.insert(record.name.epoch)
            let before = record.batchedThrough - record.samples
            firstBatched[record.name.epoch] = min(firstBatched[record.name.epoch] ?? before, before)
            if known[record.name.epoch]?.isSettled(record.name.sequence) ?? false { continue }
            enter(record, at: offset, in: &segment)
        }
        for record in scan.withoutBody where record.name.agent == agent {
            // The batch is lost, but not its number nor how many samples it held.
            learn(record, isWhole: false)
        }
        for record in scan.cutShort where record.name.agent == agent {
            // The writer died, or failed, before the batch was there: only what it says of the time before counts,
            // unless the ledger's file or the state knows the batch as written. Its own samples are `killed`.
            learn(record, isWhole: false, batched: record.batchedThrough - record.samples)
        }
        segments.append(segment)
        nextNumber = max(nextNumber, number + 1)
        return foreign
    }

    /// Closes every epoch that the spool, its state or the ledger's file knows of: what was batched and is neither
    /// settled nor there is `spoolDamaged`, what was taken and never batched is `killed`.
    package mutating func finishRecovery(state: SpoolState, account: EpochAccount?, agent: Identifier) {
        let known = Dictionary(
            state.epochs.filter { $0.account.agent == agent }.map { ($0.account.epoch, $0) }
        ) { first, _ in first }
        var found = epochs
        for (id, epoch) in known where found[id] == nil { found[id] = epoch }
        // The state knows every epoch that isn't finished, from its first moment: a ledger's file of another one is
        // left over from before, and its account has been delivered.
        if let account, account.agent == agent, found[account.epoch] == nil, state.epochs.isEmpty {
            found[account.epoch] = SpooledEpoch(account: account)
        }
        for (id, var epoch) in found {
            let before = known[id]
            let ledgerFile = account?.epoch == id ? account : nil
            for other in [before?.account, ledgerFile].compactMap(\.self) {
                epoch.account.ledger = epoch.account.ledger.merged(with: other.ledger)
                epoch.account.batched = max(epoch.account.batched, other.batched)
                epoch.account.lastSequence = max(epoch.account.lastSequence, other.lastSequence)
            }
            if let before {
                epoch.settledThrough = before.settledThrough
                epoch.settledBeyond = before.settledBeyond
                epoch.lastWindowEnd = [epoch.lastWindowEnd, before.lastWindowEnd].compactMap(\.self).max()
                if before.toldSequence > epoch.toldSequence {
                    epoch.told = before.told
                    epoch.toldSequence = before.toldSequence
                }
            }
            let entries = segments.flatMap { $0.entries.filter { $0.key.epoch == id } }
            // Without the state, what came before the first record that is still there counts as delivered.
            epoch.settledSamples = before?.settledSamples ?? firstBatched[id] ?? epoch.account.batched
            let accounted = epoch.settledSamples &+ pendingSamples(of: id)
            if epoch.account.batched > accounted {
                epoch.account.ledger.dropped[.spoolDamaged, default: 0] &+= epoch.account.batched - accounted
                epoch.settledSamples &+= epoch.account.batched - accounted
            }
            let unbatched = epoch.account.unbatched
            if unbatched > 0 { epoch.account.ledger.dropped[.killed, default: 0] &+= unbatched }
            let isToldThere = entries.contains { $0.key.sequence == epoch.toldSequence }
            if !isToldThere, !(before?.isSettled(epoch.toldSequence) ?? false) { epoch.told = nil }
            epoch.isClosed = true
            found[id] = epoch
        }
        epochs = found
        trimSettled(Set(found.keys))
        // An epoch that never took a sample has nothing to tell.
        epochs = epochs.filter { $0.value.account.ledger != Ledger() || $0.value.account.lastSequence > 0 }
        firstBatched = [:]
    }
}
