internal import ArgumentParser
internal import Formats
internal import FoundationEssentials
internal import Glibc
internal import Profiles
internal import QueryAPI
internal import WireProtocol

struct ImportVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Adds the samples of other tools' files to the store, as those of a service on a host.",
        discussion: """
            Reads pprof, folded stacks, perf script's text, perf.data (by way of perf), speedscope, V8's .cpuprofile and \
            Python's pstats, gzipped or not; what a file is it says itself. All files are read before the first is sent, and \
            a file that is there already is not added again.

            EXAMPLES:
              perf-query import --service web --host web-1 profile.pb.gz
              perf-query import --service batch --host b7 --at 2026-03-01T12:00:00Z --rate 99 stacks.folded
            """)

    @OptionGroup var server: ServerOptions

    @Argument(help: ArgumentHelp("Files to read.", valueName: "file"), completion: .file())
    var files: [String]

    @Option(
        help: ArgumentHelp(
            "pprof, folded, perf-script, perf.data, speedscope, cpuprofile or pstats; else by the file's content.",
            valueName: "format"), completion: .list(ImportFormat.allCases.map(\.rawValue)))
    var format: String?

    @Option(help: ArgumentHelp("The service (else what the file says).", valueName: "name"))
    var service: String?

    @Option(help: ArgumentHelp("The host (else what the file says).", valueName: "name"))
    var host: String?

    @Option(help: ArgumentHelp("What was measured (else what the file says, else cpu).", valueName: "type"))
    var type: String?

    @Option(
        help: ArgumentHelp("Only the samples of this event, of perf.data and perf script's text.", valueName: "name"))
    var event: String?

    @Option(help: ArgumentHelp("A label of these samples; may stand several times.", valueName: "name=value"))
    var label: [String] = []

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "When the samples begin: RFC 3339, a time ago as in -30m, or now (else what the file says, else to end now).",
            valueName: "time"))
    var at: String?

    @Option(help: ArgumentHelp("A bare count weighs 1/rate seconds.", valueName: "hz"))
    var rate = 100.0

    @Flag(help: "Print the answer as JSON.")
    var json = false

    func validate() throws {
        if let format, ImportFormat(rawValue: format) == nil {
            let there = ImportFormat.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--format: '\(format)' is none of \(there)")
        }
        for (flag, value) in [("--service", service), ("--host", host), ("--type", type), ("--event", event)]
        where value?.isEmpty == true {
            throw ValidationError("\(flag) needs a name")
        }
        if let at, TimeExpression(at) == nil {
            throw ValidationError("--at: '\(at)' is no time; expected \(TimeExpression.expected)")
        }
        guard rate.isFinite, rate >= 0.001, rate <= 1e9 else { throw ValidationError("--rate must be 0.001 to 1e9") }
        for text in label where Self.label(text) == nil {
            throw ValidationError("--label: '\(text)' is not NAME=VALUE")
        }
    }

    private static func label(_ text: String) -> Label? {
        guard let sign = text.firstIndex(of: "="), sign != text.startIndex, text[..<sign].last != "!" else {
            return nil
        }
        return Label(name: String(text[..<sign]), value: String(text[text.index(after: sign)...]))
    }

    private struct Ready {
        var file: String
        var format: ImportFormat
        var notes: [String]
        var body: [UInt8]
    }

    func run() async throws {
        try await reporting { () async throws(Failure) in
            var facts = ImportFacts()
            (facts.service, facts.host, facts.type) = (service, host, type)
            facts.event = event
            facts.labels = Array(
                Dictionary(label.compactMap { Self.label($0) }.map { ($0.name, $0) }) { $1 }.values
            ).sorted()
            facts.samplesPerSecond = rate
            let client = try server.client()
            var ready: [Ready] = []
            for file in files { ready.append(try prepare(file, facts)) }
            var writer = JSONWriter()
            writer.beginObject()
            writer.key("files")
            writer.beginArray()
            var failure: Failure?
            for one in ready {
                let answer: ImportAnswer
                do throws(QueryError) { answer = try await client.importing(one.body) } catch {
                    failure = Failure(error)
                    break
                }
                if json {
                    writer.beginObject()
                    writer.member("file", one.file)
                    writer.member("format", one.format.rawValue)
                    writer.member("samples", answer.samples)
                    writer.member("stored", answer.stored)
                    writer.member("alreadyStored", answer.alreadyStored)
                    writer.endObject()
                } else {
                    let old = answer.alreadyStored
                    let was =
                        old == 0 ? "" : old == answer.samples ? ", there already" : ", \(old) of them there already"
                    Terminal.standardOutput.writeLine(
                        "\(EscapedText.escape(one.file)): \(grouped(Int(clamping: answer.samples))) samples"
                            + " (\(one.format.rawValue))\(was)")
                }
                for note in one.notes { Terminal.standardError.writeLine("note: \(EscapedText.escape(note))") }
            }
            writer.endArray()
            writer.endObject()
            // What is stored by now is told, also where a later file could not be sent.
            if json { try Terminal.standardOutput.writeResult(writer.bytes + [10]) }
            if let failure { throw failure }
        }
    }

    private func prepare(_ file: String, _ facts: ImportFacts) throws(Failure) -> Ready {
        func opened(_ read: () throws(InputFileError) -> [UInt8]) throws(Failure) -> [UInt8] {
            do throws(InputFileError) { return try read() } catch { throw failed(file, error.reason) }
        }
        func read<Value>(_ read: () throws(FormatError) -> Value) throws(Failure) -> Value {
            do throws(FormatError) { return try read() } catch { throw failed(file, error.description) }
        }
        let bytes = try opened { () throws(InputFileError) in
            try InputFile.read(file, limit: ForeignSamples.Limits.bytes)
        }
        var content = try read { () throws(FormatError) in try ImportFormat.expanded(bytes) }
        let format = format.flatMap { ImportFormat(rawValue: $0) } ?? ImportFormat.of(content)
        if format == .perfData {
            content = try opened { () throws(InputFileError) in
                try InputFile.perfScript(of: content, limit: ForeignSamples.Limits.bytes)
            }
        }
        if event != nil, format != .perfData, format != .perfScript {
            throw failed(file, "--event is for perf.data and perf script's text, and this is \(format.rawValue)")
        }
        let reader = format == .perfData ? .perfScript : format
        let samples = try read { () throws(FormatError) in try reader.read(content, facts: facts) }
        guard samples.sampleCount > 0 else { throw failed(file, "it holds no samples") }
        let now = currentTime()
        let start =
            at.flatMap { TimeExpression($0) }?.moment(now: now) ?? samples.start
            ?? now + -samples.spanNanoseconds
        return Ready(
            file: file, format: format, notes: samples.notes,
            body: try body(samples.sampleSet(at: start), source: bytes + described(facts), file: file))
    }

    private func failed(_ file: String, _ reason: String) -> Failure {
        Failure("\(EscapedText.escape(file)): \(EscapedText.escape(reason))", code: .impossible)
    }

    private func body(_ samples: SampleSet, source: [UInt8], file: String) throws(Failure) -> [UInt8] {
        do throws(WireError) {
            var body: [UInt8] = []
            for batch in try ImportBatches.make(samples, source: source) {
                body += try Message.batch(batch).encoded()
            }
            return body
        } catch {
            throw failed(file, "it can't be put into batches: \(error)")
        }
    }

    /// What makes the same file another import.
    private func described(_ facts: ImportFacts) -> [UInt8] {
        let labels = facts.labels.map { "\($0.name)=\($0.value)" }
        let parts =
            [facts.service ?? "", facts.host ?? "", facts.type ?? "", "\(facts.samplesPerSecond)", at ?? ""] + labels
            + (facts.event.map { ["event", $0] } ?? [])
        return Array(parts.map { "\0\($0)" }.joined().utf8)
    }
}
