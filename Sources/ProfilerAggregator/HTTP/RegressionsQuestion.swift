import Analysis
import Formats
import ProfileStore
import Profiles
import SymbolTables

/// A question of `regressions`: what grew of a service after a moment, or in a version beside the others.
struct RegressionsQuestion {
    var base: Question
    var against: Question
    var at: Timestamp?
    var newVersion: String?
    /// The least growth that counts, as text and as read.
    var minimum: (text: String, condition: FailCondition)?
    var options = DifferenceOptions()
    var names = SymbolNames.Form.short

    static let own = ["at", "new_version", "min", "sort", "limit", "fdr", "names"]

    /// Before a moment as long as after it, within these bounds; around a version a day.
    private static let shortestSide: Int64 = 600 * 1_000_000_000
    private static let longestSide: Int64 = 86_400 * 1_000_000_000

    init(parameters: [(name: String, value: String)], now: Timestamp) throws(APIError) {
        let values = try ParameterValues(parameters, own: Self.own, common: DiffQuestion.common, of: "regressions")
        func bound(_ name: String) -> Timestamp? {
            values.common.first { $0.name == name }.flatMap { RFC3339.timestamp($0.value) }
        }
        let end = bound("to") ?? now
        func question(_ from: Timestamp, _ to: Timestamp, version: String? = nil) throws(APIError) -> Question {
            var all = values.common.filter { $0.name != "from" && $0.name != "to" }
            all += [("from", RFC3339.text(from)), ("to", RFC3339.text(to))]
            if let version { all.append(("version", version)) }
            return try Question(.services, parameters: all, now: now)
        }
        // Whatever is wrong with the parameters of both sides is said before what is wrong with one.
        let whole = try Question(.services, parameters: values.common, now: now)
        guard whole.selection.services.contains(where: { !$0.isNegated }) else {
            throw APIError(.badRequest, "service is missing: regressions are those of a service")
        }
        switch (values.text("at"), values.text("new_version")) {
        case (let text?, nil):
            guard let moment = TimeExpression(text)?.moment(now: now) else {
                throw APIError(.badRequest, "at: '\(text)' is not \(TimeExpression.expected)")
            }
            let (difference, isBeyond) = end.nanoseconds.subtractingReportingOverflow(moment.nanoseconds)
            let after = isBeyond ? Self.longestSide : difference
            let start = bound("from") ?? moment + -min(Self.longestSide, max(Self.shortestSide, after))
            guard start < moment, moment < end else {
                let (first, last) = TimeText.pair(start, end)
                throw APIError(
                    .badRequest,
                    "at (\(TimeText.toSecond(moment))) does not lie between from (\(first)) and to (\(last))")
            }
            at = moment
            base = try question(start, moment)
            against = try question(moment, end)
        case (nil, let version?):
            guard !version.isEmpty, !version.hasPrefix("!") else {
                throw APIError(.badRequest, "new_version: '\(version)' is no version")
            }
            guard whole.selection.versions.isEmpty else {
                throw APIError(.badRequest, "version: give either it or new_version, not both")
            }
            newVersion = version
            let start = bound("from") ?? end + -Self.longestSide
            base = try question(start, end, version: "!" + version)
            against = try question(start, end, version: version)
        default:
            throw APIError(.badRequest, "give either at (a time) or new_version: what parts before from after")
        }
        if let text = values.text("min") {
            guard let condition = FailCondition("grew>" + text) else {
                throw APIError(
                    .badRequest, "min: '\(text)' is neither N% (points of share) nor N%rel (of the share before)")
            }
            minimum = (text, condition)
        }
        options.sort = try values.word("sort", RankingOrder.`self`)
        options.limit = try values.number("limit", 1...Question.maximumLimit) ?? options.limit
        options.falseDiscoveryRate = try values.fraction("fdr") ?? options.falseDiscoveryRate
        names = try values.word("names", SymbolNames.Form.short)
    }
}

extension QueryService {
    func answer(_ question: RegressionsQuestion) async throws(APIError) -> Answer {
        let names = question.newVersion == nil ? ("before", "after") : ("other versions", "the new version")
        let base = try await side(question.base, name: names.0, names: question.names)
        let against = try await side(question.against, name: names.1, names: question.names)
        let pair = await computed { SamplePair(base: base.stored.samples, against: against.stored.samples) }
        let tables: [ModuleIdentity: SymbolTable]
        do {
            tables = try await store.symbolTables(for: pair.samples.stacks.modules.map(\.identity))
        } catch { throw APIError(error) }
        let condition = question.minimum?.condition
        let (at, newVersion, minimum) = (question.at, question.newVersion, question.minimum?.text)
        let (options, form) = (question.options, question.names)
        return await computed {
            let profiles = ProfilePair(
                pair, symbolizer: ModuleSymbolizer(tables: tables, names: form),
                baseRange: base.stored.coveredRange, againstRange: against.stored.coveredRange)
            let regressions = Regressions(profiles, options: options) { row in
                condition?.isBroken(by: DiffRow(row, isPerUnit: false)) ?? true
            }
            let headers = (base.header(profiles.base), against.header(profiles.against))
            let answer = RegressionsAnswer(
                service: list(Inventory.services(pair.samples).map(\.name)), at: at, newVersion: newVersion,
                minimum: minimum, base: headers.0, against: headers.1, regressions: regressions, options: options)
            let note = Self.note(of: [
                Self.warning(headers.0, side: names.0), Self.warning(headers.1, side: names.1),
                regressions.grown.count < regressions.grownCount
                    ? "\(regressions.grown.count) of \(regressions.grownCount) functions; a larger limit shows more"
                    : nil,
            ])
            return Answer(contentType: "application/json", bytes: answer.json() + [0x0A], note: note)
        }
    }
}
