internal import Analysis
internal import ArgumentParser
internal import Formats
internal import FoundationEssentials
internal import Profiles
internal import QueryAPI

struct TimelineVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "timeline",
        abstract: "Shows the cores that a selection used over time, and when that changed.",
        discussion: """
            One line for everything selected, or one for each service, host, function and so on, from heavy to light; \
            a bar is one step, from 0 to the greatest value of all lines. A dot is a step in which no host delivered \
            anything: that is no idleness. Changes of level are those that the noise around them does not explain; \
            --explain-changes says what changed in the stacks at each, from the change before to the next one, as \
            'diff' compares two selections.

            EXAMPLES:
              perf-query timeline --service web --since 2h --explain-changes
              perf-query timeline --by host --service web --output web.svg
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case text, json, csv, svg
    }

    @OptionGroup var server: ServerOptions
    @OptionGroup var time: TimeOptions
    @OptionGroup var selection: SelectionOptions

    @Option(
        help: ArgumentHelp("What a line is of: all, or what 'top --by' takes (service, host, …).", valueName: "what"))
    var by = Self.everything

    private static let everything = "all"

    @Option(help: "Which value functions are chosen and drawn by: self or total.")
    var sort = TopVerb.Order.ownValue

    @Option(
        help: ArgumentHelp("Length of a step, as in 10s or 5m (about sixty steps unless given).", valueName: "span"))
    var step: String?

    @Option(help: ArgumentHelp("Lines at most.", valueName: "n"))
    var limit = 10

    @Flag(help: "Say of each change which functions changed with it beyond chance.")
    var explainChanges = false

    @Option(help: "text, json, csv or svg (a picture); else by the extension of --output, else text.")
    var format: Format?

    @Option(help: ArgumentHelp("Write to this file.", valueName: "file"), completion: .file())
    var output: String?

    @OptionGroup var filters: FilterOptions
    @OptionGroup var names: NameOptions
    @OptionGroup var table: TableOptions

    func validate() throws {
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit must be 1 to 10000") }
        if by != Self.everything, Dimension(by) == nil {
            throw ValidationError("--by: '\(by)' is none of all, \(Dimension.words.joined(separator: ", "))")
        }
        if let step, TimeExpression.span(step) == nil {
            throw ValidationError("--step: '\(step)' is not a span of time; expected one as in 10s or 5m")
        }
        if table.json, format != nil, format != .json {
            throw ValidationError("--json and --format \(format?.rawValue ?? "") can't both be meant")
        }
        if explainChanges, chosenFormat == .csv {
            throw ValidationError("--explain-changes: CSV has no place for changes; there are text and json (--format)")
        }
    }

    /// --json and --format win over the file's extension, which wins over text.
    private var chosenFormat: Format {
        if table.json { return .json }
        if let format { return format }
        let name = output?.lowercased() ?? ""
        return [.json, .csv, .svg].first { name.hasSuffix("." + $0.rawValue) } ?? .text
    }

    func run() async throws {
        try await reporting { () async throws(Failure) in
            var request = QueryRequest(.timeline)
            selection.add(to: &request)
            request.add(try asked(time))
            request.add("by", by)
            request.add("sort", sort.rawValue)
            request.add("limit", String(limit))
            if let step = step.flatMap({ TimeExpression.span($0) }) { request.add("step", "\(Double(step) / 1e9)") }
            if explainChanges { request.add("explain_changes", "true") }
            filters.add(to: &request)
            names.add(to: &request)
            if chosenFormat == .svg { request.add("format", "svg") }
            let reply = try await server.client().reply(to: request)
            if chosenFormat == .svg {
                try put(picture: reply.body)
                return sayNote(of: reply)
            }
            let answer = try decoded(TimelineAnswer.self, reply, from: server.client())
            let bytes: [UInt8] =
                switch chosenFormat {
                case .json: reply.body.last == 10 ? reply.body : reply.body + [10]
                case .csv: answer.csv()
                case .text, .svg: Array(text(answer).utf8)
                }
            if let output, output != "-" {
                try writeFile(bytes, to: output)
                Terminal.standardError.writeLine("wrote \(output) (\(grouped(bytes.count)) bytes)")
            } else if chosenFormat == .text {
                try Terminal.standardOutput.writeResult(bytes)
            } else {
                try Terminal.standardOutput.writeForeign(bytes)
            }
            sayNote(of: reply)
        }
    }

    /// On a terminal a picture goes to a file whose name is chosen.
    private func put(picture bytes: [UInt8]) throws(Failure) {
        if let output, output != "-" {
            try writeFile(bytes, to: output)
            Terminal.standardError.writeLine("wrote \(output) (\(grouped(bytes.count)) bytes)")
        } else if output == nil, Terminal.standardOutput.isTerminal {
            let name = pictureName(services: selection.service, end: currentTime(), ending: "svg")
            let own = "timeline-" + name.dropFirst("flamegraph-".count)
            try writeFile(bytes, to: own)
            Terminal.standardOutput.writeLine(own)
        } else {
            try Terminal.standardOutput.writeForeign(bytes)
        }
    }

    private func text(_ answer: TimelineAnswer) -> String {
        let isCPU = answer.header.type.name == ProfileType.cpu.name
        let top = answer.series.flatMap { $0.cores.compactMap { $0 } }.max() ?? 0
        var lines = TextTable(columns: [
            ("mean", .right), ("most", .right), ("over time", .left), (by == Self.everything ? "" : by, .left),
        ])
        for series in answer.series {
            let known = series.cores.compactMap { $0 }
            let mean = known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
            lines.add([
                coresText(mean), coresText(known.max()), TimelineAnswer.sparkline(series.cores, top: top),
                by == Self.everything ? "" : series.name,
            ])
        }
        let steps = answer.hosts.count
        let unit = isCPU ? "cores" : "\(answer.header.type.unit) per second"
        var text = SummaryLine.text(answer.header, withIntervals: false) + "\n"
        text += "\(unit), \(steps) steps of \(Decimal.text(answer.stepSeconds, places: 0)) s from \(answer.start)\n\n"
        text += lines.text(inColour: output == nil && table.color.isUsed)
        let most = answer.hosts.max() ?? 0
        let thin = answer.hosts.filter { $0 < most && $0 > 0 }.count
        let empty = answer.hosts.filter { $0 == 0 }.count
        if thin > 0 { text += "\n\(grouped(thin)) steps without some of the \(grouped(most)) hosts" }
        if empty > 0 { text += "\n\(grouped(empty)) steps in which nothing was delivered (·)" }
        if thin + empty > 0 { text += "\n" }
        if !answer.changes.isEmpty { text += "\n" }
        for (number, change) in answer.changes.enumerated() {
            if explainChanges, number > 0 { text += "\n" }
            let of = by == Self.everything ? "" : "  " + EscapedText.escape(change.series)
            text += "\(change.at)  \(coresText(change.from)) → \(coresText(change.to)) \(unit)\(of)\n"
            if let explanation = change.explanation { text += explanation.text(sort: sort.rawValue) }
        }
        if explainChanges, answer.changes.isEmpty { text += "\nno change of level beyond the noise\n" }
        return text
    }
}
