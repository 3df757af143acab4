internal import ArgumentParser
internal import Formats
internal import FoundationEssentials
internal import Glibc
internal import Profiles
internal import QueryAPI

/// Where to ask, and how long to wait.
struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The aggregator's URL (else PERF_SERVER, else http://127.0.0.1:7172).", valueName: "url"))
    var server: String?

    @Option(help: ArgumentHelp("How long to wait for an answer, as in 30s or 2m.", valueName: "span"))
    var timeout = "60s"

    func validate() throws {
        if TimeExpression.span(timeout) == nil {
            throw ValidationError("--timeout: '\(timeout)' is not a span of time; expected one as in 30s or 2m")
        }
    }

    /// Throws what is wrong with the URL, in whichever place it stands.
    func client() throws(Failure) -> QueryClient {
        let environment = ProcessInfo.processInfo.environment["PERF_SERVER"].flatMap { $0.isEmpty ? nil : $0 }
        do {
            var client = QueryClient(server: try ServerURL(server ?? environment ?? ServerURL.standard))
            if let span = TimeExpression.span(timeout) { client.answerTimeout = .nanoseconds(span) }
            return client
        } catch {
            throw Failure(error.description, code: .usage)
        }
    }
}

/// Which time a question is about.
struct TimeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The time up to now, as in 90s, 15m, 2h, 7d (15m unless --from or --to).", valueName: "span")
    )
    var since: String?

    // Unconditional, so that `--from -30m` is a value and not a flag.
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Start: RFC 3339, a time ago as in -30m, or now.", valueName: "time"))
    var from: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("End, likewise (now unless given).", valueName: "time"))
    var to: String?

    func validate() throws {
        do {
            _ = try range(now: currentTime())
        } catch {
            throw ValidationError(error.description)
        }
    }

    func range(now: Timestamp) throws(AskedTimeError) -> TimeRange {
        try askedRange(since: since, from: from, to: to, now: now)
    }
}

/// Which samples a question is about.
struct SelectionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Only this service; may stand several times. '*' matches anything, a leading '!' negates.",
            valueName: "name"))
    var service: [String] = []

    @Option(help: ArgumentHelp("Only this version of the service, likewise.", valueName: "version"))
    var version: [String] = []

    @Option(
        help: ArgumentHelp(
            "Only with this value of a label, as in zone=a*, or without it, as in zone!=a; see 'perf-query labels'.",
            valueName: "name=value"))
    var label: [String] = []

    @Option(help: ArgumentHelp("Only this host, likewise.", valueName: "name"))
    var host: [String] = []

    @Option(help: ArgumentHelp("Only this process, by the name of its main thread, likewise.", valueName: "name"))
    var process: [String] = []

    @Option(
        help: ArgumentHelp(
            "Only this thread, likewise; digits count as one (worker-17 is worker-#).", valueName: "name"))
    var thread: [String] = []

    @Option(
        help: ArgumentHelp(
            "Only stacks with a function whose name this regular expression matches; '!' before it: without one.",
            valueName: "regex"))
    var frame: [String] = []

    @Option(help: ArgumentHelp("What was measured (cpu unless given); see 'perf-query types'.", valueName: "type"))
    var type: [String] = []

    @Flag(help: "Say on standard error what the aggregator did for the answer, and how long each step took.")
    var explain = false

    func validate() throws {
        for (flag, values) in [
            ("--service", service), ("--version", version), ("--host", host), ("--process", process),
            ("--thread", thread), ("--frame", frame), ("--type", type),
        ] where values.contains(where: { $0.isEmpty || $0 == "!" }) {
            throw ValidationError("\(flag) needs a name or a pattern, not an empty one")
        }
        for text in label where LabelPattern(text) == nil {
            throw ValidationError("--label: '\(text)' is neither NAME=VALUE nor NAME!=VALUE")
        }
    }

    func add(to request: inout QueryRequest) {
        for value in service { request.add("service", value) }
        for value in version { request.add("version", value) }
        for value in label { request.add("label", value) }
        for value in host { request.add("host", value) }
        for value in process { request.add("process", value) }
        for value in thread { request.add("thread", value) }
        for value in frame { request.add("frame", value) }
        for value in type { request.add("type", value) }
        if explain { request.add("explain", "true") }
    }
}

/// pprof's filters of frames.
struct FilterOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "As pprof's: only stacks in which this matches a function, a file or a module. Shares stay those of all.",
            valueName: "regex"))
    var focus: String?

    @Option(help: ArgumentHelp("As pprof's: only stacks in which this matches nothing.", valueName: "regex"))
    var ignore: String?

    @Option(help: ArgumentHelp("As pprof's: leaves functions away that this matches.", valueName: "regex"))
    var hide: String?

    @Option(
        help: ArgumentHelp("As pprof's: leaves away what calls the outermost match.", valueName: "regex"))
    var showFrom: String?

    func add(to request: inout QueryRequest) {
        if let focus { request.add("focus", focus) }
        if let ignore { request.add("ignore", ignore) }
        if let hide { request.add("hide", hide) }
        if let showFrom { request.add("show_from", showFrom) }
    }
}

/// How functions are called.
struct NameOptions: ParsableArguments {
    enum Form: String, ExpressibleByArgument, CaseIterable {
        case short, full
    }

    @Option(
        help: ArgumentHelp(
            "short leaves parameter lists away and keeps template arguments; full is all that is known.",
            valueName: "short|full"))
    var names = Form.short

    func add(to request: inout QueryRequest) {
        if names != .short { request.add("names", names.rawValue) }
    }
}

/// The wall clock.
func currentTime() -> Timestamp {
    var now = timespec()
    _ = unsafe clock_gettime(CLOCK_REALTIME, &now)
    return Timestamp(seconds: Int64(now.tv_sec)) + Int64(now.tv_nsec)
}
