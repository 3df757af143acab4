internal import ArgumentParser
internal import Compression
internal import Formats
internal import QueryAPI

struct ExportVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes everything selected as a file of another tool.",
        discussion: """
            The name of FILE says the format: .pb.gz, .pb or .pprof; .folded, .collapsed or .txt; .perf or .perf.txt; \
            .speedscope.json; .json.gz (Firefox); --format wins over it. What ends in .gz is gzipped; pprof always is. \
            Without FILE, or with -, standard output gets it. 'perf-query import' reads it again, but for Firefox's.

            EXAMPLES:
              perf-query export --service web --since 1h web.pb.gz
              perf-query export --service web --format perf-script | stackcollapse-perf.pl
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case pprof, folded
        case perfScript = "perf-script"
        case speedscope, firefox

        /// What a file's name says, with .gz behind it or without.
        init?(fileName: String) {
            let name = fileName.lowercased()
            let plain = name.hasSuffix(".gz") ? String(name.dropLast(3)) : name
            if let tool = ToolFormat(fileName: plain) ?? ToolFormat(fileName: name) {
                self.init(rawValue: tool.rawValue)
            } else if Folded.fileExtensions.contains(where: { plain.hasSuffix(".\($0)") }) {
                self = .folded
            } else {
                return nil
            }
        }
    }

    @Argument(help: ArgumentHelp("Where to write it.", valueName: "file"), completion: .file())
    var file: String?

    @Option(help: "Else what the file's name says.", completion: .list(Format.allCases.map(\.rawValue)))
    var format: Format?

    @OptionGroup var server: ServerOptions
    @OptionGroup var time: TimeOptions
    @OptionGroup var selection: SelectionOptions
    @OptionGroup var folded: FoldedOptions
    @OptionGroup var filters: FilterOptions
    @OptionGroup var names: NameOptions

    /// The file's own name; nil for standard output.
    private var fileName: String? { file == "-" ? nil : file?.split(separator: "/").last.map(String.init) }

    func validate() throws { try folded.validate(isFolded: try chosenFormat() == .folded) }

    private func chosenFormat() throws -> Format {
        if let format { return format }
        let there = Format.allCases.map(\.rawValue).joined(separator: ", ")
        guard let fileName else { throw ValidationError("say --format, of \(there)") }
        guard let said = Format(fileName: fileName) else {
            throw ValidationError("'\(fileName)' does not say what it is; say --format, of \(there)")
        }
        return said
    }

    func run() async throws {
        let format = try chosenFormat()
        try await reporting { () async throws(Failure) in
            var request = QueryRequest(.flamegraph)
            selection.add(to: &request)
            request.add(try asked(time))
            request.add("format", format.rawValue)
            folded.add(to: &request)
            filters.add(to: &request)
            names.add(to: &request)
            let answer = try await server.client().reply(to: request)
            var bytes = answer.body
            if let file, let fileName {
                if fileName.lowercased().hasSuffix(".gz"), !Gzip.isGzip(bytes) { bytes = Gzip.compress(bytes) }
                try writeFile(bytes, to: file)
                Terminal.standardError.writeLine("wrote \(file) (\(grouped(bytes.count)) bytes)")
            } else if format == .pprof || format == .firefox {
                guard !Terminal.standardOutput.isTerminal else {
                    throw Failure("\(format.rawValue) is no text for a terminal; name a file", code: .usage)
                }
                try Terminal.standardOutput.writeResult(bytes)
            } else {
                try Terminal.standardOutput.writeForeign(bytes)
            }
            sayNote(of: answer)
        }
    }
}
