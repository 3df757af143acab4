internal import ArgumentParser
internal import Formats
internal import ProfilerAgent
internal import Profiles
internal import Settings

struct DoctorVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Says what can be sampled on this host, how well, and what would make it better.",
        discussion: """
            Ends with 1 where nothing can be sampled.

            EXAMPLES:
              perf-agent doctor
              perf-agent doctor --json
            """)

    @Flag(help: "Prints JSON.")
    var json = false

    func run() async throws {
        var servers: [DebugServer] = []
        do throws(SettingsError) {
            let environment = environmentVariables()
            servers = try AgentSettings.resolve(
                file: AgentSettings.file(asked: nil, environment: environment), environment: environment,
                flags: .init()
            ).symbols.debugServers
        } catch { Output.message("perf-agent: \(error)") }
        let answer = Doctor.examine(debugServers: servers)
        try await reporting { () async throws(Failure) in
            try Output.result(json ? answer.json() + [10] : Array(text(answer).utf8))
        }
        if !answer.canSample { throw ExitCode(1) }
    }

    private func text(_ answer: DoctorAnswer) -> String {
        let width = answer.checks.map(\.name.count).max() ?? 0
        var lines: [String] = []
        for check in answer.checks {
            let state = check.state.rawValue
            let head =
                state + String(repeating: " ", count: 9 - state.count) + check.name
                + String(repeating: " ", count: width + 2 - check.name.count)
            lines.append(head + EscapedText.escape(check.detail))
            if let remedy = check.remedy {
                lines.append(String(repeating: " ", count: width + 11) + "→ " + EscapedText.escape(remedy))
            }
        }
        lines.append(answer.canSample ? "This host can be sampled." : "Nothing can be sampled on this host.")
        return lines.joined(separator: "\n") + "\n"
    }
}

/// The spool directory, found as `run` finds it.
struct SpoolOption: ParsableArguments {
    @Option(help: ArgumentHelp("The spool directory (else as `run` has it).", valueName: "dir"), completion: .directory)
    var spool: String?

    func directory() throws(Failure) -> String {
        do throws(SettingsError) {
            let environment = environmentVariables()
            return try AgentSettings.resolve(
                file: AgentSettings.file(asked: nil, environment: environment), environment: environment,
                flags: .init(spool: spool)
            ).spool.directory
        } catch { throw Failure("\(error)") }
    }
}

struct StatusVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Shows what the running daemon has done.",
        discussion: """
            EXAMPLES:
              perf-agent status
              perf-agent status --spool /tmp/spool --json
            """)

    @OptionGroup var place: SpoolOption
    @Flag(help: "Prints JSON.")
    var json = false

    func run() async throws {
        try await reporting { () async throws(Failure) in
            let directory = try place.directory()
            let answer: String
            do throws(StatusSocket.Failure) {
                answer = try StatusSocket.ask(json ? "json" : "text", spoolDirectory: directory)
            } catch { throw Failure("\(error)") }
            try Output.result(Array(answer.utf8))
        }
    }
}

struct SpoolVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spool",
        abstract: "Shows what lies in the spool: batches, samples, age, damage.",
        discussion: """
            EXAMPLES:
              perf-agent spool --list
              perf-agent spool --list --spool /tmp/spool --json
            """)

    @Flag(help: "Lists the batches.")
    var list = false
    @OptionGroup var place: SpoolOption
    @Flag(help: "Prints JSON.")
    var json = false

    func run() async throws {
        guard list else { throw ValidationError("say what to do with the spool: --list") }
        try await reporting { () async throws(Failure) in
            let directory = try place.directory()
            let listing: SpoolListing
            do throws(DeliveryError) { listing = try SpoolListing(spoolDirectory: directory) } catch {
                throw Failure("\(error)")
            }
            if json { return try Output.result(SpoolAnswer(listing: listing).json() + [10]) }
            var table = TextTable(columns: [
                ("epoch", .left), ("sequence", .right), ("from", .left), ("samples", .right), ("bytes", .right),
            ])
            for row in listing.rows {
                table.add([
                    "\(row.name.epoch)", "\(row.name.sequence)", TimeText.toSecond(row.window.start), "\(row.samples)",
                    "\(row.bytes)",
                ])
            }
            var summary = "\(listing.rows.count) batches, \(listing.samples) samples, \(listing.bytes) bytes"
            if let oldest = listing.oldest { summary += ", the oldest from \(TimeText.toSecond(oldest))" }
            summary +=
                listing.damagedBytes > 0
                ? "; damaged: \(listing.damagedBytes) bytes, \(listing.damagedBatches) batches" : "; no damage"
            let rows = listing.rows.isEmpty ? "" : "\n" + table.text()
            try Output.result(Array((summary + "\n" + rows).utf8))
        }
    }
}

/// The answer of `perf-agent spool --list --json`.
private struct SpoolAnswer: JSONAnswer {
    let listing: SpoolListing

    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("batches")
        writer.beginArray()
        for row in listing.rows {
            writer.beginObject()
            writer.member("epoch", "\(row.name.epoch)")
            writer.member("sequence", row.name.sequence)
            writer.member("start", RFC3339.text(row.window.start))
            writer.member("end", RFC3339.text(row.window.end))
            writer.member("samples", row.samples)
            writer.member("bytes", row.bytes)
            writer.endObject()
        }
        writer.endArray()
        writer.member("samples", listing.samples)
        writer.member("bytes", listing.bytes)
        writer.member("oldest", listing.oldest.map { RFC3339.text($0) })
        writer.member("damagedBytes", listing.damagedBytes)
        writer.member("damagedBatches", listing.damagedBatches)
        writer.endObject()
    }
}
