import Profiles
import WireProtocol

/// One start of one agent.
struct EpochKey: Hashable, Sendable {
    var agent: Identifier
    var epoch: Identifier
}

/// What the store knows of one epoch as a whole, whatever files its batches lie in.
struct EpochAccount: Equatable, Sendable {
    var host = ""
    var agentVersion = ""
    var samplesPerSecond = 0.0
    var clockOffsetNanoseconds: Int64 = 0
    /// Samples and batches that were stored, each name once.
    var storedSamples: UInt64 = 0
    var storedBatches: UInt64 = 0
    /// Stored under a name of their own, because another batch had theirs.
    var conflictSamples: UInt64 = 0
    var conflictBatches: UInt64 = 0
    var sequences = SequenceRanges()
    /// The highest sequence stored, and the ledger that it carried.
    var lastSequence: UInt64 = 0
    var ledger = Ledger()
    var firstWindowStart = Int64.max
    var lastWindowEnd = Int64.min
    var lastReceived = Int64.min

    /// The end of the last window in a file with these accounts, as far as it can be believed: where an agent's clock is
    /// ahead, no window ends after the reception of its epoch's last batch.
    static func lastWindowEnd(in accounts: some Sequence<EpochAccount>) -> Int64 {
        accounts.reduce(Int64.min) { max($0, min($1.lastWindowEnd, $1.lastReceived)) }
    }

    /// Adds what another file says of the same epoch: counts add up, the later ledger holds.
    mutating func add(_ other: EpochAccount) {
        storedSamples &+= other.storedSamples
        storedBatches &+= other.storedBatches
        conflictSamples &+= other.conflictSamples
        conflictBatches &+= other.conflictBatches
        sequences.formUnion(other.sequences)
        firstWindowStart = min(firstWindowStart, other.firstWindowStart)
        lastWindowEnd = max(lastWindowEnd, other.lastWindowEnd)
        if other.lastSequence > lastSequence {
            lastSequence = other.lastSequence
            ledger = other.ledger
        }
        if other.lastReceived > lastReceived {
            lastReceived = other.lastReceived
            host = other.host
            agentVersion = other.agentVersion
            samplesPerSecond = other.samplesPerSecond
            clockOffsetNanoseconds = other.clockOffsetNanoseconds
        }
    }

    /// Adds one batch that has become durable, or is about to.
    mutating func add(_ entry: JournalEntry) {
        let batch = entry.checked.batch
        if entry.fork == 0 {
            storedSamples &+= batch.samples
            storedBatches &+= 1
            sequences.insert(batch.name.sequence)
            if batch.name.sequence > lastSequence {
                lastSequence = batch.name.sequence
                ledger = entry.checked.ledger
            }
        } else {
            conflictSamples &+= batch.samples
            conflictBatches &+= 1
        }
        firstWindowStart = min(firstWindowStart, batch.window.start.nanoseconds)
        lastWindowEnd = max(lastWindowEnd, batch.window.end.nanoseconds)
        lastReceived = max(lastReceived, entry.checked.received.nanoseconds)
        host = entry.checked.host.name
        agentVersion = entry.checked.host.agentVersion
        if entry.checked.samplesPerSecond > 0 { samplesPerSecond = entry.checked.samplesPerSecond }
        clockOffsetNanoseconds = entry.checked.clockOffsetNanoseconds
    }

    /// What was dropped between the ledger before and `ledger`, by reason; a ledger that goes back adds nothing.
    func dropsSince(_ ledger: Ledger) -> [DropReason: UInt64] {
        var drops: [DropReason: UInt64] = [:]
        for (reason, count) in ledger.dropped {
            let before = self.ledger.dropped[reason] ?? 0
            if count > before { drops[reason] = count - before }
        }
        return drops
    }
}

/// A batch on its way into one file's journal.
struct JournalEntry: Sendable {
    var checked: CheckedBatch
    /// 0 for the first batch of a name, else the number of the conflicting one.
    var fork: Int64
    /// What this batch's ledger has dropped beyond the one before.
    var drops: [DropReason: UInt64]

    var key: EpochKey { EpochKey(agent: checked.batch.name.agent, epoch: checked.batch.name.epoch) }
}
