internal import Analysis
internal import ArgumentParser
internal import Formats
internal import QueryAPI

struct TopVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Lists what takes most: functions, source lines, modules, threads, hosts, services, versions.",
        discussion: """
            self is what ran in the row itself, total with everything that it called. Each share has its 95 % interval, \
            over hosts where there are two and more, else over time.

            Functions are one row where name, module and source file are the same, inlined or not; the line beside them is \
            the one that most of what rows are sorted by fell on. Lines are rows of their own with --by line, those of \
            inlined functions too; recursion counts once.

            Callers and callees: self and total are those of the function where it was called by that caller (or of what it \
            called), shares are of all stacks that hold the function.

            EXAMPLES:
              perf-query top --service web --since 1h --by line
              perf-query top --by host --service 'web*' --service '!web-test' --json
            """)

    enum Order: String, ExpressibleByArgument, CaseIterable {
        case ownValue = "self"
        case total
    }

    @OptionGroup var server: ServerOptions
    @OptionGroup var time: TimeOptions
    @OptionGroup var selection: SelectionOptions

    @Option(
        help: ArgumentHelp(
            "What a row is: function, line, module, thread, process, host, service, version, container or label:NAME.",
            valueName: "what"),
        completion: .list(Dimension.allCases.map(\.word)))
    var by = Dimension.function.word

    @Option(
        help: ArgumentHelp(
            "Rows are the callers of this function: its name, or a regular expression.", valueName: "function"))
    var callersOf: String?

    @Option(help: ArgumentHelp("Rows are what this function calls, likewise.", valueName: "function"))
    var calleesOf: String?

    @Flag(help: "Cores that each row used, and money where the aggregator knows the price of a core.")
    var byCost = false

    @Option(help: "Which value sorts: self or total (self unless callers, callees or costs are asked for).")
    var sort: Order?

    @Option(help: ArgumentHelp("Rows at most.", valueName: "n"))
    var limit = 20

    @OptionGroup var filters: FilterOptions
    @OptionGroup var names: NameOptions
    @OptionGroup var table: TableOptions

    func validate() throws {
        guard let dimension = Dimension(by) else {
            throw ValidationError("--by: '\(by)' is none of \(Dimension.words.joined(separator: ", "))")
        }
        if callersOf != nil || calleesOf != nil {
            guard callersOf == nil || calleesOf == nil else {
                throw ValidationError("give either --callers-of or --callees-of")
            }
            guard dimension == .function else {
                throw ValidationError("--callers-of and --callees-of rank functions; leave --by away")
            }
            guard callersOf != "", calleesOf != "" else {
                throw ValidationError("--callers-of and --callees-of need a function's name")
            }
        }
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit must be 1 to 10000") }
    }

    func run() async throws {
        try await reporting { () async throws(Failure) in
            var request = QueryRequest(.top)
            selection.add(to: &request)
            request.add(try asked(time))
            request.add("by", by)
            if let callersOf { request.add("callers_of", callersOf) }
            if let calleesOf { request.add("callees_of", calleesOf) }
            if byCost { request.add("cost", "true") }
            let standard = callersOf == nil && calleesOf == nil && !byCost ? Order.ownValue : .total
            request.add("sort", (sort ?? standard).rawValue)
            request.add("limit", String(limit))
            filters.add(to: &request)
            names.add(to: &request)
            try await table.show(TopAnswer.self, request, server: server.client()) { answer, inColour in
                Shown(
                    text: byCost
                        ? CostTable(answer, title: title).text(inColour: inColour)
                        : TopTable(answer, title: title).text(inColour: inColour), rows: answer.rows.count)
            }
        }
    }

    /// Of the column of names.
    private var title: String {
        if callersOf != nil { return "caller" }
        if calleesOf != nil { return "callee" }
        return by == Dimension.line.word ? "line of" : by
    }
}
