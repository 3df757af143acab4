public import Profiles

/// The agent's first message.
public struct Hello: Hashable, Sendable {
    public var versions: [UInt32]
    public var agent: Identifier
    public var epoch: Identifier
    public var host: HostFacts
    public var clock: Timestamp

    public init(versions: [UInt32], agent: Identifier, epoch: Identifier, host: HostFacts, clock: Timestamp) {
        self.versions = versions
        self.agent = agent
        self.epoch = epoch
        self.host = host
        self.clock = clock
    }
}

/// The aggregator's answer to `Hello`.
public struct Welcome: Hashable, Sendable {
    public var version: UInt32
    /// Greatest sequence of the greeted epoch that is stored without a gap below it; 0 for none.
    public var lastStoredSequence: UInt64
    /// Batches that may be under way without an answer.
    public var credit: UInt32
    public var maximumMessageBytes: UInt64
    public var maximumExpandedBytes: UInt64

    public init(
        version: UInt32, lastStoredSequence: UInt64, credit: UInt32,
        maximumMessageBytes: UInt64 = UInt64(WireLimits.messageBytes),
        maximumExpandedBytes: UInt64 = UInt64(WireLimits.expandedBytes)
    ) {
        self.version = version
        self.lastStoredSequence = lastStoredSequence
        self.credit = credit
        self.maximumMessageBytes = maximumMessageBytes
        self.maximumExpandedBytes = maximumExpandedBytes
    }
}

/// A window's content under its name, compressed; `Batch+Content.swift` makes and reads it.
public struct Batch: Hashable, Sendable {
    public var name: BatchName
    public var window: TimeRange
    public var samples: UInt64
    /// Length of the content before compression.
    public var expandedBytes: UInt64
    /// zstd over the content.
    public var body: [UInt8]

    public init(name: BatchName, window: TimeRange, samples: UInt64, expandedBytes: UInt64, body: [UInt8]) {
        self.name = name
        self.window = window
        self.samples = samples
        self.expandedBytes = expandedBytes
        self.body = body
    }
}

public enum RefusalReason: UInt8, Sendable, CaseIterable {
    case malformed = 1, tooLarge, expired, future, foreign
}

/// The batch will never be taken: the agent drops it, counted, and goes on.
public struct Refused: Hashable, Sendable {
    public var name: BatchName
    public var reason: RefusalReason
    public var detail: String

    public init(name: BatchName, reason: RefusalReason, detail: String) {
        self.name = name
        self.reason = reason
        self.detail = detail
    }
}

/// A part of one module's encoded symbol table, or the word that there is none.
public struct SymbolTableChunk: Hashable, Sendable {
    public var module: Module
    public var totalBytes: UInt64
    public var offset: UInt64
    public var data: [UInt8]
    /// Why the agent has no table to give; nil where it has one.
    public var unavailable: String?

    public init(module: Module, totalBytes: UInt64, offset: UInt64, data: [UInt8], unavailable: String? = nil) {
        self.module = module
        self.totalBytes = totalBytes
        self.offset = offset
        self.data = data
        self.unavailable = unavailable
    }
}

public enum GoodbyeReason: UInt8, Sendable, CaseIterable {
    case stopping = 1, unsupportedVersion, protocolError, overloaded, idle
}

public struct Goodbye: Hashable, Sendable {
    public var reason: GoodbyeReason
    public var detail: String

    public init(reason: GoodbyeReason, detail: String) {
        self.reason = reason
        self.detail = detail
    }
}

/// Everything that crosses the wire. `wire.proto` tells the order in which messages follow each other.
public enum Message: Hashable, Sendable {
    case hello(Hello)
    case welcome(Welcome)
    case batch(Batch)
    case ack(BatchName)
    case refused(Refused)
    case symbolsWanted([Module])
    case symbolTable(SymbolTableChunk)
    case goodbye(Goodbye)
    /// A type that this build does not know, from a newer peer: to be ignored.
    case unknown(type: UInt8)
}
