import Analysis
import Formats
import Patterns
import Profiles
import Settings
import SymbolTables

/// A question of the HTTP API, read from the parameters of its URI.
struct Question: Hashable {
    enum Endpoint: String, CaseIterable, Sendable {
        case top, flamegraph, timeline, services, hosts, labels, types
    }

    enum Format: String, CaseIterable {
        case svg, html, folded, json, pprof, speedscope, firefox
        case perfScript = "perf-script"

        /// nil for what is drawn and told in this project's own ways.
        var ofTool: ToolFormat? { ToolFormat(rawValue: rawValue) }
    }

    var endpoint: Endpoint
    var selection = Selection()
    /// Those of the selection, compiled.
    var frames: FrameSelection
    var filter = FrameFilter()
    var asked: TimeRange
    var dimension = Dimension.function
    var order = RankingOrder.`self`
    /// Functions whose callers or callees the rows are: a name, or a regular expression.
    var relation: (CallRelation, String)? { callersOf.map { (.callers, $0) } ?? calleesOf.map { (.callees, $0) } }
    var callersOf: String?
    var calleesOf: String?
    /// Adds cores and money to the rows.
    var byCost = false
    /// Says with the answer what was done for it.
    var isExplained = false
    var limit = 20
    var format = Format.svg
    var withThreads = false
    var withLines = false
    var names = SymbolNames.Form.short
    var measure: Measure?
    var isPlain = false
    /// Whether JSON says what kind of code each node is.
    var withKinds = false
    /// What a timeline's series are of; nil for one of everything.
    var seriesBy: Dimension?
    /// Nanoseconds of a timeline's step; nil leaves it to the range.
    var step: Int64?
    /// Says of a timeline's changes what changed in the stacks.
    var explainsChanges = false

    static let defaultRange: Int64 = 15 * 60 * 1_000_000_000
    static let maximumLimit = 10_000
    private static let maximumPatterns = 100
    private static let maximumPatternBytes = 1024
    /// Names of the parameters that an endpoint takes.
    static func parameters(of endpoint: Endpoint) -> [String] {
        let common = [
            "service", "version", "label", "host", "process", "thread", "frame", "type", "from", "to", "explain",
        ]
        let filters = ["focus", "ignore", "hide", "show_from"]
        return switch endpoint {
        case .top: common + filters + ["by", "callers_of", "callees_of", "cost", "sort", "limit", "names"]
        case .flamegraph: common + filters + ["format", "threads", "lines", "value", "plain", "kinds", "names"]
        case .timeline: common + filters + ["by", "sort", "limit", "step", "explain_changes", "format", "names"]
        case .services, .hosts, .labels, .types: common
        }
    }

