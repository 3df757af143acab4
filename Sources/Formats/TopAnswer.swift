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
    /// Only where costs are asked for.
    public var cost: RowCost?

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
        if let cost {
            writer.key("cost")
            cost.write(to: &writer)
        }
        writer.endObject()
    }
}

/// The answer of `top`.
public struct TopAnswer: Hashable, Sendable, Decodable, JSONAnswer {
    public var header: AnswerHeader
    public var rows: [TopRow]
    /// The functions whose callers or callees the rows are; nil where they are neither.
    public var of: [String]?
    /// What a core costs; nil where that is unknown or not asked for.
    public var price: CorePrice?

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
        let container = try decoder.container(keyedBy: CodingKeys.self)
        rows = try container.decode([TopRow].self, forKey: .rows)
        of = try container.decodeIfPresent([String].self, forKey: .of)
        price = try container.decodeIfPresent(CorePrice.self, forKey: .price)
    }

    private enum CodingKeys: String, CodingKey { case rows, of, price }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        header.writeMembers(to: &writer)
        if let of {
            writer.key("of")
            writer.beginArray()
            for name in of { writer.value(name) }
            writer.endArray()
        }
        if let price {
            writer.key("price")
            price.write(to: &writer)
        }
        writer.key("rows")
        writer.array(rows)
        writer.endObject()
    }
}
