public import Settings
public import SymbolTables

/// What `perf-agent profile` is to measure, everything resolved: flags, PROJECT_CONFIG.xml and defaults.
public struct ProfileRequest: Sendable {
    public enum Target: Hashable, Sendable {
        /// A process and its descendants.
        case process(Int32)
        /// All processes whose name or program matches a glob, and their descendants.
        case named(String)
        /// A container by its ID or the first eight and more digits of it, and what enters it meanwhile.
        case container(String)
        /// A control group as /proc/PID/cgroup or /sys/fs/cgroup has it, everything below it, and what enters it meanwhile.
        case controlGroup(String)
        /// A service, or a glob of some, named as in the fleet: environment, systemd unit, program.
        case service(String)
        case host
        /// A program that is started, with its arguments, and its descendants.
        case command([String])
    }

    public var target: Target
    /// As the user named it.
    public var targetText: String
    public var samplesPerSecond: Double
    /// Frames kept per stack, counted from the leaf.
    public var depth: Int
    /// How functions are called.
    public var names = SymbolNames.Form.short
    /// nil: until interrupted, or the command's end.
    public var duration: Duration?
    /// Bytes of stack that are copied with each sample and unwound; 0: the kernel follows frame pointers.
    public var stackCopyBytes = 63 << 10
    /// Where symbol tables are kept for the next time; nil: nowhere.
    public var symbolCachePath: String?
    public var symbols = AgentSettings.Symbols()
    /// Whether a started command writes its standard output to standard error, because the result goes to the former.
    public var isCommandOutputKeptApart = false
    /// Whether the time of each sample is kept, for a flame scope.
    public var keepsMoments = false
    /// Only what was sampled in these seconds since the start is answered; needs moments.
    public var span: Range<Double>?

    public init(
        target: Target, targetText: String, samplesPerSecond: Double, depth: Int, duration: Duration?
    ) {
        self.target = target
        self.targetText = targetText
        self.samplesPerSecond = samplesPerSecond
        self.depth = depth
        self.duration = duration
    }
}

/// Why a profile could not be made.
public enum ProfileError: Error, Sendable, CustomStringConvertible {
    case noSuchProcess(Int32)
    case nothingMatches(glob: String, nearby: [String])
    case noSuchContainer(String, running: [String])
    case ambiguousContainer(String, candidates: [String])
    case noSuchControlGroup(String, nearby: [String])
    case noSuchService(glob: String, nearby: [String])
    case commandFailed(program: String, reason: String)
    case cannotSample(reason: String)
    case spanNotMeasured(start: Double, measured: Double)

    public var description: String {
        switch self {
        case .noSuchProcess(let process): "there is no process \(process); `ps` lists those that run"
        case .nothingMatches(let glob, let nearby):
            "no running process is called '\(glob)'"
                + (nearby.isEmpty ? "" : "; running are \(nearby.joined(separator: ", "))")
                + "; to start a program give its path (./PROGRAM) or `-- PROGRAM ARG…`"
        case .noSuchContainer(let id, let running):
            "no running container is '\(id)'"
                + (running.isEmpty
                    ? "; none is seen to run (`perf-agent doctor` says what can be seen)"
                    : "; running are \(Self.list(running)); an ID may be shortened to \(RunningContainers.fewestDigits) digits")
        case .ambiguousContainer(let prefix, let candidates):
            "'\(prefix)' begins the IDs of \(candidates.count) containers: \(Self.list(candidates)); give more digits"
        case .noSuchControlGroup(let path, let nearby):
            "there is no control group \(path), and no process is in one"
                + (nearby.isEmpty ? "" : "; there are \(nearby.joined(separator: ", "))")
        case .noSuchService(let glob, let nearby):
            "no process that runs belongs to a service '\(glob)'"
                + (nearby.isEmpty ? "" : "; there are \(nearby.joined(separator: ", "))")
        case .commandFailed(let program, let reason): "can't start '\(program)': \(reason)"
        case .cannotSample(let reason): reason
        case .spanNotMeasured(let start, let measured):
            "--between begins \(start) s after the start, and \((measured * 1000).rounded() / 1000) s were measured"
        }
    }

    /// Nothing matched the question, which is another exit code than a failure.
    public var isNoMatch: Bool {
        switch self {
        case .nothingMatches, .noSuchContainer, .noSuchControlGroup, .noSuchService, .spanNotMeasured: true
        case .noSuchProcess, .ambiguousContainer, .commandFailed, .cannotSample: false
        }
    }

    private static func list(_ names: [String]) -> String {
        let shown = names.prefix(16).joined(separator: ", ")
        return names.count > 16 ? "\(shown) and \(names.count - 16) more" : shown
    }
}
