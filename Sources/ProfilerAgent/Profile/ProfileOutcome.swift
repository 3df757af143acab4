public import Analysis
public import Formats
public import Profiles
public import SymbolTables

/// What a one-host profile has found.
public struct ProfileOutcome: Sendable {
    public struct Command: Hashable, Sendable {
        public var process: Int32
        /// As a shell has it: 128 + N for a program that signal N killed; nil while it runs.
        public var exitCode: Int32?
        /// CPU time of the command and the descendants that it waited for, in seconds; nil while it runs.
        public var cpuSeconds: Double?
    }

    public var request: ProfileRequest
    public var profile: NamedProfile
    /// What `profile` was made of.
    public var samples: SampleSet
    /// When each was taken, all of them, where the request keeps that.
    public var moments: SampleMoments
    public var symbolizer: ModuleSymbolizer
    /// What was asked and covered.
    public var range: TimeRange
    /// What was measured, of which `range` may be a span.
    public var wholeRange: TimeRange
    public var ledger: Ledger
    public var command: Command?
    /// Processes that the target named at the start, with their names.
    public var processes: [(process: Int32, name: String)]
    /// Remarks on how the measurement was made: lines for people.
    public var notes: [String]

    public var header: AnswerHeader {
        AnswerHeader(
            of: profile, asked: range, coverage: Coverage(of: profile, dropped: ledger.dropped))
    }

    /// A file for another tool.
    public func file(_ format: ToolFormat, remark: String) -> [UInt8] {
        format.file(
            of: samples, named: profile, symbolizer: symbolizer, depth: request.depth, title: request.targetText,
            remark: remark)
    }

    public func answer(limit: Int) -> ProfileAnswer {
        answer(
            functions: profile.ranking(by: .function, sort: .self, limit: limit),
            lines: profile.ranking(by: .line, sort: .self, limit: limit))
    }

    public func answer(functions: Ranking, lines: Ranking) -> ProfileAnswer {
        ProfileAnswer(
            header: header, target: request.targetText, rate: request.samplesPerSecond,
            durationSeconds: range.seconds,
            command: command.map { ProfileAnswer.Command(pid: $0.process, exitCode: $0.exitCode) },
            functions: functions, lines: lines, tree: profile.callTree())
    }
}
