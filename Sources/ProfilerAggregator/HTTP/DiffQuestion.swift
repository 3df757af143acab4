import Analysis
import FlameGraphs
import Formats
import Profiles
import Settings
import SymbolTables

/// A question of `diff`: two selections and how they are compared.
struct DiffQuestion {
    enum Format: String, CaseIterable {
        case json, folded, svg, html
    }

    /// Each side is a selection and a time, read as those of any other question.
    var base: Question
    var against: Question
    var options = DifferenceOptions()
    var names = SymbolNames.Form.short
    var format = Format.json
    var measure: Measure?
    var widths = DifferentialFlameGraph.Widths.against
    var withThreads = false
    var withLines = false
    var isPlain = false

    /// Of both sides, unless a side says otherwise.
    static let common = Question.parameters(of: .services).filter { $0 != "explain" }
    static let own = [
        "base", "against", "sort", "order", "limit", "fdr", "names", "format", "value", "threads", "lines", "plain",
        "widths", "work",
    ]

    init(parameters: [(name: String, value: String)], now: Timestamp) throws(APIError) {
        let values = try ParameterValues(parameters, own: Self.own, common: Self.common, of: "diff")
        func side(_ name: String) throws(APIError) -> Question {
            guard let text = values.text(name) else {
                throw APIError(
                    .badRequest, "\(name) is missing: a selection such as service=web,from=-2h,to=-1h")
            }
            let selection = try SelectionText(text, name: name, common: values.common, now: now)
            do throws(APIError) {
                return try Question(.services, parameters: selection.parameters, now: now)
            } catch {
                throw APIError(error.code, "\(name): \(error.message)", nearby: error.nearby)
            }
        }
        base = try side("base")
        against = try side("against")
        guard base.selection.type == against.selection.type else {
            throw APIError(
                .badRequest,
                "base is of type \(base.selection.type), against of \(against.selection.type): both must be of one")
        }
        options.sort = try values.word("sort", RankingOrder.total)
        options.order = try values.word("order", DifferenceOrder.evidence)
        options.limit = try values.number("limit", 1...Question.maximumLimit) ?? options.limit
        options.falseDiscoveryRate = try values.fraction("fdr") ?? options.falseDiscoveryRate
        if let text = values.text("work") {
            guard let work = WorkDone(text) else {
                throw APIError(.badRequest, "work: '\(text)' is not \(WorkDone.expected)")
            }
            options.work = work
        }
        names = try values.word("names", SymbolNames.Form.short)
        format = try values.word("format", Format.json)
        if values.isGiven("value") { measure = try values.word("value", Measure.samples) }
        withThreads = try values.flag("threads")
        withLines = try values.flag("lines")
        isPlain = try values.flag("plain")
        widths = try values.word("widths", DifferentialFlameGraph.Widths.against)
    }
}

/// The parameters of a comparison: those of its own, and those of selections that hold for all of it.
struct ParameterValues {
    private var given: [String: String] = [:]
    private(set) var common: [(name: String, value: String)] = []

    init(
        _ parameters: [(name: String, value: String)], own: [String], common shared: [String], of endpoint: String
    ) throws(APIError) {
        for (name, value) in parameters {
            if own.contains(name) {
                guard given.updateValue(value, forKey: name) == nil else {
                    throw APIError(.badRequest, "\(name): given more than once")
                }
            } else if shared.contains(name) {
                common.append((name, value))
            } else {
                let known = own + shared
                throw APIError(
                    .badRequest, "\(name) is no parameter of \(endpoint)",
                    nearby: nearestName(to: name, among: known).map { [$0] } ?? known)
            }
        }
    }

    func isGiven(_ name: String) -> Bool { given[name] != nil }

    func text(_ name: String) -> String? { given[name] }

    func word<Word: RawRepresentable & CaseIterable>(
        _ name: String, _ fallback: Word
    ) throws(APIError) -> Word where Word.RawValue == String {
        guard let text = given[name] else { return fallback }
        guard let word = Word(rawValue: text) else {
            throw APIError(.badRequest, "\(name): '\(text)' is not known", nearby: Word.allCases.map(\.rawValue))
        }
        return word
    }

    func flag(_ name: String) throws(APIError) -> Bool {
        switch given[name] {
        case nil, "false", "0": return false
        case "", "true", "1": return true
        case let text?: throw APIError(.badRequest, "\(name): '\(text)' is neither true nor false")
        }
    }

    func number(_ name: String, _ range: ClosedRange<Int>) throws(APIError) -> Int? {
        guard let text = given[name] else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw APIError(
                .badRequest, "\(name): '\(text)' is not a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// From 10⁻⁶, below which no sum of probabilities is told from 1, and below 1.
    func fraction(_ name: String) throws(APIError) -> Double? {
        guard let text = given[name] else { return nil }
        guard let number = Double(text), number >= 1e-6, number < 1 else {
            throw APIError(.badRequest, "\(name): '\(text)' is not a number from 0.000001 to 1")
        }
        return number
    }
}
