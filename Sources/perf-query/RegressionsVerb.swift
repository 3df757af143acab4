internal import ArgumentParser
internal import Formats
internal import FoundationEssentials
internal import Profiles
internal import QueryAPI

struct RegressionsVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "regressions",
        abstract: "Tells which functions of a service grew after a moment or in a version, beyond chance.",
        discussion: """
            Compares as diff does: hosts are the unit of chance, and a function that only has a larger share because \
            others shrank is no regression. --at compares what ran before a moment with what ran after it, as long \
            before as after unless --from or --since says otherwise (10 minutes to a day); --new-version compares a \
            version with all others of the last day. Self values are compared unless --sort total, as a function that \
            grew makes all its callers grow.

            since is when a function's share became what it is, and in which version first; first seen is when the range \
            first has it at all.

            EXAMPLES:
              perf-query regressions --service web --new-version 1.5
              perf-query regressions --service web --at -30m --min 0.5%

            EXIT CODES: 0 without regressions, 3 with some.
            """)

    @OptionGroup var server: ServerOptions
    @OptionGroup var time: TimeOptions
    @OptionGroup var selection: SelectionOptions

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The moment that parts before from after: RFC 3339, or ago as in -30m.", valueName: "time"))
    var at: String?

    @Option(help: ArgumentHelp("The version that is held against all others.", valueName: "version"))
    var newVersion: String?

    @Option(
        help: ArgumentHelp(
            "Growth counts from there: 0.5% (points of share) or 10%rel (of the share before).", valueName: "size"))
    var min: String?

    @Option(help: "Which value is compared: self or total.")
    var sort = DiffVerb.Sort.ownValue

    @Option(help: ArgumentHelp("Rows at most.", valueName: "n"))
    var limit = 20

    @Option(help: ArgumentHelp("The rate of false discoveries that is accepted.", valueName: "rate"))
    var fdr = 0.05

    @OptionGroup var names: NameOptions
    @OptionGroup var table: TableOptions

    func validate() throws {
        guard (at == nil) != (newVersion == nil) else {
            throw ValidationError("give either --at TIME or --new-version VERSION: what parts before from after")
        }
        if let at, TimeExpression(at) == nil {
            throw ValidationError("--at: '\(at)' is not a time; expected \(TimeExpression.expected)")
        }
        if let newVersion {
            guard !newVersion.isEmpty, !newVersion.hasPrefix("!") else {
                throw ValidationError("--new-version: '\(newVersion)' is no version")
            }
            guard selection.version.isEmpty else {
                throw ValidationError("give either --version or --new-version, not both")
            }
        }
        if let min, FailCondition("grew>" + min) == nil {
            throw ValidationError("--min: '\(min)' is neither N% (points of share) nor N%rel (of the share before)")
        }
        guard selection.service.contains(where: { !$0.hasPrefix("!") }) else {
            throw ValidationError("--service is missing: regressions are those of a service")
        }
        if selection.explain { throw ValidationError("--explain: regressions does not tell its steps yet") }
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit must be 1 to 10000") }
        guard fdr >= 1e-6, fdr < 1 else { throw ValidationError("--fdr must lie between 0.000001 and 1") }
    }

    func run() async throws {
        try await reporting { () async throws(Failure) in
            var request = QueryRequest(.regressions)
            selection.add(to: &request)
            // One clock for both ends and what lies between.
            let now = currentTime()
            if time.since != nil || time.from != nil || time.to != nil {
                let range = try asked(time)
                if time.since != nil || time.from != nil { request.add("from", RFC3339.text(range.start)) }
                request.add("to", RFC3339.text(range.end))
            }
            if let at, let moment = TimeExpression(at)?.moment(now: now) { request.add("at", RFC3339.text(moment)) }
            if let newVersion { request.add("new_version", newVersion) }
            if let min { request.add("min", min) }
            if sort != .ownValue { request.add("sort", sort.rawValue) }
            request.add("limit", String(limit))
            if fdr != 0.05 { request.add("fdr", "\(fdr)") }
            names.add(to: &request)
            let reply = try await server.client().reply(to: request)
            let answer = try decoded(RegressionsAnswer.self, reply, from: server.client())
            if table.json {
                try Terminal.standardOutput.writeForeign(reply.body)
            } else {
                try Terminal.standardOutput.writeResult(
                    Array(RegressionsTable(answer).text(inColour: table.color.isUsed).utf8))
            }
            sayNote(of: reply)
            guard answer.grown == 0 else {
                let names = answer.rows.prefix(3).map(\.row.name).joined(separator: ", ")
                throw Failure(
                    "\(answer.grown) \(answer.grown == 1 ? "function" : "functions") grew: "
                        + names + (answer.grown > 3 ? ", …" : ""), code: .limitBroken)
            }
        }
    }
}
