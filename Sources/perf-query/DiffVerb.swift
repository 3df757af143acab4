internal import Analysis
internal import ArgumentParser
internal import Formats
internal import FoundationEssentials
internal import Profiles
internal import QueryAPI

struct DiffVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Compares two selections: which functions grew and which shrank, beyond chance or not.",
        discussion: """
            A selection is KEY=VALUE,… with the keys service, host, process, thread, type, version, frame, label:K, from \
            and to; KEY!=VALUE negates, '*' matches anything, a backslash takes a comma as it is. The other flags for \
            selections and times hold for both sides, where a side doesn't say otherwise.

            The unit of chance is the host: hosts on both sides are compared with themselves. change is in points of \
            share, beside cores per host. A function is called grown or shrunk where the false-discovery rate allows it, \
            and within noise where not.

            EXAMPLES:
              perf-query diff --base 'service=web,from=-2h,to=-1h' --against 'service=web,from=-1h'
              perf-query diff --service web --base from=-2h,to=-1h --against from=-1h --work 120000:150000
              perf-query diff --service web --base version=1.4 --against version=1.5 --fail-if 'grew>2%'

            EXIT CODES: 3 where --fail-if is broken.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case text, json, folded, svg, html

        /// Whether it draws or lists stacks instead of functions.
        var isOfStacks: Bool { self == .folded || isPicture }
        var isPicture: Bool { self == .svg || self == .html }
    }

    enum Sort: String, ExpressibleByArgument, CaseIterable {
        case ownValue = "self"
        case total
    }

    enum Order: String, ExpressibleByArgument, CaseIterable {
        case evidence, size
    }

    enum Widths: String, ExpressibleByArgument, CaseIterable {
        case against, base
    }

    enum Value: String, ExpressibleByArgument, CaseIterable {
        case samples, unit
    }

    @OptionGroup var server: ServerOptions
    @OptionGroup var time: TimeOptions
    @OptionGroup var selection: SelectionOptions

    @Option(help: ArgumentHelp("What is compared with, as in 'service=web,from=-2h,to=-1h'.", valueName: "selection"))
    var base: String

    @Option(help: ArgumentHelp("What is compared.", valueName: "selection"))
    var against: String

    @Option(help: "Which value is compared: self or total.")
    var sort = Sort.total

    @Option(help: "What orders the rows: evidence (what is proved first, by what is sure of it) or size.")
    var order = Order.evidence

    @Option(help: ArgumentHelp("Rows at most.", valueName: "n"))
    var limit = 20

    @Option(help: ArgumentHelp("The rate of false discoveries that is accepted.", valueName: "rate"))
    var fdr = 0.05

    @Option(
        help: ArgumentHelp(
            "End with 3 where a significant change is larger: grew>2% (points of share), grew>2%rel, or shrank.",
            valueName: "condition"))
    var failIf: String?

    @Option(
        help: ArgumentHelp(
            "Units of work done on either side, such as requests served: costs are then per unit, not per host.",
            valueName: "base:against"))
    var work: String?

    @Option(
        help: """
            text, json, svg or html (a differential flame graph), or folded (two values at the end of each stack).
            """)
    var format: Format?

    @Option(help: ArgumentHelp("Write to this file.", valueName: "file"), completion: .file())
    var output: String?

    @Flag(help: "The thread's name as second element of each folded stack.")
    var threads = false

    @Option(help: ArgumentHelp("What folded stacks count: samples or the type's unit.", valueName: "samples|unit"))
    var value: Value?

    @Option(help: "Whose widths a flame graph has (a page can show either): against or base.")
    var widths = Widths.against

    @OptionGroup var names: NameOptions
    @OptionGroup var table: TableOptions

    func validate() throws {
        if selection.explain { throw ValidationError("--explain: diff does not tell its steps yet") }
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit must be 1 to 10000") }
        guard fdr >= 1e-6, fdr < 1 else { throw ValidationError("--fdr must lie between 0.000001 and 1") }
        if let failIf, FailCondition(failIf) == nil {
            throw ValidationError("--fail-if: '\(failIf)' is not \(FailCondition.expected)")
        }
        if let work, WorkDone(work) == nil {
            throw ValidationError("--work: '\(work)' is not \(WorkDone.expected)")
        }
        if !chosenFormat.isOfStacks {
            if threads { throw ValidationError("--threads is for --format folded, svg and html") }
            if value != nil { throw ValidationError("--value is for --format folded, svg and html") }
        } else if failIf != nil {
            throw ValidationError("--fail-if needs a table or JSON")
        }
        if widths != .against, !chosenFormat.isPicture {
            throw ValidationError("--widths is for --format svg and html")
        }
    }

    /// --format wins over --json, which wins over the file's extension.
    private var chosenFormat: Format {
        if let format { return format }
        if table.json { return .json }
        switch output?.split(separator: ".").last?.lowercased() {
        case "json": return .json
        case "folded", "collapsed": return .folded
        case "svg": return .svg
        case "html", "htm": return .html
        default: return .text
        }
    }

    func run() async throws {
        try await reporting { () async throws(Failure) in
            var request = QueryRequest(.diff)
            request.add("base", base)
            request.add("against", against)
            selection.add(to: &request)
            if time.since != nil || time.from != nil || time.to != nil { request.add(try asked(time)) }
            request.add("sort", sort.rawValue)
            let condition = failIf.flatMap { FailCondition($0) }
            // What a verdict is about must not be cut away.
            request.add("order", condition == nil ? order.rawValue : Order.evidence.rawValue)
            // A verdict is about every row.
            request.add("limit", String(condition == nil ? limit : 10_000))
            if fdr != 0.05 { request.add("fdr", "\(fdr)") }
            if let work { request.add("work", work) }
            names.add(to: &request)
            if chosenFormat.isOfStacks {
                request.add("format", chosenFormat.rawValue)
                if widths != .against { request.add("widths", widths.rawValue) }
                if threads { request.add("threads", "true") }
                if let value { request.add("value", value.rawValue) }
            }
            let reply = try await server.client().reply(to: request)
            guard chosenFormat == .text || chosenFormat == .json else {
                if chosenFormat.isPicture, output == nil, Terminal.standardOutput.isTerminal {
                    let picture = pictureName(
                        services: selection.service, end: currentTime(), ending: chosenFormat.rawValue)
                    let name = "diff-" + picture.dropFirst("flamegraph-".count)
                    try writeFile(reply.body, to: name)
                    Terminal.standardOutput.writeLine(name)
                } else {
                    try put(reply.body)
                }
                return sayNote(of: reply)
            }
            var answer = try decoded(DiffAnswer.self, reply, from: server.client())
            let broken = answer.rows.filter { condition?.isBroken(by: $0) == true }
            if condition != nil {
                if order == .size { answer.rows.sort { abs($0.delta) > abs($1.delta) } }
                answer.rows = Array(answer.rows.prefix(limit))
            }
            switch chosenFormat {
            case .json: try put(condition == nil ? reply.body : answer.json() + [10])
            default: try put(Array(DiffTable(answer).text(inColour: output == nil && table.color.isUsed).utf8))
            }
            if condition == nil {
                sayNote(of: reply)
            } else {
                // What was cut away here is no news; what makes the verdict poor is.
                for (side, header) in [("base", answer.base.header), ("against", answer.against.header)] {
                    for warning in header.warnings ?? [] {
                        Terminal.standardError.writeLine("warning: \(side): \(warning)")
                    }
                }
            }
            guard broken.isEmpty else {
                let first = broken.prefix(3).map(\.name).joined(separator: ", ") + (broken.count > 3 ? ", …" : "")
                throw Failure(
                    "\(failIf ?? "") holds for \(broken.count) \(broken.count == 1 ? "function" : "functions"): \(first)",
                    code: .limitBroken)
            }
        }
    }

    private func put(_ bytes: [UInt8]) throws(Failure) {
        guard let output, output != "-" else {
            return chosenFormat == .text
                ? try Terminal.standardOutput.writeResult(bytes) : try Terminal.standardOutput.writeForeign(bytes)
        }
        try writeFile(bytes, to: output)
        Terminal.standardError.writeLine("wrote \(output) (\(grouped(bytes.count)) bytes)")
    }
}
