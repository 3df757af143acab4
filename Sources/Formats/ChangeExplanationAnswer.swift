public import Analysis

/// What `timeline --explain-changes` adds to a change: `"fromHosts","toHosts","fromCoresPerHost","toCoresPerHost",
/// "deltaCores","deltaCoresLow","deltaCoresHigh","intervalOver","intervalUnits","verdict","functionsTested",
/// "functionsSignificant","visibleChange","functions":[rows as in diff]`.
public struct ChangeExplanationAnswer: Hashable, Sendable, Decodable {
    /// Hosts with samples before and after.
    public var fromHosts: Int
    public var toHosts: Int
    /// Of the whole series; nil where the type is no CPU time.
    public var fromCoresPerHost: Double?
    public var toCoresPerHost: Double?
    public var deltaCores: Double?
    public var deltaCoresLow: Double?
    public var deltaCoresHigh: Double?
    /// As in `diff`.
    public var intervalOver: String
    public var intervalUnits: Int
    /// functions, alike, withinNoise, began or ended.
    public var verdict: String
    public var functionsTested: Int
    public var functionsSignificant: Int
    /// The smallest change in share that would be seen four times in five in any function tested.
    public var visibleChange: Double?
    /// The first of those that changed beyond chance.
    public var functions: [DiffRow]

    public init(_ explanation: ChangeExplanation) {
        fromHosts = explanation.hostsBefore
        toHosts = explanation.hostsAfter
        fromCoresPerHost = explanation.coresBefore
        toCoresPerHost = explanation.coresAfter
        deltaCores = explanation.deltaCores?.value
        deltaCoresLow = explanation.deltaCores?.low
        deltaCoresHigh = explanation.deltaCores?.high
        intervalOver = explanation.basis.word
        intervalUnits = explanation.basis.unitCount
        verdict = explanation.verdict.rawValue
        functionsTested = explanation.testedCount
        functionsSignificant = explanation.significantCount
        visibleChange = explanation.visibleChange
        functions = explanation.rows.map { DiffRow($0, isPerUnit: false) }
    }

    func writeMembers(to writer: inout JSONWriter) {
        writer.member("fromHosts", fromHosts)
        writer.member("toHosts", toHosts)
        writer.member("fromCoresPerHost", fromCoresPerHost)
        writer.member("toCoresPerHost", toCoresPerHost)
        writer.member("deltaCores", deltaCores)
        writer.member("deltaCoresLow", deltaCoresLow)
        writer.member("deltaCoresHigh", deltaCoresHigh)
        writer.member("intervalOver", intervalOver)
        writer.member("intervalUnits", intervalUnits)
        writer.member("verdict", verdict)
        writer.member("functionsTested", functionsTested)
        writer.member("functionsSignificant", functionsSignificant)
        writer.member("visibleChange", visibleChange)
        writer.key("functions")
        writer.array(functions)
    }

    // MARK: As text

    /// What was found in one sentence.
    public var sentence: String {
        let tested = "\(Grouped.text(UInt64(functionsTested))) \(functionsTested == 1 ? "function" : "functions")"
        let hidden = visibleChange.map { "; the largest change in share that may hide is \(Percent.text($0))" } ?? ""
        switch ChangeExplanation.Verdict(rawValue: verdict) {
        case .functions:
            return "\(Grouped.text(UInt64(functionsSignificant))) of \(tested) changed their share beyond chance"
        case .alike:
            return "the load of all grew or shrank alike: none of \(tested) changed its share beyond chance" + hidden
        case .began: return "there were no samples of it before"
        case .ended: return "there are no samples of it after"
        case .withinNoise, nil:
            if functionsTested == 0 { return "within noise: no function was sampled often enough to tell" }
            return "within noise: none of \(tested) changed its share beyond chance" + hidden
        }
    }

    /// The first functions with what their cores changed by, or the sentence where there are none.
    public var remark: String {
        let moved = functions.filter { $0.movement != Movement.shareOnly.rawValue }
        guard !moved.isEmpty else { return sentence }
        return moved.prefix(3).map { row in
            row.deltaCores.map { "\(row.name) \(DiffTable.signed($0, places: 3)) cores/host" }
                ?? "\(row.name) \(DiffTable.points(row.delta)) points of share"
        }.joined(separator: ", ")
    }

    /// How many hosts, and what each of them used.
    public var levels: String {
        var text = fromHosts == toHosts ? hosts(toHosts) : "\(Grouped.text(UInt64(fromHosts))) → \(hosts(toHosts))"
        if let fromCoresPerHost, let toCoresPerHost, let deltaCores, let deltaCoresLow, let deltaCoresHigh {
            text +=
                ", \(Decimal.text(fromCoresPerHost, places: 3)) → \(Decimal.text(toCoresPerHost, places: 3)) cores/host"
            text += " (\(DiffTable.signed(deltaCores, places: 3)), 95 % interval "
            text += "\(DiffTable.signed(deltaCoresLow, places: 3)) to \(DiffTable.signed(deltaCoresHigh, places: 3)))"
        }
        return text
    }

    private func hosts(_ count: Int) -> String { "\(Grouped.text(UInt64(count))) \(count == 1 ? "host" : "hosts")" }

    /// Indented lines, each ended by a line feed.
    ///
    /// - Parameter sort: self or total: which value of functions was compared.
    public func text(sort: String) -> String {
        var lines = [levels, sentence]
        if !functions.isEmpty {
            var table = TextTable(columns: [
                ("cores/host", .right), ("95 % interval", .left), ("points of share", .right), ("95 % interval", .left),
                ("verdict", .left), (sort + " of", .left), ("where", .left),
            ])
            for row in functions {
                var cores = ["–", ""]
                if let delta = row.deltaCores, let low = row.deltaCoresLow, let high = row.deltaCoresHigh {
                    cores = [
                        DiffTable.signed(delta, places: 3),
                        "\(DiffTable.signed(low, places: 3)) to \(DiffTable.signed(high, places: 3))",
                    ]
                }
                table.add(
                    cores + [
                        DiffTable.points(row.delta),
                        "\(DiffTable.points(row.deltaLow)) to \(DiffTable.points(row.deltaHigh))",
                        DiffTable.verdict(row), row.name,
                        row.file.map { $0 + (row.line.map { ":\($0)" } ?? "") } ?? row.module ?? "",
                    ])
            }
            lines += table.text().split(separator: "\n").map(String.init)
            if functionsSignificant > functions.count {
                lines.append("and \(Grouped.text(UInt64(functionsSignificant - functions.count))) more")
            }
        }
        return lines.map { "    \($0)\n" }.joined()
    }
}
