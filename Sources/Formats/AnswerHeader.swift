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
    /// How many frames cut stacks have; nil where none is cut.
    public var cutDepths: CutDepths?
    /// Samples with broken stacks by reason, as far as their markers tell; nil in answers of older aggregators.
    public var brokenReasons: [String: UInt64]?
    /// Samples whose innermost function has no name; nil where stacks play no part in the answer.
    public var unsymbolised: UInt64?

    /// Frames of the shortest, the middle and the longest of the cut stacks.
    public struct CutDepths: Hashable, Sendable, Decodable {
        public var least: Int
        public var median: Int
        public var most: Int
    }

    public init(
        hosts: Int, hostsSilent: Int, agents: Int, dropped: [DropReason: UInt64], quality: StackQuality,
        incomplete: IncompleteStacks = IncompleteStacks()
    ) {
        self.hosts = hosts
        self.hostsSilent = hostsSilent
        self.agents = agents
        self.dropped = [:]
        for (reason, count) in dropped where count > 0 { self.dropped[reason.rawValue] = count }
        wholeStacks = quality.whole
        cutStacks = quality.cut
        brokenStacks = quality.broken
        cutDepths = incomplete.cutDepths.map { CutDepths(least: $0.least, median: $0.median, most: $0.most) }
        brokenReasons = incomplete.brokenByReason
    }

    /// The hosts and agents that `profile` itself knows of.
    public init(of profile: NamedProfile, hostsSilent: Int = 0, dropped: [DropReason: UInt64] = [:]) {
        let hosts = profile.hostsWithSamples
        self.init(
            hosts: hosts.count, hostsSilent: hostsSilent, agents: Set(hosts.map(\.agent)).count,
            dropped: dropped, quality: profile.quality, incomplete: profile.incompleteStacks)
        unsymbolised = profile.unsymbolisedSamples
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
        writer.key("cutDepths")
        if let cutDepths {
            writer.beginObject()
            writer.member("least", cutDepths.least)
            writer.member("median", cutDepths.median)
            writer.member("most", cutDepths.most)
            writer.endObject()
        } else {
            writer.null()
        }
        writer.key("brokenReasons")
        writer.counts(brokenReasons ?? [:])
        writer.member("unsymbolised", unsymbolised)
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
    /// How many hosts or blocks of time the intervals stand on; 0 where these were too few and samples stand alone.
    public var intervalUnits: Int?
    public var coverage: Coverage
    /// What filters of frames left of it; nil where there were none.
    public var shown: Shown?
    /// What makes the answer poorer than its question wants; nil where nobody judged.
    public var warnings: [String]?

    public struct Shown: Hashable, Sendable, Decodable {
        public var samples: UInt64
        /// In the type's unit.
        public var value: UInt64
    }

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
        intervalUnits = basis.unitCount
        self.coverage = coverage
    }

    /// - Parameter basis: that of the answer's ranking; the profile's own where it is nil.
    public init(
        of profile: NamedProfile, asked: TimeRange, coverage: Coverage, basis: IntervalBasis? = nil
    ) {
        self.init(
            range: profile.range, asked: asked, type: profile.type, samples: profile.sampleCount,
            value: profile.totalValue, basis: basis ?? profile.intervalBasis, coverage: coverage)
        if profile.isFiltered { shown = Shown(samples: profile.shown.samples, value: profile.shown.value) }
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
        writer.member("intervalUnits", intervalUnits)
        writer.key("coverage")
        coverage.write(to: &writer)
        if let warnings {
            writer.key("warnings")
            writer.beginArray()
            for warning in warnings { writer.value(warning) }
            writer.endArray()
        }
        guard let shown else { return }
        writer.key("shown")
        writer.beginObject()
        writer.member("samples", shown.samples)
        writer.member("value", shown.value)
        writer.endObject()
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
