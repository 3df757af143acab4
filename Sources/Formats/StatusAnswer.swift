public import Profiles

/// The answer of `perf-agent status`.
public struct StatusAnswer: Hashable, Sendable, Decodable, JSONAnswer {
    public struct Aggregator: Hashable, Sendable, Decodable {
        public var address: String
        /// `connected`, `connecting`, `waiting`, …
        public var state: String
        /// RFC 3339: when that state began.
        public var since: String

        public init(address: String, state: String, since: Timestamp) {
            self.address = address
            self.state = state
            self.since = RFC3339.text(since)
        }
    }

    /// What became of the questions for symbol tables that were made before.
    public struct SymbolCache: Hashable, Sendable, Decodable, JSONAnswer {
        public var tables: Int
        public var bytes: Int
        public var hits: UInt64
        public var misses: UInt64
        public var damaged: UInt64
        public var outdated: UInt64
        public var evicted: UInt64
        /// Tables that could not be written.
        public var failures: UInt64

        public init(
            tables: Int, bytes: Int, hits: UInt64, misses: UInt64, damaged: UInt64, outdated: UInt64, evicted: UInt64,
            failures: UInt64
        ) {
            self.tables = tables
            self.bytes = bytes
            self.hits = hits
            self.misses = misses
            self.damaged = damaged
            self.outdated = outdated
            self.evicted = evicted
            self.failures = failures
        }

        public func write(to writer: inout JSONWriter) {
            writer.beginObject()
            writer.member("tables", tables)
            writer.member("bytes", bytes)
            writer.member("hits", hits)
            writer.member("misses", misses)
            writer.member("damaged", damaged)
            writer.member("outdated", outdated)
            writer.member("evicted", evicted)
            writer.member("failures", failures)
            writer.endObject()
        }
    }

    /// What became of the questions for debug files that the host does not have.
    public struct Debuginfod: Hashable, Sendable, Decodable, JSONAnswer {
        public var found: UInt64
        public var bytes: UInt64
        /// Answers that a server does not know a file.
        public var absent: UInt64
        /// Files that were too long, or not those that were asked for.
        public var useless: UInt64
        /// Requests without an answer.
        public var failures: UInt64
        /// Requests that were not made, because a server lately failed or did not know the file.
        public var spared: UInt64
        public var lastFailure: String?

        public init(
            found: UInt64, bytes: UInt64, absent: UInt64, useless: UInt64, failures: UInt64, spared: UInt64,
            lastFailure: String?
        ) {
            self.found = found
            self.bytes = bytes
            self.absent = absent
            self.useless = useless
            self.failures = failures
            self.spared = spared
            self.lastFailure = lastFailure
        }

        public func write(to writer: inout JSONWriter) {
            writer.beginObject()
            writer.member("found", found)
            writer.member("bytes", bytes)
            writer.member("absent", absent)
            writer.member("useless", useless)
            writer.member("failures", failures)
            writer.member("spared", spared)
            writer.member("lastFailure", lastFailure)
            writer.endObject()
        }
    }

    public var id: String
    public var host: String
    public var epoch: String
    public var samples: SampleAccount
    /// User and system time that the daemon has used.
    public var cpuSeconds: Double
    public var residentBytes: UInt64
    /// nil where the agent has no aggregator.
    public var aggregator: Aggregator?
    /// nil where no tables are kept; then the answer has no such key.
    public var symbolCache: SymbolCache?
    /// nil where no server is to be asked; then the answer has no such key.
    public var debuginfod: Debuginfod?

    public init(
        id: Identifier, host: String, epoch: Identifier, samples: SampleAccount, cpuSeconds: Double,
        residentBytes: UInt64, aggregator: Aggregator?, symbolCache: SymbolCache? = nil,
        debuginfod: Debuginfod? = nil
    ) {
        self.id = id.description
        self.host = host
        self.epoch = epoch.description
        self.samples = samples
        self.cpuSeconds = cpuSeconds
        self.residentBytes = residentBytes
        self.aggregator = aggregator
        self.symbolCache = symbolCache
        self.debuginfod = debuginfod
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("id", id)
        writer.member("host", host)
        writer.member("epoch", epoch)
        writer.key("samples")
        samples.write(to: &writer)
        writer.member("cpuSeconds", cpuSeconds)
        writer.member("residentBytes", residentBytes)
        writer.key("aggregator")
        if let aggregator {
            writer.beginObject()
            writer.member("address", aggregator.address)
            writer.member("state", aggregator.state)
            writer.member("since", aggregator.since)
            writer.endObject()
        } else {
            writer.null()
        }
        if let symbolCache {
            writer.key("symbolCache")
            symbolCache.write(to: &writer)
        }
        if let debuginfod {
            writer.key("debuginfod")
            debuginfod.write(to: &writer)
        }
        writer.endObject()
    }
}
