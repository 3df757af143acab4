internal import ArgumentParser
internal import Formats
internal import QueryAPI

struct CompareHostsVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare-hosts",
        abstract: "Holds each host of a service against the rest: which differ beyond chance, in which functions.",
        discussion: """
            distance is half the sum of differences of self shares, less what drawing samples alone would give: 0 % is a \
            host like the others, 100 % one that does nothing of what they do. It is called different where it is farther \
            off than hosts of this service usually are, by the false-discovery rate. Labels that odd hosts share are told.

            EXAMPLES:
              perf-query compare-hosts --service web --since 1h
              perf-query compare-hosts --service web --functions 20 --json
            """)

    @OptionGroup var server: ServerOptions
    @OptionGroup var time: TimeOptions
    @OptionGroup var selection: SelectionOptions

    @Option(help: ArgumentHelp("Hosts at most; those that differ come first.", valueName: "n"))
    var limit = 20

    @Option(help: ArgumentHelp("Functions of each host at most.", valueName: "n"))
    var functions = 5

    @Option(help: ArgumentHelp("The rate of false discoveries that is accepted.", valueName: "rate"))
    var fdr = 0.05

    @OptionGroup var names: NameOptions
    @OptionGroup var table: TableOptions

    func validate() throws {
        if selection.explain { throw ValidationError("--explain: compare-hosts does not tell its steps yet") }
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit must be 1 to 10000") }
        guard (1...1000).contains(functions) else { throw ValidationError("--functions must be 1 to 1000") }
        guard fdr >= 1e-6, fdr < 1 else { throw ValidationError("--fdr must lie between 0.000001 and 1") }
        guard selection.service.contains(where: { !$0.hasPrefix("!") }) else {
            throw ValidationError("--service is missing: hosts are compared within a service")
        }
    }

    func run() async throws {
        try await reporting { () async throws(Failure) in
            var request = QueryRequest(.compareHosts)
            selection.add(to: &request)
            request.add(try asked(time))
            request.add("limit", String(limit))
            request.add("functions", String(functions))
            if fdr != 0.05 { request.add("fdr", "\(fdr)") }
            names.add(to: &request)
            try await table.show(CompareHostsAnswer.self, request, server: server.client()) { answer, inColour in
                Shown(text: CompareHostsTable(answer).text(inColour: inColour), rows: answer.hosts.count)
            }
        }
    }
}
