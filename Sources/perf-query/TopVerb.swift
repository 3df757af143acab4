internal import ArgumentParser
internal import Formats
internal import QueryAPI

struct TopVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Lists what takes most: functions, source lines, modules, threads, processes, hosts or services.",
        discussion: """
            self is what ran in the row itself, total with everything that it called. Each share has its 95 % interval, \
            over hosts where there are two and more, else over time.

            Functions are one row where name, module and source file are the same, inlined or not; the line beside them is \
            the one that most of what rows are sorted by fell on. Lines are rows of their own with --by line, those of \
            inlined functions too; recursion counts once.

            EXAMPLES:
              perf-query top --service web --since 1h --by line
              perf-query top --by host --service 'web*' --service '!web-test' --json
            """)

    enum Dimension: String, CaseIterable {
        case function, line, module, thread, process, host, service
        static let later = ["version", "container"]
    }

    enum Order: String, ExpressibleByArgument, CaseIterable {
        case ownValue = "self"
        case total
    }

    @OptionGroup var server: ServerOptions
    @OptionGroup var time: TimeOptions
    @OptionGroup var selection: SelectionOptions

    @Option(
        help: ArgumentHelp(
            "What a row is: function, line, module, thread, process, host or service.", valueName: "what"),
        completion: .list(Dimension.allCases.map(\.rawValue)))
    var by = Dimension.function.rawValue

    @Option(help: "Which value sorts: self or total.")
    var sort = Order.ownValue

    @Option(help: ArgumentHelp("Rows at most.", valueName: "n"))
    var limit = 20

    @OptionGroup var filters: FilterOptions
    @OptionGroup var names: NameOptions
    @OptionGroup var table: TableOptions

    func validate() throws {
        let there = Dimension.allCases.map(\.rawValue).joined(separator: ", ")
        if Dimension(rawValue: by) == nil {
            if Dimension.later.contains(by) || by.hasPrefix("label:") {
                throw ValidationError("--by \(by) comes later; there are: \(there)")
            }
            throw ValidationError("--by: '\(by)' is none of \(there)")
        }
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit must be 1 to 10000") }
    }

    func run() async throws {
        try await reporting { () async throws(Failure) in
            var request = QueryRequest(.top)
            selection.add(to: &request)
            request.add(try asked(time))
            request.add("by", by)
            request.add("sort", sort.rawValue)
            request.add("limit", String(limit))
            filters.add(to: &request)
            names.add(to: &request)
            try await table.show(TopAnswer.self, request, server: server.client()) { answer, inColour in
                Shown(
                    text: TopTable(answer, title: by == Dimension.line.rawValue ? "line of" : by).text(
                        inColour: inColour), rows: answer.rows.count)
            }
        }
    }
}
