public import Analysis
public import Profiles

/// A range of time in an answer: `{"from","to"}` in RFC 3339.
public struct AnswerRange: Hashable, Sendable, Decodable, JSONAnswer {
    public var from: Timestamp
    public var to: Timestamp

    public init(_ range: TimeRange) {
        from = range.start
        to = range.end
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func moment(_ key: CodingKeys) throws -> Timestamp {
            let text = try container.decode(String.self, forKey: key)
            guard let moment = RFC3339.timestamp(text) else {
                throw DecodingError.dataCorruptedError(
                    forKey: key, in: container, debugDescription: "'\(text)' is no time as RFC 3339 writes it")
            }
            return moment
        }
        from = try moment(.from)
        to = try moment(.to)
    }

    private enum CodingKeys: String, CodingKey { case from, to }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("from", RFC3339.text(from))
        writer.member("to", RFC3339.text(to))
        writer.endObject()
    }
}

/// What stands behind an answer, and what is missing from it.
public struct Coverage: Hashable, Sendable, Decodable, JSONAnswer {
    /// Hosts with samples in the answer.
    public var hosts: Int
    /// Hosts that delivered in the 24 h before the end, said no goodbye, and delivered nothing in the range.
    public var hostsSilent: Int
    public var agents: Int
    /// Samples by reason; reasons without any may be left out.
    public var dropped: [String: UInt64]
    /// Numbers of samples; nil where not measured.
    public var wholeStacks: UInt64?
    public var cutStacks: UInt64?
    public var brokenStacks: UInt64?

    public init(
        hosts: Int, hostsSilent: Int, agents: Int, dropped: [DropReason: UInt64], quality: StackQuality
    ) {
        self.hosts = hosts
        self.hostsSilent = hostsSilent
        self.agents = agents
        self.dropped = [:]
        for (reason, count) in dropped where count > 0 { self.dropped[reason.rawValue] = count }
        wholeStacks = quality.whole
        cutStacks = quality.cut
        brokenStacks = quality.broken
    }

    /// The hosts and agents that `profile` itself knows of.
    public init(of profile: NamedProfile, hostsSilent: Int = 0, dropped: [DropReason: UInt64] = [:]) {
        let hosts = profile.hostsWithSamples
        self.init(
            hosts: Set(hosts.map(\.name)).count, hostsSilent: hostsSilent, agents: Set(hosts.map(\.agent)).count,
            dropped: dropped, quality: profile.quality)
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("hosts", hosts)
        writer.member("hostsSilent", hostsSilent)
        writer.member("agents", agents)
        writer.key("dropped")
        writer.counts(dropped)
        writer.member("wholeStacks", wholeStacks)
        writer.member("cutStacks", cutStacks)
        writer.member("brokenStacks", brokenStacks)
        writer.endObject()
    }
}

/// The keys that every answer about samples opens with.
public struct AnswerHeader: Hashable, Sendable, Decodable {
    public struct Kind: Hashable, Sendable, Decodable {
        public var name: String
        public var unit: String
    }

    /// What was really covered; nil without any window.
    public var range: AnswerRange?
    public var asked: AnswerRange
    public var type: Kind
    public var samples: UInt64
    /// In the type's unit.
    public var value: UInt64
    /// `hosts` or `time`.
    public var intervalOver: String
    public var coverage: Coverage

    public init(
        range: TimeRange?, asked: TimeRange, type: ProfileType, samples: UInt64, value: UInt64,
        basis: IntervalBasis, coverage: Coverage
    ) {
        self.range = range.map { AnswerRange($0) }
        self.asked = AnswerRange(asked)
        self.type = Kind(name: type.name, unit: type.unit)
        self.samples = samples
        self.value = value
        intervalOver = basis.word
        self.coverage = coverage
    }

    /// - Parameter basis: that of the answer's ranking; the profile's own where it is nil.
    public init(
        of profile: NamedProfile, asked: TimeRange, coverage: Coverage, basis: IntervalBasis? = nil
    ) {
        self.init(
            range: profile.range, asked: asked, type: profile.type, samples: profile.sampleCount,
            value: profile.totalValue, basis: basis ?? profile.intervalBasis, coverage: coverage)
    }

    /// Writes the keys into an object that has been begun.
    public func writeMembers(to writer: inout JSONWriter) {
        writer.key("range")
        if let range { range.write(to: &writer) } else { writer.null() }
        writer.key("asked")
        asked.write(to: &writer)
        writer.key("type")
        writer.beginObject()
        writer.member("name", type.name)
        writer.member("unit", type.unit)
        writer.endObject()
        writer.member("samples", samples)
        writer.member("value", value)
        writer.member("intervalOver", intervalOver)
        writer.key("coverage")
        coverage.write(to: &writer)
    }
}

extension JSONWriter {
    /// Counts by name, sorted by name.
    mutating func counts(_ counts: [String: UInt64]) {
        beginObject()
        for (name, count) in counts.sorted(by: { $0.key < $1.key }) { member(name, count) }
        endObject()
    }

    mutating func array(_ elements: [some JSONAnswer]) {
        beginArray()
        for element in elements { element.write(to: &self) }
        endArray()
    }
}
