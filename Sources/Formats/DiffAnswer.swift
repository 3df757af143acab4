public import Analysis

/// How much more would be needed to see a change, in an answer.
public struct PowerAnswer: Hashable, Sendable, Decodable, JSONAnswer {
    /// The change, as a difference of shares.
    public var size: Double
    /// The smallest change that is seen four times in five as it is.
    public var visible: Double
    /// How many times as much of everything; nil beyond all measure.
    public var times: Double?
    /// Hosts on each side; nil where hosts are not what intervals stand on.
    public var hosts: Int?
    /// Samples of the same hosts; nil where no number would do.
    public var samples: Double?

    init(_ power: Power) {
        size = power.size
        visible = power.visible
        times = power.times.isFinite ? power.times : nil
        hosts = power.hosts
        samples = power.samples
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("size", size)
        writer.member("visible", visible)
        writer.member("times", times)
        writer.member("hosts", hosts)
        writer.member("samples", samples)
        writer.endObject()
    }
}

/// A row of `diff`.
public struct DiffRow: Hashable, Sendable, Decodable, JSONAnswer {
    public var name: String
    public var file: String?
    public var line: UInt32?
    public var module: String?
    public var baseShare: Double
    public var againstShare: Double
    /// againstShare − baseShare, with its 95 % interval.
    public var delta: Double
    public var deltaLow: Double
    public var deltaHigh: Double
    /// Per host; nil where the type is no CPU time.
    public var baseCores: Double?
    public var againstCores: Double?
    public var deltaCores: Double?
    public var deltaCoresLow: Double?
    public var deltaCoresHigh: Double?
    public var pValue: Double
    public var qValue: Double
    public var significant: Bool
    /// Whether enough was seen for any difference to be significant.
    public var tested: Bool
    public var coresQValue: Double?
    /// In the type's unit for each unit of work; nil where no work was counted. Cores are nil where it was.
    public var basePerUnit: Double?
    public var againstPerUnit: Double?
    public var deltaPerUnit: Double?
    public var deltaPerUnitLow: Double?
    public var deltaPerUnitHigh: Double?
    public var perUnitQValue: Double?
    /// grew, shrank, shareOnly or withinNoise.
    public var movement: String
    public var power: PowerAnswer?

    /// - Parameter isPerUnit: whether rates are those of units of work.
    public init(_ row: DifferenceRow, isPerUnit: Bool) {
        name = row.name
        file = row.file.isEmpty ? nil : row.file
        line = row.line == 0 ? nil : row.line
        module = row.module.isEmpty ? nil : row.module
        baseShare = row.baseShare
        againstShare = row.againstShare
        delta = row.delta.value
        deltaLow = row.delta.low
        deltaHigh = row.delta.high
        pValue = row.pValue
        qValue = row.qValue
        significant = row.isSignificant
        tested = row.isTested
        movement = row.movement.rawValue
        power = row.power.map { PowerAnswer($0) }
        guard let rates = row.rates else { return }
        if isPerUnit {
            (basePerUnit, againstPerUnit, deltaPerUnit) = (rates.base, rates.against, rates.delta.value)
            (deltaPerUnitLow, deltaPerUnitHigh, perUnitQValue) = (rates.delta.low, rates.delta.high, rates.qValue)
        } else {
            (baseCores, againstCores, deltaCores) = (rates.base, rates.against, rates.delta.value)
            (deltaCoresLow, deltaCoresHigh, coresQValue) = (rates.delta.low, rates.delta.high, rates.qValue)
        }
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writeMembers(to: &writer)
        writer.endObject()
    }

    func writeMembers(to writer: inout JSONWriter) {
        writer.member("name", name)
        writer.member("file", file)
        writer.member("line", line)
        writer.member("module", module)
        writer.member("baseShare", baseShare)
        writer.member("againstShare", againstShare)
        writer.member("delta", delta)
        writer.member("deltaLow", deltaLow)
        writer.member("deltaHigh", deltaHigh)
        writer.member("baseCores", baseCores)
        writer.member("againstCores", againstCores)
        writer.member("deltaCores", deltaCores)
        writer.member("deltaCoresLow", deltaCoresLow)
        writer.member("deltaCoresHigh", deltaCoresHigh)
        writer.member("pValue", pValue)
        writer.member("qValue", qValue)
        writer.member("significant", significant)
        writer.member("tested", tested)
        writer.member("coresQValue", coresQValue)
        if let basePerUnit {
            writer.member("basePerUnit", basePerUnit)
            writer.member("againstPerUnit", againstPerUnit)
            writer.member("deltaPerUnit", deltaPerUnit)
            writer.member("deltaPerUnitLow", deltaPerUnitLow)
            writer.member("deltaPerUnitHigh", deltaPerUnitHigh)
            writer.member("perUnitQValue", perUnitQValue)
        }
        writer.member("movement", movement)
        writer.key("power")
        if let power { power.write(to: &writer) } else { writer.null() }
    }
}

/// The answer of `diff`: two sides, each of which opens like an answer of its own, and the functions.
public struct DiffAnswer: Hashable, Sendable, Decodable, JSONAnswer {
    public struct Side: Hashable, Sendable, Decodable, JSONAnswer {
        public var header: AnswerHeader

        public init(_ header: AnswerHeader) { self.header = header }
        public init(from decoder: any Decoder) throws { header = try AnswerHeader(from: decoder) }

        public func write(to writer: inout JSONWriter) {
            writer.beginObject()
            header.writeMembers(to: &writer)
            writer.endObject()
        }
    }

    public var base: Side
    public var against: Side
    /// `hosts` or `time`: what the intervals of differences stand on.
    public var intervalOver: String
    /// Of the side that has fewer; 0 where samples stand alone.
    public var intervalUnits: Int
    /// How many of them are on both sides.
    public var pairedUnits: Int
    public var sort: String
    /// The rate of false discoveries that is accepted.
    public var falseDiscoveryRate: Double
    /// All functions, those that were seen often enough to be tested, and those that changed beyond chance.
    public var functions: Int
    public var tested: Int
    public var significant: Int
    /// What it takes to see a change of one point of share in any of the functions tested.
    public var onePoint: PowerAnswer?
    public var rows: [DiffRow]

    public init(base: AnswerHeader, against: AnswerHeader, difference: Difference, options: DifferenceOptions) {
        self.base = Side(base)
        self.against = Side(against)
        intervalOver = difference.basis.word
        intervalUnits = difference.basis.unitCount
        pairedUnits = difference.pairedUnits
        sort = options.sort.rawValue
        falseDiscoveryRate = options.falseDiscoveryRate
        functions = difference.rowCount
        tested = difference.testedCount
        significant = difference.significantCount
        onePoint = difference.onePoint.map { PowerAnswer($0) }
        rows = difference.rows.map { DiffRow($0, isPerUnit: options.work != nil) }
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writeMembers(to: &writer)
        writer.key("rows")
        writer.array(rows)
        writer.endObject()
    }

    /// All but the rows.
    func writeMembers(to writer: inout JSONWriter) {
        writer.key("base")
        base.write(to: &writer)
        writer.key("against")
        against.write(to: &writer)
        writer.member("intervalOver", intervalOver)
        writer.member("intervalUnits", intervalUnits)
        writer.member("pairedUnits", pairedUnits)
        writer.member("sort", sort)
        writer.member("falseDiscoveryRate", falseDiscoveryRate)
        writer.member("functions", functions)
        writer.member("tested", tested)
        writer.member("significant", significant)
        writer.key("onePoint")
        if let onePoint { onePoint.write(to: &writer) } else { writer.null() }
    }
}
