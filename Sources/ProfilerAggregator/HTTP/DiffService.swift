import Analysis
import Dispatch
import FlameGraphs
import Formats
import ProfileStore
import Profiles
import SymbolTables

/// One side of a comparison as the store has it.
struct StoredSide: Sendable {
    var stored: SampleAnswer
    var asked: TimeRange

    func header(_ profile: NamedProfile) -> AnswerHeader {
        var coverage = Coverage(of: profile, hostsSilent: stored.silentHosts.count, dropped: stored.dropped)
        if stored.unreadableSamples > 0 { coverage.dropped["unreadable"] = stored.unreadableSamples }
        var header = AnswerHeader(of: profile, asked: asked, coverage: coverage)
        header.warnings = AnswerWarnings.warnings(header, about: .code)
        return header
    }
}

extension QueryService {
    func answer(_ question: DiffQuestion) async throws(APIError) -> Answer {
        let base = try await side(question.base, name: "base", names: question.names)
        let against = try await side(question.against, name: "against", names: question.names)
        let pair = await computed { SamplePair(base: base.stored.samples, against: against.stored.samples) }
        let modules = pair.samples.stacks.modules.map(\.identity)
        let tables: [ModuleIdentity: SymbolTable]
        do { tables = try await store.symbolTables(for: modules) } catch { throw APIError(error) }
        return await computed {
            let profiles = ProfilePair(
                pair, symbolizer: ModuleSymbolizer(tables: tables, names: question.names),
                baseRange: base.stored.coveredRange, againstRange: against.stored.coveredRange)
            let headers = (base.header(profiles.base), against.header(profiles.against))
            let warnings = [
                Self.warning(headers.0, side: "base"), Self.warning(headers.1, side: "against"),
            ]
            switch question.format {
            case .folded:
                let folded = DifferentialFolded(
                    of: profiles, withThreads: question.withThreads, withLines: question.withLines,
                    measure: question.measure, isPlain: question.isPlain)
                return Answer(
                    contentType: "text/plain; charset=utf-8", bytes: folded.bytes,
                    note: Self.note(of: warnings + [folded.note]))
            case .svg, .html:
                let tree = DifferenceTree(profiles, withThreads: question.withThreads)
                let measure = question.measure ?? profiles.naturalMeasure
                let rate = question.options.falseDiscoveryRate
                let movements = tree.movements(
                    of: profiles, falseDiscoveryRate: rate, work: question.options.work)
                func words(_ side: StoredSide, _ profile: NamedProfile) -> String {
                    let (start, end) = TimeText.pair(profile.range.start, profile.range.end)
                    return "\(Grouped.text(profile.sampleCount)) samples, \(start) to \(end)"
                }
                let subtitle = "base \(words(base, profiles.base)); against \(words(against, profiles.against))"
                if question.format == .html {
                    let rows = Difference(
                        profiles,
                        options: DifferenceOptions(
                            limit: Int.max, falseDiscoveryRate: rate, work: question.options.work)
                    ).rows
                    let page = FlameGraphPage(
                        tree, movements: movements, functions: rows, widths: question.widths, measure: measure,
                        unitName: profiles.base.unitName(measure), title: "Difference", subtitle: subtitle)
                    return Answer(
                        contentType: "text/html; charset=utf-8", bytes: page.html(), note: Self.note(of: warnings))
                }
                let graph = DifferentialFlameGraph(
                    tree, movements: movements, widths: question.widths, measure: measure,
                    unitName: profiles.base.unitName(measure))
                return Answer(
                    contentType: "image/svg+xml",
                    bytes: graph.svg(
                        title: "Difference, as wide as \(question.widths.rawValue)", subtitle: subtitle),
                    note: Self.note(of: warnings))
            case .json:
                let difference = Difference(profiles, options: question.options)
                let answer = DiffAnswer(
                    base: headers.0, against: headers.1, difference: difference, options: question.options)
                let rest: [String?] = [
                    difference.rows.count < difference.rowCount
                        ? "\(Grouped.text(UInt64(difference.rows.count))) of "
                            + "\(Grouped.text(UInt64(difference.rowCount))) functions; a larger limit shows more" : nil
                ]
                return Answer(
                    contentType: "application/json", bytes: answer.json() + [0x0A],
                    note: Self.note(of: warnings + rest))
            }
        }
    }

    /// The samples of a selection, those without the frames asked for left out.
    func side(_ question: Question, names: SymbolNames.Form) async throws(APIError) -> StoredSide {
        var stored = try await samples(question.selection, question.asked, detail: .stacks)
        stored.samples = filter(stored.samples, by: question.selection)
        guard !stored.samples.slices.isEmpty else { throw try await noData(question.selection, question.asked) }
        if !question.frames.isEmpty {
            let all = stored.samples
            let tables: [ModuleIdentity: SymbolTable]
            do {
                tables = try await store.symbolTables(for: all.stacks.modules.map(\.identity))
            } catch { throw APIError(error) }
            let symbolizer = ModuleSymbolizer(tables: tables, names: names)
            stored.samples = await computed { filter(all, byFrames: question.frames, symbolizer: symbolizer) }
            guard !stored.samples.slices.isEmpty else {
                throw Self.noFrame(question, NamedProfile(all, symbolizer: symbolizer))
            }
        }
        return StoredSide(stored: stored, asked: question.asked)
    }

    /// Likewise; errors say which side it is.
    func side(
        _ question: Question, name: String, names: SymbolNames.Form
    ) async throws(APIError) -> StoredSide {
        do throws(APIError) {
            return try await side(question, names: names)
        } catch {
            throw APIError(error.code, "\(name): \(error.message)", nearby: error.nearby)
        }
    }

    /// On a thread of the queries' own, so that ingest has the others.
    func computed<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            computing.async { continuation.resume(returning: body()) }
        }
    }
}
