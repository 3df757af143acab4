import Analysis
import Dispatch
import FlameGraphs
import Formats
import Patterns
import ProfileStore
import Profiles
import Settings
import SymbolTables

/// Answers questions: the store's samples, filtered, named, ranked or drawn, by the code that `perf-agent profile` uses.
struct QueryService: Sendable {
    struct Answer: Sendable {
        var contentType: String
        var bytes: [UInt8]
        /// What a reader of the answer should know.
        var note: String?
        /// What was done for it, where that was asked for.
        var explanation: String?
    }

    let store: any ProfileStore
    let timeLimit: Duration
    let price: CorePrice?
    private let cache = AnswerCache(maximumBytes: 64 << 20)
    /// Ranking and drawing may take long; they get threads of their own, so that ingest has the others.
    let computing = DispatchQueue(label: "query.compute", attributes: .concurrent)

    init(store: any ProfileStore, timeLimit: Duration, price: CorePrice? = nil) {
        self.store = store
        self.price = price
        self.timeLimit = timeLimit
    }

    /// The answer, from memory where the same was asked of the same store.
    func answer(_ question: Question) async throws(APIError) -> Answer {
        var explanation = Explanation()
        var key = question
        key.isExplained = false
        // Taken before anything is read: what is committed meanwhile makes the next question's version another.
        let version = await store.version()
        var answer: Answer
        if let known = cache.answer(to: key, version: version) {
            answer = known
            explanation.finished("found the answer in memory, of store version \(version)")
        } else {
            answer = try await freshAnswer(key, &explanation)
            cache.keep(answer, to: key, version: version)
        }
        if question.isExplained { answer.explanation = explanation.text }
        return answer
    }

    private func freshAnswer(
        _ question: Question, _ explanation: inout Explanation
    ) async throws(APIError) -> Answer {
        let needsStacks =
            question.endpoint == .top && (question.dimension.needsStacks || !question.filter.isEmpty)
            || question.endpoint == .timeline
                && (question.explainsChanges || question.seriesBy?.needsStacks ?? false || !question.filter.isEmpty)
            || question.endpoint == .flamegraph || !question.selection.processes.isEmpty
            || !question.selection.threads.isEmpty || !question.selection.frames.isEmpty
        var stored = try await samples(
            question.selection, question.asked, detail: needsStacks ? .stacks : .totals)
        let rows = stored.samples.slices.reduce(0) { $0 + $1.stacks.nodes.count }
        explanation.finished(
            "read \(stored.samples.slices.count) slices with \(rows) rows of \(stored.samples.hosts.count) hosts, merged "
                + "into \(stored.samples.stacks.nodes.count) nodes of \(stored.samples.stacks.frames.count) frames")
        let selection = question.selection
        stored.samples = filter(stored.samples, by: selection)
        explanation.finished("selected \(stored.samples.slices.count) slices")
        guard !stored.samples.slices.isEmpty else { throw try await noData(selection, question.asked) }

        var modules: [ModuleIdentity] = []
        if [.top, .flamegraph, .timeline].contains(question.endpoint) || !question.frames.isEmpty {
            modules = stored.samples.stacks.modules.map(\.identity)
        }
        let tables: [ModuleIdentity: SymbolTable]
        do { tables = try await store.symbolTables(for: modules) } catch { throw APIError(error) }
        explanation.finished("looked up \(tables.count) symbol tables of \(modules.count) modules")
        let answer = stored
        let material = Material(
            tables: tables, price: price,
            delivered: question.endpoint == .timeline ? try await delivered(question) : SampleSet())
        let result = await withCheckedContinuation { continuation in
            computing.async { continuation.resume(returning: Self.compute(question, answer, material)) }
        }
        explanation.finished("named, ranked, drew and wrote")
        return try result.get()
    }

    func agents() async throws(APIError) -> Answer {
        let accounts: [AgentAccount]
        do { accounts = try await store.agents() } catch { throw APIError(error) }
        let rows = accounts.map { account in
            var ledger = Ledger()
            ledger.taken = account.taken
            ledger.dropped = account.dropped
            return AgentsAnswer.Row(
                id: account.id, host: account.host, version: account.version, lastSeen: account.lastSeen,
                rate: account.samplesPerSecond > 0 ? account.samplesPerSecond : nil,
                samples: SampleAccount(ledger: ledger, stored: account.stored),
                clockOffsetSeconds: Double(account.clockOffsetNanoseconds) / 1e9)
        }
        return Answer(contentType: "application/json", bytes: AgentsAnswer(agents: rows).json() + [0x0A])
    }

