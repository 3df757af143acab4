internal import Analysis
internal import ArgumentParser
internal import FlameGraphs
internal import Formats
internal import Glibc
internal import ProfilerAgent
internal import Profiles
internal import Settings
internal import TerminalScreen

struct ProfileVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "profile",
        abstract: "Samples one target on this machine for a while and prints its hotspots.",
        usage: """
            perf-agent profile [<options>] <target>
            perf-agent profile [<options>] -- <command> [<argument> ...]
            """,
        discussion: """
            TARGET is a PID (with its descendants); a program's name or glob; service:NAME, a service or glob by the \
            fleet's rules (environment, systemd unit, program); container:ID, of which the first 8 digits suffice; \
            cgroup:PATH, as in /proc/PID/cgroup or below /sys/fs/cgroup, with all below it; `host`; or a path to a program \
            or script, which is then run. What enters a service, container or control group meanwhile is sampled too. \
            After -- stands a command to run and sample from its first instruction to its last, children too. Defaults \
            come from the nearest PROJECT_CONFIG.xml upward from here.

            Functions are one row where name, module and source file are the same, inlined or not; the line beside them is \
            the one that took most. An inlined function is a frame of its own above the one that holds its code; folded \
            stacks end its name in _[i], JIT-compiled ones in _[j], kernel functions in _[k].

            --format scope draws CPU time by second and by offset within the second, as text or, with --output FILE.svg \
            or .html, as a picture: what happens in bursts shows there. In the page a span of time can be selected to see \
            its flame graph; --between takes such a span in every other format.

            EXAMPLES:
              perf-agent profile --flamegraph -- make -j4
              perf-agent profile nginx --duration 30s --format folded --output nginx.folded
              perf-agent profile container:4f1c0d9a2b7e --flamegraph
              perf-agent profile nginx --duration 60s --format scope --output nginx.html
            """)

    @Argument(help: "PID, name, glob, service:NAME, container:ID, cgroup:PATH, path or `host`.")
    var target: String?
    @Argument(parsing: .postTerminator, help: "A command and its arguments, after --.")
    var command: [String] = []
    @Option(
        help: ArgumentHelp("What to measure (default: of PROJECT_CONFIG.xml, else cpu).", valueName: "type"),
        completion: .list(ProfileArguments.types))
    var type: String?
    @Option(
        help: ArgumentHelp(
            "Samples per second and CPU, 1 to 10000 (default: of PROJECT_CONFIG.xml, else 100).", valueName: "hz"))
    var rate: String?
    @Option(
        help: ArgumentHelp(
            "Frames kept per stack, counted from the leaf without inlined ones, 1 to 65535 (1024).", valueName: "n"))
    var depth: String?
    @Option(
        help: ArgumentHelp("Seconds, 10s or 2m; 0 until interrupted (10 s, or the command's life).", valueName: "time"))
    var duration: String?
    @Option(
        help: ArgumentHelp(
            "Writes an interactive SVG, to a file of a chosen name where none is given: --flamegraph[=FILE].",
            valueName: "file"), completion: .file())
    var flamegraph: String?
    @Option(
        help: ArgumentHelp(
            """
            text, json, folded, svg, html, tui (in the terminal), scope, pprof, speedscope, firefox or perf-script (text, or \
            by --output's extension).
            """, valueName: "format"),
        completion: .list(ProfileArguments.Format.allCases.map(\.rawValue)))
    var format: String?
    @Flag(help: "Prints JSON, as --format json.")
    var json = false
    @Option(
        help: ArgumentHelp("Writes the result to a file; - is standard output.", valueName: "file"), completion: .file()
    )
    var output: String?
    @Option(help: ArgumentHelp("A PROJECT_CONFIG.xml.", valueName: "file"), completion: .file(extensions: ["xml"]))
    var config: String?
    @Option(help: ArgumentHelp("auto or perf.", valueName: "profiler"), completion: .list(["auto", "perf"]))
    var profiler = "auto"
    @Option(
        help: ArgumentHelp(
            "short leaves parameter lists away and keeps template arguments; full is all that is known.",
            valueName: "short|full"), completion: .list(["short", "full"]))
    var names = "short"
    @Option(
        help: ArgumentHelp(
            "Answers only what was sampled from one time since the start to another, as in 12.3s,12.9s.",
            valueName: "from,to"))
    var between: String?
    @Flag(help: "The line behind the name of each frame that has one, in folded stacks.")
    var lines = false
    @Flag(help: "Names without the endings _[k] and others, in folded stacks.")
    var plain = false
    @Option(help: ArgumentHelp("Rows of each table.", valueName: "n"))
    var limit = 20

    func run() async throws {
        try await reporting { () async throws(Failure) in
            if json, let word = self.format, word != "json" {
                throw Failure("--json and --format \(word) can't both be; give one of them", code: .usage)
            }
            let format = try ProfileArguments.format(json ? "json" : self.format, output: output)
            let request = try timed(
                try request(isCommandOutputKeptApart: format != .text && resultFile(format) == nil), format)
            for (flag, isGiven) in [("--lines", lines), ("--plain", plain)] where isGiven && format != .folded {
                throw Failure("\(flag) is for --format folded", code: .usage)
            }
            if format == .tui {
                if output != nil { throw Failure("--output: --format tui writes to the terminal alone", code: .usage) }
                try inTerminal(.usage) { () throws(TerminalScreen.Problem) in
                    try TerminalScreen.check(environment: environmentVariables())
                }
            }
            guard limit >= 0 else { throw Failure("--limit \(limit): it must be 0 or more", code: .usage) }
            if let flamegraph, flamegraph != ProfileArguments.chosenFile {
                if flamegraph.isEmpty { throw Failure("--flamegraph= names no file", code: .usage) }
            }
            let profiler = HostProfiler(request)
            let signals = SignalWatch([SIGINT, SIGTERM]) { _ in profiler.stop() }
            let outcome: ProfileOutcome
            do throws(ProfileError) {
                outcome = try await profiler.run { elapsed, duration in
                    let of = duration.map { " of \(ProfileText.seconds($0, places: 0))" } ?? ""
                    Output.progress(
                        "sampling \(request.targetText), \(ProfileText.seconds(elapsed, places: 0))\(of); Ctrl-C ends")
                }
            } catch {
                Output.progress("")
                throw Failure("\(error)", code: error.isNoMatch ? .noMatch : .impossible)
            }
            Output.progress("")
            withExtendedLifetime(signals) {}
            try write(outcome, format)
        }
    }

    /// The request with what `--format scope` and `--between` ask of it.
    private func timed(
        _ request: ProfileRequest, _ format: ProfileArguments.Format
    ) throws(Failure) -> ProfileRequest {
        var request = request
        request.span = try value(between, "--between", ProfileScope.expectedSpan) { ProfileScope.span($0) }
        if format == .scope, between != nil {
            throw Failure("--between is for other formats; a scope shows all of the time", code: .usage)
        }
        request.keepsMoments = format == .scope || between != nil
        return request
    }

    private func request(isCommandOutputKeptApart: Bool) throws(Failure) -> ProfileRequest {
        try ProfileArguments.checkProfiler(profiler)
        let (target, text) = try ProfileArguments.target(target, command: command)
        let project: ProjectConfiguration?
        do throws(SettingsError) {
            project = try ProjectConfiguration.find(
                asked: config, from: workingDirectory(), types: ProfileArguments.types)
        } catch { throw Failure("\(error)") }
        for warning in project?.warnings ?? [] { Output.message("warning: \(warning)") }
        _ = try ProfileArguments.type(type ?? project?.types?.joined(separator: ",") ?? "cpu")
        let rate = try value(rate, "--rate", "samples per second and CPU, 1 to 10000") {
            SettingText.number($0).flatMap { (1...10_000).contains($0) ? $0 : nil }
        }
        let depth = try value(depth, "--depth", "a number of frames, 1 to 65535") {
            Int($0).flatMap { (1...65_535).contains($0) ? $0 : nil }
        }
        let asked = try value(duration, "--duration", "seconds, or a time as in 10s or 2m; 0 means until interrupted") {
            SettingText.duration($0)
        }
        // A started command is sampled for its whole life, unless this very command line says otherwise.
        let limit: Duration
        if case .command = target { limit = asked ?? .zero } else { limit = asked ?? project?.duration ?? .seconds(10) }
        var request = ProfileRequest(
            target: target, targetText: text, samplesPerSecond: rate ?? project?.samplesPerSecond ?? 100,
            depth: depth ?? project?.depth ?? 1024, duration: limit == .zero ? nil : limit)
        request.names = try ProfileArguments.names(names)
        request.isCommandOutputKeptApart = isCommandOutputKeptApart
        let environment = environmentVariables()
        do throws(SettingsError) {
            request.symbols = try AgentSettings.symbols(environment: environment)
        } catch { throw Failure("\(error)") }
        if request.symbols.maximumCacheBytes > 0 {
            request.symbolCachePath =
                request.symbols.cacheDirectory ?? SymbolTableCacheDirectory.path(ofUser: environment)
        }
        for warning in AgentSettings.debugServerWarnings(environment: environment) {
            Output.message("warning: \(warning)")
        }
        return request
    }

    private func value<Value>(
        _ text: String?, _ flag: String, _ expected: String, _ read: (String) -> Value?
    ) throws(Failure) -> Value? {
        guard let text else { return nil }
        guard let value = read(text) else {
            throw Failure("\(flag) '\(text)' can't be used; expected \(expected)", code: .usage)
        }
        return value
    }

    private func workingDirectory() -> String {
        guard let path = unsafe getcwd(nil, 0) else { return "/" }
        defer { unsafe free(path) }
        return unsafe String(cString: path)
    }

    // MARK: Result

    /// Where the result goes; nil is standard output.
    private enum ResultPlace {
        case asked(String)
        case chosen
    }

    private func resultFile(_ format: ProfileArguments.Format) -> ResultPlace? {
        if let output { return output == "-" ? nil : .asked(output) }
        return format.pictureExtension != nil && Output.isTerminal ? .chosen : nil
    }

    private func write(_ outcome: ProfileOutcome, _ format: ProfileArguments.Format) throws(Failure) {
        for note in outcome.notes { Output.message("note: \(note)") }
        var written: [String] = []
        if let flamegraph {
            let path = flamegraph == ProfileArguments.chosenFile ? chosenName(outcome, ending: "svg") : flamegraph
            let isPage = [".html", ".htm"].contains { path.lowercased().hasSuffix($0) }
            try Output.file(isPage ? page(outcome) : picture(outcome), path: path, flag: "--flamegraph")
            written.append("flame graph: \(path)")
        }
        var bytes: [UInt8]
        switch format {
        case .json: bytes = outcome.answer(limit: limit).json() + [10]
        case .folded:
            let folded = Folded(of: outcome.profile, withLines: lines, isPlain: plain)
            if let note = folded.note { Output.message("note: \(note)") }
            bytes = folded.bytes
        case .svg: bytes = picture(outcome)
        case .html: bytes = page(outcome)
        case .scope:
            for note in ProfileScope.notes(outcome) { Output.message("note: \(note)") }
            bytes = ProfileScope.bytes(outcome, output: output)
        case .pprof, .speedscope, .firefox, .perfScript:
            bytes = format.ofTool.map { outcome.file($0, remark: ProfileText.summary(outcome)) } ?? []
        case .text:
            if let output, output != "-" { written.append("this table: \(output)") }
            let colour = resultFile(format) == nil && Output.usesColour(environmentVariables())
            bytes = Array(ProfileText.text(outcome, limit: limit, written: written, inColour: colour).utf8)
        case .tui: bytes = []
        }
        if format == .tui {
            let picture = TerminalFlameGraph(
                outcome.profile.callTree(), unit: outcome.profile.type.unit, title: ProfileText.summary(outcome))
            try inTerminal(.impossible) { () throws(TerminalScreen.Problem) in
                try TerminalScreen.show(picture, environment: environmentVariables())
            }
        }
        let path: String? =
            switch resultFile(format) {
            case .asked(let path): path
            case .chosen: chosenName(outcome, ending: format.pictureExtension ?? "svg")
            case nil: nil
            }
        if let path {
            try Output.file(bytes, path: path, flag: "--output")
            Output.message("wrote \(path)")
        } else {
            try Output.result(bytes)
        }
        if format != .text { for line in written { Output.message("wrote \(line)") } }
        // Where a command used more than that, a note has said what was not seen.
        let used = outcome.command?.cpuSeconds ?? 0
        if outcome.profile.sampleCount == 0, used <= 1 / outcome.request.samplesPerSecond {
            Output.message(
                "no samples: the target used less CPU time than one sampling period; `--rate` and `--duration` take more"
            )
        }
    }

    private func inTerminal(
        _ code: Failure.Code, _ work: () throws(TerminalScreen.Problem) -> Void
    ) throws(Failure) {
        do { try work() } catch { throw Failure(error.description, code: code) }
    }

    private func picture(_ outcome: ProfileOutcome) -> [UInt8] {
        let measure = outcome.profile.naturalMeasure
        let graph = FlameGraph(
            outcome.profile.callTree(), measure: measure, unitName: outcome.profile.unitName(measure))
        return graph.svg(title: outcome.request.targetText, subtitle: ProfileText.summary(outcome))
    }

    private func page(_ outcome: ProfileOutcome) -> [UInt8] {
        let measure = outcome.profile.naturalMeasure
        return FlameGraphPage(
            outcome.profile.callTree(), measure: measure, unitName: outcome.profile.unitName(measure),
            title: outcome.request.targetText, subtitle: ProfileText.summary(outcome)
        ).html()
    }

    /// `profile-TARGET-TIME.ENDING`, with nothing in it that a file's name should not hold.
    private func chosenName(_ outcome: ProfileOutcome, ending: String) -> String {
        var words = outcome.request.targetText
        if case .command(let arguments) = outcome.request.target {
            words = arguments.first?.split(separator: "/").last.map(String.init) ?? "command"
        }
        func safe(_ text: String) -> String {
            String(
                text.unicodeScalars.map { scalar in
                    let isSafe =
                        scalar.isASCII
                        && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil
                            || scalar == "." || scalar == "_" || scalar == "-")
                    return Character(isSafe ? scalar : "_")
                }.prefix(64))
        }
        let time = RFC3339.text(outcome.range.start).prefix(19).filter { $0 != "-" && $0 != ":" }
        return "profile-\(safe(words))-\(time).\(ending)"
    }
}
