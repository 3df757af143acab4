public import SymbolTables

/// What `perf-agent profile` is to measure, everything resolved: flags, PROJECT_CONFIG.xml and defaults.
public struct ProfileRequest: Sendable {
    public enum Target: Hashable, Sendable {
        /// A process and its descendants.
        case process(Int32)
        /// All processes whose name or program matches a glob, and their descendants.
        case named(String)
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
    public var stackCopyBytes = 16 << 10
    /// Whether a started command writes its standard output to standard error, because the result goes to the former.
    public var isCommandOutputKeptApart = false

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
    case commandFailed(program: String, reason: String)
    case cannotSample(reason: String)

    public var description: String {
        switch self {
        case .noSuchProcess(let process): "there is no process \(process); `ps` lists those that run"
        case .nothingMatches(let glob, let nearby):
            "no running process is called '\(glob)'"
                + (nearby.isEmpty ? "" : "; running are \(nearby.joined(separator: ", "))")
                + "; to start a program give its path (./PROGRAM) or `-- PROGRAM ARG…`"
        case .commandFailed(let program, let reason): "can't start '\(program)': \(reason)"
        case .cannotSample(let reason): reason
        }
    }

    /// Nothing matched the question, which is another exit code than a failure.
    public var isNoMatch: Bool {
        switch self {
        case .nothingMatches: true
        case .noSuchProcess, .commandFailed, .cannotSample: false
        }
    }
}
