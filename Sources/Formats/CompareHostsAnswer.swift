public import Analysis

/// The answer of `compare-hosts`.
public struct CompareHostsAnswer: Hashable, Sendable, Decodable, JSONAnswer {
    public struct Function: Hashable, Sendable, Decodable, JSONAnswer {
        public var name: String
        public var share: Double
        public var restShare: Double
        public var delta: Double
        public var deltaLow: Double
        public var deltaHigh: Double
        public var qValue: Double
        public var significant: Bool

        init(_ function: HostFunction) {
            name = function.name
            share = function.share
            restShare = function.restShare
            delta = function.delta.value
            deltaLow = function.delta.low
            deltaHigh = function.delta.high
            qValue = function.qValue
            significant = function.isSignificant
        }

        public func write(to writer: inout JSONWriter) {
            writer.beginObject()
            writer.member("name", name)
            writer.member("share", share)
            writer.member("restShare", restShare)
            writer.member("delta", delta)
            writer.member("deltaLow", deltaLow)
            writer.member("deltaHigh", deltaHigh)
            writer.member("qValue", qValue)
            writer.member("significant", significant)
            writer.endObject()
        }
    }

    public struct ComparedRow: Hashable, Sendable, Decodable, JSONAnswer {
        public var host: String
        public var samples: UInt64
        /// nil where the type is no CPU time.
        public var cores: Double?
        public var distance: Double
        public var pValue: Double
        public var qValue: Double
        public var differs: Bool
        /// Index into `groups`.
        public var group: Int?
        public var functions: [Function]

        init(_ host: ComparedHost) {
            self.host = host.name
            samples = host.samples
            cores = host.cores
            distance = host.distance
            pValue = host.pValue
            qValue = host.qValue
            differs = host.differs
            group = host.group
            functions = host.functions.map { Function($0) }
        }

        public func write(to writer: inout JSONWriter) {
            writer.beginObject()
            writer.member("host", host)
            writer.member("samples", samples)
            writer.member("cores", cores)
            writer.member("distance", distance)
            writer.member("pValue", pValue)
            writer.member("qValue", qValue)
            writer.member("differs", differs)
            writer.member("group", group)
            writer.key("functions")
            writer.array(functions)
            writer.endObject()
        }
    }

    /// Hosts that are odd in the same way, and the functions that most of it falls on.
    public struct Group: Hashable, Sendable, Decodable, JSONAnswer {
        public var hosts: [String]
        public var functions: [String]

        public func write(to writer: inout JSONWriter) {
            writer.beginObject()
            writer.key("hosts")
            writer.strings(hosts)
            writer.key("functions")
            writer.strings(functions)
            writer.endObject()
        }
    }

    public struct LabelRow: Hashable, Sendable, Decodable, JSONAnswer {
        public var label: String
        public var value: String
        /// Hosts with it that differ, and all with it.
        public var differing: Int
        public var hosts: Int
        public var qValue: Double

        public func write(to writer: inout JSONWriter) {
            writer.beginObject()
            writer.member("label", label)
            writer.member("value", value)
            writer.member("differing", differing)
            writer.member("hosts", hosts)
            writer.member("qValue", qValue)
            writer.endObject()
        }
    }

    public var header: AnswerHeader
    public var service: String
    public var hostCount: Int
    public var differing: Int
    public var hosts: [ComparedRow]
    public var groups: [Group]
    public var labels: [LabelRow]

    public init(header: AnswerHeader, service: String, comparison: HostComparison) {
        self.header = header
        self.service = service
        hostCount = comparison.hostCount
        differing = comparison.differingCount
        hosts = comparison.hosts.map { ComparedRow($0) }
        groups = comparison.groups.map { Group(hosts: $0.hosts, functions: $0.functions) }
        labels = comparison.labels.map {
            LabelRow(
                label: $0.label, value: $0.value, differing: $0.differing, hosts: $0.hosts, qValue: $0.qValue)
        }
    }

    private enum CodingKeys: String, CodingKey {
        case service, hostCount, differing, hosts, groups, labels
    }

    public init(from decoder: any Decoder) throws {
        header = try AnswerHeader(from: decoder)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        service = try container.decode(String.self, forKey: .service)
        hostCount = try container.decode(Int.self, forKey: .hostCount)
        differing = try container.decode(Int.self, forKey: .differing)
        hosts = try container.decode([ComparedRow].self, forKey: .hosts)
        groups = try container.decode([Group].self, forKey: .groups)
        labels = try container.decode([LabelRow].self, forKey: .labels)
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        header.writeMembers(to: &writer)
        writer.member("service", service)
        writer.member("hostCount", hostCount)
        writer.member("differing", differing)
        writer.key("hosts")
        writer.array(hosts)
        writer.key("groups")
        writer.array(groups)
        writer.key("labels")
        writer.array(labels)
        writer.endObject()
    }
}

extension JSONWriter {
    fileprivate mutating func strings(_ strings: [String]) {
        beginArray()
        for string in strings { value(string) }
        endArray()
    }
}
