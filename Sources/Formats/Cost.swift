public import Analysis

/// What one core costs.
public struct CorePrice: Hashable, Sendable, Decodable, JSONAnswer {
    public var perCoreHour: Double
    /// Empty where nobody said which.
    public var currency: String

    public init(perCoreHour: Double, currency: String) {
        self.perCoreHour = perCoreHour
        self.currency = currency
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("perCoreHour", perCoreHour)
        writer.member("currency", currency)
        writer.endObject()
    }
}

/// What a row of a ranking uses, and what that costs as long as it goes on like this. Amounts are nil without a price.
public struct RowCost: Hashable, Sendable, Decodable, JSONAnswer {
    /// CPU seconds per second of the range.
    public var selfCores: Double
    public var totalCores: Double
    /// By the interval of the total share; the use of all samples together is taken as it was.
    public var totalCoresLow: Double
    public var totalCoresHigh: Double
    /// Of the total.
    public var perHour: Double?
    public var perDay: Double?

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("selfCores", selfCores)
        writer.member("totalCores", totalCores)
        writer.member("totalCoresLow", totalCoresLow)
        writer.member("totalCoresHigh", totalCoresHigh)
        writer.member("perHour", perHour)
        writer.member("perDay", perDay)
        writer.endObject()
    }
}

extension TopAnswer {
    /// Joins shares to the cores that the whole used; rows have no costs where that is no CPU time.
    public mutating func addCosts(of profile: NamedProfile, price: CorePrice?) {
        self.price = price
        guard let all = profile.cores(profile.totalValue) else { return }
        for index in rows.indices {
            let row = rows[index]
            let cores = row.totalShare * all
            let perHour = price.map { cores * $0.perCoreHour }
            rows[index].cost = RowCost(
                selfCores: row.selfShare * all, totalCores: cores, totalCoresLow: row.totalShareLow * all,
                totalCoresHigh: row.totalShareHigh * all, perHour: perHour, perDay: perHour.map { $0 * 24 })
        }
    }
}

/// The answer of `top --by-cost` as text.
public struct CostTable: Sendable {
    private let answer: TopAnswer
    private let title: String

    public init(_ answer: TopAnswer, title: String) {
        self.answer = answer
        self.title = title
    }

    public func text(inColour: Bool = false) -> String {
        var columns: [(title: String, alignment: TextTable.Alignment)] = [
            ("self cores", .right), ("total cores", .right), ("95 % interval", .left), ("total", .right),
        ]
        let currency = answer.price.map { $0.currency.isEmpty ? "" : " " + $0.currency }
        if let currency { columns += [("an hour\(currency)", .right), ("a day\(currency)", .right)] }
        columns.append((title, .left))
        var table = TextTable(columns: columns)
        for row in answer.rows {
            guard let cost = row.cost else { continue }
            var cells = [
                Decimal.text(cost.selfCores, places: 3), Decimal.text(cost.totalCores, places: 3),
                "\(Decimal.text(cost.totalCoresLow, places: 3))–\(Decimal.text(cost.totalCoresHigh, places: 3))",
                Percent.text(row.totalShare),
            ]
            if currency != nil {
                cells += [cost.perHour, cost.perDay].map { $0.map { Decimal.text($0, places: 2) } ?? "–" }
            }
            table.add(cells + [row.name])
        }
        let price =
            answer.price == nil
            ? "no price of a core is set (pricePerCoreHour in aggregator.yaml), so there are cores and no money\n" : ""
        return SummaryLine.text(answer.header) + "\n" + price + "\n" + table.text(inColour: inColour)
    }
}
