public import Analysis
import Profiles

/// The answer of `services`: `{…,"services":[{"name","samples","cores","hosts"}]}`.
public struct ServicesAnswer: Hashable, Sendable, Decodable, JSONAnswer {
    public struct Row: Hashable, Sendable, Decodable, JSONAnswer {
        public var name: String
        public var samples: UInt64
        public var cores: Double?
        public var hosts: Int

        public func write(to writer: inout JSONWriter) {
            writer.beginObject()
            writer.member("name", name)
            writer.member("samples", samples)
            writer.member("cores", cores)
            writer.member("hosts", hosts)
            writer.endObject()
        }
    }

    public var header: AnswerHeader
    public var services: [Row]

    public init(header: AnswerHeader, rows: [InventoryRow]) {
        self.header = header
        services = rows.map { Row(name: $0.name, samples: $0.samples, cores: $0.cores, hosts: $0.hosts) }
    }

    public init(from decoder: any Decoder) throws {
        header = try AnswerHeader(from: decoder)
        services = try decoder.container(keyedBy: CodingKeys.self).decode([Row].self, forKey: .services)
    }

    private enum CodingKeys: String, CodingKey { case services }

    public func write(to writer: inout JSONWriter) {
        writer.answer(header, "services", services)
    }
}

/// The answer of `hosts`: `{…,"hosts":[{"name","samples","cores","services"}]}`.
public struct HostsAnswer: Hashable, Sendable, Decodable, JSONAnswer {
    public struct Row: Hashable, Sendable, Decodable, JSONAnswer {
        public var name: String
        public var samples: UInt64
        public var cores: Double?
        public var services: Int

        public func write(to writer: inout JSONWriter) {
            writer.beginObject()
            writer.member("name", name)
            writer.member("samples", samples)
            writer.member("cores", cores)
            writer.member("services", services)
            writer.endObject()
        }
    }

    public var header: AnswerHeader
    public var hosts: [Row]

    public init(header: AnswerHeader, rows: [InventoryRow]) {
        self.header = header
        hosts = rows.map { Row(name: $0.name, samples: $0.samples, cores: $0.cores, services: $0.services) }
    }

    public init(from decoder: any Decoder) throws {
        header = try AnswerHeader(from: decoder)
        hosts = try decoder.container(keyedBy: CodingKeys.self).decode([Row].self, forKey: .hosts)
    }

    private enum CodingKeys: String, CodingKey { case hosts }

    public func write(to writer: inout JSONWriter) {
        writer.answer(header, "hosts", hosts)
    }
}

/// The answer of `labels`: `{…,"labels":[{"name","value","samples","cores","hosts"}]}`.
public struct LabelsAnswer: Hashable, Sendable, Decodable, JSONAnswer {
    public struct Row: Hashable, Sendable, Decodable, JSONAnswer {
        public var name: String
        public var value: String
        public var samples: UInt64
        public var cores: Double?
        public var hosts: Int

        public func write(to writer: inout JSONWriter) {
            writer.beginObject()
            writer.member("name", name)
            writer.member("value", value)
            writer.member("samples", samples)
            writer.member("cores", cores)
            writer.member("hosts", hosts)
            writer.endObject()
        }
    }

    public var header: AnswerHeader
    public var labels: [Row]

    public init(header: AnswerHeader, rows: [InventoryRow]) {
        self.header = header
        labels = rows.map {
            Row(name: $0.name, value: $0.detail, samples: $0.samples, cores: $0.cores, hosts: $0.hosts)
        }
    }

    public init(from decoder: any Decoder) throws {
        header = try AnswerHeader(from: decoder)
        labels = try decoder.container(keyedBy: CodingKeys.self).decode([Row].self, forKey: .labels)
    }

    private enum CodingKeys: String, CodingKey { case labels }

    public func write(to writer: inout JSONWriter) {
        writer.answer(header, "labels", labels)
    }
}

/// The answer of `types`: `{…,"types":[{"name","unit","samples","cores","hosts"}]}`.
public struct TypesAnswer: Hashable, Sendable, Decodable, JSONAnswer {
    public struct Row: Hashable, Sendable, Decodable, JSONAnswer {
        public var name: String
        public var unit: String
        public var samples: UInt64
        public var cores: Double?
        public var hosts: Int

        public func write(to writer: inout JSONWriter) {
            writer.beginObject()
            writer.member("name", name)
            writer.member("unit", unit)
            writer.member("samples", samples)
            writer.member("cores", cores)
            writer.member("hosts", hosts)
            writer.endObject()
        }
    }

    public var header: AnswerHeader
    public var types: [Row]

    public init(header: AnswerHeader, rows: [InventoryRow]) {
        self.header = header
        types = rows.map {
            Row(name: $0.name, unit: $0.detail, samples: $0.samples, cores: $0.cores, hosts: $0.hosts)
        }
    }

    public init(from decoder: any Decoder) throws {
        header = try AnswerHeader(from: decoder)
        types = try decoder.container(keyedBy: CodingKeys.self).decode([Row].self, forKey: .types)
    }

    private enum CodingKeys: String, CodingKey { case types }

    public func write(to writer: inout JSONWriter) {
        writer.answer(header, "types", types)
    }
}

extension JSONWriter {
    fileprivate mutating func answer(_ header: AnswerHeader, _ name: String, _ rows: [some JSONAnswer]) {
        beginObject()
        header.writeMembers(to: &self)
        key(name)
        array(rows)
        endObject()
    }
}
