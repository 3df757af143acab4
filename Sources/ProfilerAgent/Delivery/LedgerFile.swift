// The epoch's counters as words of a small mapped file, so that a kill -9 loses none of them.
//
// The file is one page, written in full before it is mapped: a store into a hole on a full disk would be a SIGBUS in
// the sampling thread. Layout (little-endian): magic 8, version u32, CRC-32C u32 of magic, version, agent and epoch,
// agent 16, epoch 16, zeros up to 64; then u64 words: taken, lateRecords, missedTicks, throttledTicks, batched,
// lastSequence, two spare, and from word 8 one per DropReason.index.

import ByteCoding
import CLinux
import Glibc
public import Profiles

/// What a ledger's file says about an epoch.
public struct EpochAccount: Hashable, Sendable {
    public var agent: Identifier
    public var epoch: Identifier
    public var ledger: Ledger
    /// Samples in batches that were written to the spool.
    public var batched: UInt64
    /// The sequence number of the newest batch; 0 before the first.
    public var lastSequence: UInt64

    public init(
        agent: Identifier, epoch: Identifier, ledger: Ledger = Ledger(), batched: UInt64 = 0, lastSequence: UInt64 = 0
    ) {
        self.agent = agent
        self.epoch = epoch
        self.ledger = ledger
        self.batched = batched
        self.lastSequence = lastSequence
    }

    /// Taken, but neither in a batch nor dropped before there was one: the open window.
    public var unbatched: UInt64 {
        let settled = batched &+ DropReason.allCases.filter(\.isBeforeBatching).reduce(0) { $0 &+ ledger.count(of: $1) }
        return ledger.taken > settled ? ledger.taken - settled : 0
    }
}

extension DropReason {
    /// Whether such samples never reached a batch in the spool.
    var isBeforeBatching: Bool {
        switch self {
        case .ringFull, .malformed, .tableFull, .spoolFailed, .killed: true
        case .spoolFull, .spoolDamaged, .refused: false
        }
    }
}

extension Ledger {
    func count(of reason: DropReason) -> UInt64 { dropped[reason, default: 0] }

    /// The greater of each counter: they only grow, so of two accounts of one epoch the greater is the newer.
    func merged(with other: Ledger) -> Ledger {
        var merged = self
        merged.taken = max(taken, other.taken)
        merged.lateRecords = max(lateRecords, other.lateRecords)
        merged.missedTicks = max(missedTicks, other.missedTicks)
        merged.throttledTicks = max(throttledTicks, other.throttledTicks)
        merged.dropped.merge(other.dropped) { max($0, $1) }
        return merged
    }
}

/// The live counters of this epoch. Adding is wait-free and allocates nothing: the sampling thread may do it per sample.
///
/// The sampling thread adds what it takes and what is lost before a batch exists (`ringFull`, `malformed`,
/// `tableFull`); the other reasons are the delivery's own.
@safe public final class LedgerFile: Sendable {
    public let agent: Identifier
    public let epoch: Identifier
    /// Where the file lies, for messages.
    public let path: String
    // Unsafe to the compiler alone: every access is an atomic of the C shim, and the mapping lives as long as this object.
    private nonisolated(unsafe) let words: UnsafeMutablePointer<UInt64>

    enum Word: Int {
        case taken, lateRecords, missedTicks, throttledTicks, batched, lastSequence
    }

    static let bytes = 4096
    private static let wordsOffset = 64
    private static let firstDropWord = 8
    private static let magic = Array("PFLEDGER".utf8)
    private static let version: UInt32 = 1

    /// Puts a new file with zeroed counters in the place of the epoch before's.
    init(creating name: String, in directory: PrivateDirectory, agent: Identifier, epoch: Identifier)
        throws(DeliveryError)
    {
        self.agent = agent
        self.epoch = epoch
        path = directory.path(of: name)
        let beside = name + ".new"
        guard let file = try directory.open(beside, O_RDWR | O_CREAT | O_TRUNC) else {
            throw .system(operation: "create", path: directory.path(of: beside), code: ENOENT)
        }
        defer { close(file) }
        let code = posix_fallocate(file, 0, off_t(Self.bytes))
        guard code == 0 else { throw .system(operation: "reserve space for", path: path, code: code) }
        var page = Self.header(agent: agent, epoch: epoch)
        page += [UInt8](repeating: 0, count: Self.bytes - page.count)
        try directory.writeBytes(page, to: file, name: beside, at: 0)
        guard
            let mapping = unsafe mmap(
                nil, Self.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | Int32(MAP_POPULATE), file, 0),
            unsafe mapping != MAP_FAILED
        else { throw .system(operation: "map", path: path, code: errno) }
        unsafe words = (mapping + Self.wordsOffset).assumingMemoryBound(to: UInt64.self)
        do {
            try directory.rename(beside, to: name)
        } catch {
            unsafe munmap(mapping, Self.bytes)
            throw error
        }
    }

