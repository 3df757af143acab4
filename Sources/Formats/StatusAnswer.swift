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

    public var id: String
    public var host: String
    public var epoch: String
    public var samples: SampleAccount
    /// User and system time that the daemon has used.
    public var cpuSeconds: Double
    public var residentBytes: UInt64
    /// nil where the agent has no aggregator.
    public var aggregator: Aggregator?

    public init(
        id: Identifier, host: String, epoch: Identifier, samples: SampleAccount, cpuSeconds: Double,
        residentBytes: UInt64, aggregator: Aggregator?
    ) {
        self.id = id.description
        self.host = host
        self.epoch = epoch.description
        self.samples = samples
        self.cpuSeconds = cpuSeconds
        self.residentBytes = residentBytes
        self.aggregator = aggregator
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
        writer.endObject()
    }
}
