public import Profiles

/// An agent's account in JSON: always taken = stored + pending + the sum of dropped.
public struct SampleAccount: Hashable, Sendable, Decodable, JSONAnswer {
    public var taken: UInt64
    public var stored: UInt64
    public var pending: UInt64
    /// Reasons without a sample are left out.
    public var dropped: [String: UInt64]

    /// - Parameter stored: samples of the ledger's epochs that are in the store; what is neither stored nor dropped is
    ///   pending.
    public init(ledger: Ledger, stored: UInt64) {
        taken = ledger.taken
        self.stored = stored
        let settled = stored &+ ledger.droppedTotal
        pending = ledger.taken > settled ? ledger.taken - settled : 0
        dropped = [:]
        for (reason, count) in ledger.dropped where count > 0 { dropped[reason.rawValue] = count }
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("taken", taken)
        writer.member("stored", stored)
        writer.member("pending", pending)
        writer.key("dropped")
        writer.counts(dropped)
        writer.endObject()
    }
}

/// The answer of `agents`.
public struct AgentsAnswer: Hashable, Sendable, Decodable, JSONAnswer {
    public struct Row: Hashable, Sendable, Decodable, JSONAnswer {
        /// 32 hexadecimal digits.
        public var id: String
        public var host: String
        public var version: String
        /// RFC 3339.
        public var lastSeen: String
        /// Samples per second and CPU.
        public var rate: Double?
        public var samples: SampleAccount
        /// The agent's clock less the aggregator's; nil where not measured.
        public var clockOffsetSeconds: Double?

        public init(
            id: Identifier, host: String, version: String, lastSeen: Timestamp, rate: Double?,
            samples: SampleAccount, clockOffsetSeconds: Double?
        ) {
            self.id = id.description
            self.host = host
            self.version = version
            self.lastSeen = RFC3339.text(lastSeen)
            self.rate = rate
            self.samples = samples
            self.clockOffsetSeconds = clockOffsetSeconds
        }

        public func write(to writer: inout JSONWriter) {
            writer.beginObject()
            writer.member("id", id)
            writer.member("host", host)
            writer.member("version", version)
            writer.member("lastSeen", lastSeen)
            writer.member("rate", rate)
            writer.key("samples")
            samples.write(to: &writer)
            writer.member("clockOffsetSeconds", clockOffsetSeconds)
            writer.endObject()
        }
    }

    public var agents: [Row]

    public init(agents: [Row]) {
        self.agents = agents
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("agents")
        writer.array(agents)
        writer.endObject()
    }
}