    /// What answering takes beside the samples.
    private struct Material: Sendable {
        var tables: [ModuleIdentity: SymbolTable]
        var price: CorePrice?
        /// Of a timeline: who delivered when.
        var delivered: SampleSet
    }

    private static func compute(
        _ question: Question, _ all: SampleAnswer, _ material: Material
    ) -> Result<Answer, APIError> {
        let symbolizer = ModuleSymbolizer(tables: material.tables, names: question.names)
        var stored = all
        stored.samples = filter(all.samples, byFrames: question.frames, symbolizer: symbolizer)
        if stored.samples.slices.isEmpty {
            return .failure(noFrame(question, NamedProfile(all.samples, symbolizer: symbolizer)))
        }
        var functions: Set<String> = []
        if let (_, function) = question.relation {
            let profile = NamedProfile(stored.samples, symbolizer: symbolizer)
            do throws(PatternError) {
                functions = try profile.functions(function)
            } catch {
                return .failure(APIError(error, parameter: question.callersOf == nil ? "callees_of" : "callers_of"))
            }
            if functions.isEmpty { return .failure(noFunction(function, profile)) }
            stored.samples = filter(stored.samples, holding: functions, symbolizer: symbolizer)
        }
        let profile = NamedProfile(
            stored.samples, symbolizer: symbolizer, range: stored.coveredRange, filter: question.filter)
        if profile.shown.samples == 0, !question.filter.isEmpty {
            return .failure(nothingShown(question, NamedProfile(stored.samples, symbolizer: symbolizer)))
        }
        do throws(APIError) {
            return .success(try compute(question, stored, profile, functions, material))
        } catch {
            return .failure(error)
        }
    }

    private static func coverage(_ profile: NamedProfile, _ stored: SampleAnswer) -> Coverage {
        var coverage = Coverage(of: profile, hostsSilent: stored.silentHosts.count, dropped: stored.dropped)
        if stored.unreadableSamples > 0 { coverage.dropped["unreadable"] = stored.unreadableSamples }
        return coverage
    }

    private static func compute(
        _ question: Question, _ stored: SampleAnswer, _ profile: NamedProfile, _ functions: Set<String>,
        _ material: Material
    ) throws(APIError) -> Answer {
        let coverage = coverage(profile, stored)
        let isAboutCode = question.endpoint == .flamegraph || question.endpoint == .top && question.dimension.isCode
        func judged(_ header: AnswerHeader) -> AnswerHeader {
            var header = header
            header.warnings = AnswerWarnings.warnings(header, about: isAboutCode ? .code : .owners)
            return header
        }
        func header() -> AnswerHeader {
            judged(AnswerHeader(of: profile, asked: question.asked, coverage: coverage))
        }
        let warning = Self.warning(header())
        func json(_ answer: some JSONAnswer, note: String? = nil) -> Answer {
            Answer(
                contentType: "application/json", bytes: answer.json() + [0x0A],
                note: Self.note(of: [warning, note]))
        }
        if question.endpoint == .flamegraph, let format = question.format.ofTool {
            return Answer(
                contentType: format.contentType,
                bytes: format.file(
                    of: stored.samples, named: profile,
                    symbolizer: ModuleSymbolizer(tables: material.tables, names: question.names),
                    title: title(of: question),
                    remark: subtitle(profile, coverage)), note: note(of: [warning, filterNote(profile)]))
        }
        switch question.endpoint {
        case .top:
            let ranking =
                question.relation.map {
                    profile.ranking($0.0, of: functions, sort: question.order, limit: question.limit)
                } ?? profile.ranking(by: question.dimension, sort: question.order, limit: question.limit)
            var top = TopAnswer(of: profile, ranking: ranking, asked: question.asked, coverage: coverage)
            if question.byCost { top.addCosts(of: profile, price: material.price) }
            if question.relation != nil { top.of = functions.sorted() }
            top.header = judged(top.header)
            var answer = json(top)
            answer.note = note(of: [Self.warning(top.header), note(ranking, of: question), filterNote(profile)])
            return answer
        case .services:
            return json(
                ServicesAnswer(
                    header: header(), rows: Inventory.services(stored.samples, range: stored.coveredRange)))
        case .hosts:
            return json(
                HostsAnswer(header: header(), rows: Inventory.hosts(stored.samples, range: stored.coveredRange)))
        case .labels:
            return json(
                LabelsAnswer(header: header(), rows: Inventory.labels(stored.samples, range: stored.coveredRange)))
        case .types:
            return json(
                TypesAnswer(header: header(), rows: Inventory.types(stored.samples, range: stored.coveredRange)))
        case .timeline:
            var answer = try timeline(
                profile, of: stored.samples,
                symbolizer: ModuleSymbolizer(tables: material.tables, names: question.names), question,
                delivered: material.delivered, header: header(), subtitle: subtitle(profile, coverage))
            answer.note = note(of: [warning, answer.note, filterNote(profile)])
            return answer
        case .flamegraph:
            switch question.format {
            case .json:
                let tree = profile.callTree(withThreads: question.withThreads)
                let answer = FlameGraphAnswer(header: header(), tree: tree, withKinds: question.withKinds)
                return json(answer, note: filterNote(profile))
            case .folded:
                let folded = Folded(
                    of: profile, withThreads: question.withThreads, withLines: question.withLines,
                    measure: question.measure, isPlain: question.isPlain)
                return Answer(
                    contentType: "text/plain; charset=utf-8", bytes: folded.bytes,
                    note: note(of: [warning, folded.note, filterNote(profile)]))
            case .html:
                let measure = question.measure ?? profile.naturalMeasure
                let page = FlameGraphPage(
                    profile.callTree(withThreads: question.withThreads), measure: measure,
                    unitName: profile.unitName(measure), title: title(of: question),
                    subtitle: subtitle(profile, coverage))
                return Answer(
                    contentType: "text/html; charset=utf-8", bytes: page.html(),
                    note: note(of: [warning, filterNote(profile)]))
            case .svg, .pprof, .speedscope, .firefox, .perfScript:
                let measure = question.measure ?? profile.naturalMeasure
                let graph = FlameGraph(
                    profile.callTree(withThreads: question.withThreads), measure: measure,
                    unitName: profile.unitName(measure))
                let svg = graph.svg(title: title(of: question), subtitle: subtitle(profile, coverage))
                return Answer(contentType: "image/svg+xml", bytes: svg, note: note(of: [warning, filterNote(profile)]))
            }
        }
    }