    deinit { unsafe munmap(UnsafeMutableRawPointer(words) - Self.wordsOffset, Self.bytes) }

    public func addTaken(_ count: UInt64 = 1) { add(count, to: .taken) }
    public func addLateRecords(_ count: UInt64 = 1) { add(count, to: .lateRecords) }
    public func addMissedTicks(_ count: UInt64) { add(count, to: .missedTicks) }
    public func addThrottledTicks(_ count: UInt64) { add(count, to: .throttledTicks) }
    /// Such samples are taken, too: add them there first, so that a kill in between counts them as `killed`.
    public func addDropped(_ count: UInt64 = 1, _ reason: DropReason) {
        unsafe ledger_add(words + Self.firstDropWord + reason.index, count)
    }

    /// The counters as they are now.
    public func snapshot() -> Ledger { account.ledger }

    public var account: EpochAccount {
        EpochAccount(
            agent: agent, epoch: epoch, ledger: Self.ledger { unsafe ledger_load(words + $0) },
            batched: unsafe ledger_load(words + Word.batched.rawValue),
            lastSequence: unsafe ledger_load(words + Word.lastSequence.rawValue))
    }

    /// Counters only grow: a lower value changes nothing.
    func raise(_ word: Word, to value: UInt64) { unsafe ledger_raise(words + word.rawValue, value) }
    func raiseDropped(_ reason: DropReason, to value: UInt64) {
        unsafe ledger_raise(words + Self.firstDropWord + reason.index, value)
    }

    private func add(_ count: UInt64, to word: Word) { unsafe ledger_add(words + word.rawValue, count) }

    // MARK: Reading what an epoch before left

    /// The account in a ledger's file; nil where the bytes are not one (too short, other version, bad checksum).
    package static func account(in page: [UInt8]) -> EpochAccount? {
        guard page.count >= bytes else { return nil }
        guard let agent = Identifier(bytes: page[16..<32]), let epoch = Identifier(bytes: page[32..<48]),
            Array(page[..<48]) == Array(header(agent: agent, epoch: epoch)[..<48])
        else { return nil }
        // The words change while it is written, so no checksum guards them; only a number past its bound shows.
        func word(_ index: Int) -> UInt64 {
            let start = wordsOffset + 8 * index
            return page[start..<start + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        guard word(Word.lastSequence.rawValue) <= SpoolRecord.maximumSequence else { return nil }
        return EpochAccount(
            agent: agent, epoch: epoch, ledger: ledger(word), batched: word(Word.batched.rawValue),
            lastSequence: word(Word.lastSequence.rawValue))
    }

    private static func ledger(_ word: (Int) -> UInt64) -> Ledger {
        var ledger = Ledger()
        ledger.taken = word(Word.taken.rawValue)
        ledger.lateRecords = word(Word.lateRecords.rawValue)
        ledger.missedTicks = word(Word.missedTicks.rawValue)
        ledger.throttledTicks = word(Word.throttledTicks.rawValue)
        for reason in DropReason.allCases {
            let count = word(firstDropWord + reason.index)
            if count > 0 { ledger.dropped[reason] = count }
        }
        return ledger
    }

    private static func header(agent: Identifier, epoch: Identifier) -> [UInt8] {
        var checked = ByteWriter()
        checked.write(magic)
        checked.write(version)
        var writer = ByteWriter(reserving: wordsOffset)
        writer.write(checked.bytes)
        checked.write(agent.bytes)
        checked.write(epoch.bytes)
        writer.write(CRC32C.checksum(checked.bytes))
        writer.write(agent.bytes)
        writer.write(epoch.bytes)
        writer.write([UInt8](repeating: 0, count: wordsOffset - 48))
        return writer.bytes
    }
}
