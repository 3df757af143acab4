internal import ArgumentParser
internal import Formats
internal import Profiles
internal import QueryAPI

struct FlameGraphVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flamegraph",
        abstract: "Draws a flame graph of everything selected.",
        discussion: """
            On a terminal and without --output, a picture (or pprof's or Firefox's file) is written to flamegraph-SERVICE-TIME.svg, \
            and its name is printed. An inlined function is a frame of its own above the one that holds its code; folded stacks end its \
            name in _[i], JIT-compiled ones in _[j], kernel functions in _[k]. --format tui draws in the terminal itself: arrows \
            lead from frame to frame, Enter zooms, / searches, ? shows all keys.

            EXAMPLES:
              perf-query flamegraph --service web --format folded --threads --lines | grep worker
              perf-query flamegraph --service web --output web.pb.gz && go tool pprof -top web.pb.gz
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case svg, html, tui, folded, json, pprof, speedscope, firefox
        case perfScript = "perf-script"

        /// Of the file whose name is chosen; nil for what is text.
        var pictureExtension: String? {
            if self == .svg || self == .html { return rawValue }
            guard let format = ToolFormat(rawValue: rawValue), format.isBinary else { return nil }
            return format.fileExtensions[0]
        }
    }

    @OptionGroup var server: ServerOptions
    @OptionGroup var time: TimeOptions
    @OptionGroup var selection: SelectionOptions

    @Option(
        help: ArgumentHelp(
            """
            svg, html, tui, folded, json, pprof, speedscope, firefox or perf-script; else by the extension of --output, \
            else svg.
            """),
        completion: .list(Format.allCases.map(\.rawValue)))
    var format: String?

    @Option(help: ArgumentHelp("Write to this file.", valueName: "file"), completion: .file())
    var output: String?

    @OptionGroup var folded: FoldedOptions
    @OptionGroup var filters: FilterOptions
    @OptionGroup var names: NameOptions

    func validate() throws {
        let format = try chosenFormat()
        try folded.validate(isFolded: format == .folded)
        if format == .tui, output != nil {
            throw ValidationError("--output: --format tui writes to the terminal alone")
        }
    }

    /// --format wins over the file's extension, which wins over svg.
    func chosenFormat() throws -> Format {
        let there = Format.allCases.map(\.rawValue).joined(separator: ", ")
        if let format {
            if let known = Format(rawValue: format) { return known }
            throw ValidationError("--format: '\(format)' is none of \(there)")
        }
        let name = output?.split(separator: "/").last ?? ""
        if let tool = ToolFormat(fileName: String(name)), let known = Format(rawValue: tool.rawValue) { return known }
        guard let dot = name.lastIndex(of: ".") else { return .svg }
        switch name[name.index(after: dot)...].lowercased() {
        case "json": return .json
        case let ending where Folded.fileExtensions.contains(ending): return .folded
        case "html", "htm": return .html
        case "gz": throw ValidationError("'\(name)' does not say what it is; say --format, of \(there)")
        default: return .svg
        }
    }

    func run() async throws {
        let format = try chosenFormat()
        try await reporting { () async throws(Failure) in
            if format == .tui { try checkTerminal() }
            let range = try asked(time)
            var request = QueryRequest(.flamegraph)
            selection.add(to: &request)
            request.add(range)
            request.add("format", format == .tui ? Format.json.rawValue : format.rawValue)
            if format == .tui { request.add("kinds", "true") }
            folded.add(to: &request)
            filters.add(to: &request)
            names.add(to: &request)
            let answer = try await server.client().reply(to: request)
            let bytes = answer.body
            if format == .tui {
                let title = selection.service.isEmpty ? "All services" : selection.service.joined(separator: ", ")
                try showInTerminal(answer, title: title, from: server.client())
                return sayNote(of: answer)
            }
            if let output, output != "-" {
                try writeFile(bytes, to: output)
                Terminal.standardError.writeLine("wrote \(output) (\(grouped(bytes.count)) bytes)")
            } else if let ending = format.pictureExtension, output == nil, Terminal.standardOutput.isTerminal {
                let name = pictureName(services: selection.service, end: range.end, ending: ending)
                try writeFile(bytes, to: name)
                Terminal.standardOutput.writeLine(name)
            } else {
                try format.pictureExtension == nil || format == .svg || format == .html
                    ? Terminal.standardOutput.writeForeign(bytes) : Terminal.standardOutput.writeResult(bytes)
            }
            sayNote(of: answer)
        }
    }
}

/// `flamegraph-SERVICE-TIME.svg`: letters, digits, '.', '_', '-' of the service stay, `all` stands for no service.
func pictureName(services: [String], end: Timestamp, ending: String) -> String {
    let word = services.joined(separator: "+").map { character -> Character in
        character.isASCII && (character.isLetter || character.isNumber || "._+-".contains(character)) ? character : "_"
    }
    let service = services.isEmpty ? "all" : String(word.prefix(100))
    let time = TimeText.compact(end)
    return "flamegraph-\(service)-\(time).\(ending)"
}