    /// Several sentences as one; nil where there is none.
    static func note(of parts: [String?]) -> String? {
        let said = parts.compactMap { $0 }
        return said.isEmpty ? nil : said.joined(separator: "; ")
    }

    /// - Parameter side: which one of several it is about.
    static func warning(_ header: AnswerHeader, side: String? = nil) -> String? {
        let warnings = header.warnings ?? []
        return warnings.isEmpty ? nil : "warning: " + (side.map { "\($0): " } ?? "") + warnings.joined(separator: "; ")
    }

    /// Says which filters match nothing.
    private static func filterNote(_ profile: NamedProfile) -> String? {
        profile.shown.unmatched.isEmpty ? nil : "no frame matches \(list(profile.shown.unmatched.map { "--" + $0 }))"
    }

    /// Says that rows were cut, or why there are no lines; nil where neither is so.
    private static func note(_ ranking: Ranking, of question: Question) -> String? {
        if question.dimension == .line, ranking.rowCount == 0 {
            return "nothing that was sampled has line tables (debug information)"
        }
        guard ranking.rowCount > ranking.rows.count else { return nil }
        let counts = [ranking.rows.count, ranking.rowCount].map { Grouped.text(UInt64($0)) }
        return "\(counts[0]) of \(counts[1]) rows"
            + (question.limit < Question.maximumLimit
                ? "; a larger limit shows more" : ", as many as an answer may have")
    }

    static func title(of question: Question) -> String {
        let services = question.selection.services.map { ($0.isNegated ? "!" : "") + $0.glob }
        return services.isEmpty ? "All services" : list(services)
    }

    private static func subtitle(_ profile: NamedProfile, _ coverage: Coverage) -> String {
        let hosts = coverage.hosts == 1 ? "1 host" : "\(coverage.hosts) hosts"
        let dropped = coverage.dropped.values.reduce(0, &+)
        let (start, end) = TimeText.pair(profile.range.start, profile.range.end)
        return "\(profile.type.name), \(profile.sampleCount) samples of \(hosts), "
            + "\(start) to \(end)"
            + (SummaryLine.stacks(coverage, of: profile.sampleCount).map { ", \($0)" } ?? "")
            + (profile.shown.samples < profile.sampleCount
                ? ", \(profile.shown.samples) samples of them shown" : "")
            + (dropped > 0 ? ", \(dropped) samples dropped" : "")
    }

    func samples(
        _ selection: Selection, _ range: TimeRange, detail: SampleQuery.Detail, wantsEmptyWindows: Bool = false
    ) async throws(APIError) -> SampleAnswer {
        do {
            return try await store.samples(
                SampleQuery(
                    selection: selection, range: range, detail: detail, timeLimit: timeLimit,
                    wantsEmptyWindows: wantsEmptyWindows))
        } catch {
            throw APIError(error)
        }
    }
}