    init(
        _ endpoint: Endpoint, parameters: [(name: String, value: String)], now: Timestamp
    ) throws(APIError) {
        self.endpoint = endpoint
        let known = Self.parameters(of: endpoint)
        var given: [String: [String]] = [:]
        for (name, value) in parameters {
            guard known.contains(name) else {
                let nearest = nearestName(to: name, among: known)
                throw APIError(
                    .badRequest, "\(name) is no parameter of \(endpoint.rawValue)",
                    nearby: nearest.map { [$0] } ?? known)
            }
            guard value.utf8.count <= Self.maximumPatternBytes else {
                throw APIError(.badRequest, "\(name): longer than \(Self.maximumPatternBytes) bytes")
            }
            given[name, default: []].append(value)
        }
        func patterns(_ name: String) throws(APIError) -> [NamePattern] {
            let values = given[name] ?? []
            guard values.count <= Self.maximumPatterns else {
                throw APIError(.badRequest, "\(name): more than \(Self.maximumPatterns) patterns")
            }
            return values.map { NamePattern($0) }
        }
        func labels() throws(APIError) -> [LabelPattern] {
            var labels: [LabelPattern] = []
            for pattern in try patterns("label") {
                let text = (pattern.isNegated ? "!" : "") + pattern.glob
                guard let label = LabelPattern(text) else {
                    throw APIError(.badRequest, "label: '\(text)' is neither NAME=VALUE nor NAME!=VALUE")
                }
                labels.append(label)
            }
            return labels
        }
        func expression(_ name: String) throws(APIError) -> RegularExpression? {
            guard let text = try single(name), !text.isEmpty else { return nil }
            do { return try RegularExpression(text) } catch { throw APIError(error, parameter: name) }
        }
        func single(_ name: String) throws(APIError) -> String? {
            let values = given[name] ?? []
            guard values.count <= 1 else { throw APIError(.badRequest, "\(name): given \(values.count) times") }
            return values.first
        }
        func word<Word: RawRepresentable & CaseIterable>(
            _ name: String, _ fallback: Word
        ) throws(APIError) -> Word where Word.RawValue == String {
            guard let text = try single(name) else { return fallback }
            guard let word = Word(rawValue: text) else {
                throw APIError(
                    .badRequest, "\(name): '\(text)' is not known", nearby: Word.allCases.map(\.rawValue))
            }
            return word
        }
        func flag(_ name: String) throws(APIError) -> Bool {
            switch try single(name) {
            case nil, "false", "0": return false
            case "", "true", "1": return true
            case let text?: throw APIError(.badRequest, "\(name): '\(text)' is neither true nor false")
            }
        }
        func moment(_ name: String) throws(APIError) -> Timestamp? {
            guard let text = try single(name) else { return nil }
            guard let moment = RFC3339.timestamp(text) else {
                throw APIError(
                    .badRequest,
                    "\(name): '\(text)' is no time as RFC 3339 writes it, such as \(TimeText.toSecond(now))")
            }
            return moment
        }

        let to = try moment("to") ?? now
        let from = try moment("from") ?? (to + -Self.defaultRange)
        guard from < to else {
            let (start, end) = TimeText.pair(from, to)
            throw APIError(.badRequest, "from (\(start)) is not before to (\(end))")
        }
        asked = TimeRange(start: from, end: to)
        selection = Selection(
            services: try patterns("service"), versions: try patterns("version"), labels: try labels(),
            hosts: try patterns("host"), processes: try patterns("process"), threads: try patterns("thread"),
            frames: try patterns("frame"))
        do { frames = try FrameSelection(selection.frames) } catch { throw APIError(error, parameter: "frame") }
        filter = FrameFilter(
            focus: try expression("focus"), ignore: try expression("ignore"), hide: try expression("hide"),
            showFrom: try expression("show_from"))
        if let type = try single("type") {
            guard !type.isEmpty else { throw APIError(.badRequest, "type: it is empty") }
            selection.type = type
        }
        if let text = try single("by"), endpoint != .timeline || text != "all" {
            guard let dimension = Dimension(text) else {
                throw APIError(.badRequest, "by: '\(text)' is not known", nearby: Dimension.words)
            }
            self.dimension = dimension
            seriesBy = dimension
        }
        (callersOf, calleesOf) = (try single("callers_of"), try single("callees_of"))
        if let (_, function) = relation {
            guard callersOf == nil || calleesOf == nil, dimension == .function else {
                throw APIError(.badRequest, "callers_of and callees_of go neither together nor with by")
            }
            // A name need not be an expression; one that is neither is told when the names are known.
            guard !function.isEmpty else { throw APIError(.badRequest, "callers_of, callees_of: an empty name") }
        }
        byCost = try flag("cost")
        isExplained = try flag("explain")
        explainsChanges = try flag("explain_changes")
        if endpoint == .timeline { limit = 10 }
        if let text = try single("step") {
            guard let seconds = Double(text), seconds > 0, seconds <= 1e9 else {
                throw APIError(.badRequest, "step: '\(text)' is no number of seconds")
            }
            step = max(1, Int64(seconds * 1e9))
        }
        order = try word("sort", relation == nil ? RankingOrder.`self` : .total)
        format = try word("format", endpoint == .timeline ? Format.json : .svg)
        if endpoint == .timeline, ![.json, .svg].contains(format) {
            throw APIError(
                .badRequest, "format: a timeline is no \(format.rawValue)", nearby: ["json", "svg"])
        }
        if !filter.isEmpty, format == .pprof || format == .perfScript {
            throw APIError(
                .badRequest,
                "focus, ignore, hide and show_from don't go with format \(format.rawValue): it tells addresses, and its own"
                    + " tools have such filters")
        }
        if given["value"] != nil { measure = try word("value", Measure.samples) }
        withThreads = try flag("threads")
        withLines = try flag("lines")
        isPlain = try flag("plain")
        withKinds = try flag("kinds")
        names = try word("names", SymbolNames.Form.short)
        if let text = try single("limit") {
            guard let limit = Int(text), (1...Self.maximumLimit).contains(limit) else {
                throw APIError(.badRequest, "limit: '\(text)' is not a number from 1 to \(Self.maximumLimit)")
            }
            self.limit = limit
        }
    }
}

/// Words in a sentence.
func list(_ words: [String]) -> String { words.joined(separator: ", ") }
