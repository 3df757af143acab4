public import Analysis
public import Profiles

/// A row of `top` and of `profile`, in the type's unit.
public struct TopRow: Hashable, Sendable, Decodable, JSONAnswer {
    public var name: String
    public var file: String?
    public var line: UInt32?
    public var module: String?
    public var `self`: UInt64
    public var total: UInt64
    /// Of the total; nil where the type is no CPU time.
    public var cores: Double?
    public var selfShare: Double
    public var totalShare: Double
    public var selfShareLow: Double
    public var selfShareHigh: Double
    public var totalShareLow: Double
    public var totalShareHigh: Double

    public init(_ row: RankedRow) {
        name = row.name
        file = row.file.isEmpty ? nil : row.file
        line = row.line == 0 ? nil : row.line
        module = row.module.isEmpty ? nil : row.module
        self.`self` = row.selfValue
        total = row.totalValue
        cores = row.cores
        selfShare = row.selfShare.value
        totalShare = row.totalShare.value
        selfShareLow = row.selfShare.low
        selfShareHigh = row.selfShare.high
        totalShareLow = row.totalShare.low
        totalShareHigh = row.totalShare.high
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("name", name)
        writer.member("file", file)
        writer.member("line", line)
        writer.member("module", module)
        writer.member("self", self.`self`)
        writer.member("total", total)
        writer.member("cores", cores)
        writer.member("selfShare", selfShare)
        writer.member("totalShare", totalShare)
        writer.member("selfShareLow", selfShareLow)
        writer.member("selfShareHigh", selfShareHigh)
        writer.member("totalShareLow", totalShareLow)
        writer.member("totalShareHigh", totalShareHigh)
        writer.endObject()
    }
}

/// The answer of `top`.
public struct TopAnswer: Hashable, Sendable, Decodable, JSONAnswer {
    public var header: AnswerHeader
    public var rows: [TopRow]

    public init(header: AnswerHeader, ranking: Ranking) {
        self.header = header
        rows = ranking.rows.map { TopRow($0) }
    }

    /// The opening keys from the profile, whose intervals stand on what the ranking's do.
    public init(
        of profile: NamedProfile, ranking: Ranking, asked: TimeRange, coverage: Coverage
    ) {
        self.init(
            header: AnswerHeader(of: profile, asked: asked, coverage: coverage, basis: ranking.basis),
            ranking: ranking)
    }

    public init(from decoder: any Decoder) throws {
        header = try AnswerHeader(from: decoder)
        rows = try decoder.container(keyedBy: CodingKeys.self).decode([TopRow].self, forKey: .rows)
    }

    private enum CodingKeys: String, CodingKey { case rows }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        header.writeMembers(to: &writer)
        writer.key("rows")
        writer.array(rows)
        writer.endObject()
    }
}
