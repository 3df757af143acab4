import Analysis
import Formats
import ProfileStore
import Profiles
import SymbolTables

/// A question of `compare-hosts`: the hosts of a service, each against the rest.
struct CompareHostsQuestion {
    var question: Question
    var falseDiscoveryRate = 0.05
    var limit = 20
    /// Of each host.
    var functions = 5
    var names = SymbolNames.Form.short

    static let own = ["limit", "fdr", "functions", "names"]

    init(parameters: [(name: String, value: String)], now: Timestamp) throws(APIError) {
        let values = try ParameterValues(
            parameters, own: Self.own, common: DiffQuestion.common, of: "compare-hosts")
        question = try Question(.services, parameters: values.common, now: now)
        guard question.selection.services.contains(where: { !$0.isNegated }) else {
            throw APIError(.badRequest, "service is missing: hosts are compared within a service")
        }
        limit = try values.number("limit", 1...Question.maximumLimit) ?? limit
        functions = try values.number("functions", 1...1000) ?? functions
        falseDiscoveryRate = try values.fraction("fdr") ?? falseDiscoveryRate
        names = try values.word("names", SymbolNames.Form.short)
    }
}

extension QueryService {
    func answer(_ question: CompareHostsQuestion) async throws(APIError) -> Answer {
        let side = try await side(question.question, names: question.names)
        let tables: [ModuleIdentity: SymbolTable]
        do {
            tables = try await store.symbolTables(for: side.stored.samples.stacks.modules.map(\.identity))
        } catch { throw APIError(error) }
        return await computed {
            let profile = NamedProfile(
                side.stored.samples, symbolizer: ModuleSymbolizer(tables: tables, names: question.names),
                range: side.stored.coveredRange)
            let comparison = HostComparison(
                profile, falseDiscoveryRate: question.falseDiscoveryRate, limit: question.limit,
                functionLimit: question.functions)
            let services = Inventory.services(side.stored.samples).map(\.name)
            let header = side.header(profile)
            let answer = CompareHostsAnswer(header: header, service: list(services), comparison: comparison)
            let note = Self.note(of: [
                Self.warning(header),
                comparison.hosts.count < comparison.hostCount
                    ? "\(comparison.hosts.count) of \(comparison.hostCount) hosts; a larger limit shows more" : nil,
            ])
            return Answer(contentType: "application/json", bytes: answer.json() + [0x0A], note: note)
        }
    }
}
