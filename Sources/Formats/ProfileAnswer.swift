public import Analysis
import Profiles

/// The answer of `perf-agent profile`. Written only, as its tree may be deeper than a decoder allows.
public struct ProfileAnswer: JSONAnswer {
    /// A command that was started to be profiled.
    public struct Command: Hashable, Sendable {
        public var pid: Int32
        /// 128 + N where signal N ended it, as shells say; nil while it runs.
        public var exitCode: Int32?

        public init(pid: Int32, exitCode: Int32?) {
            self.pid = pid
            self.exitCode = exitCode
        }
    }

    public var header: AnswerHeader
    /// As the user named it.
    public var target: String
    /// Samples per second and CPU.
    public var rate: Double
    public var durationSeconds: Double
    public var command: Command?
    public var functions: [TopRow]
    /// The hottest lines of source; empty where no frame has one.
    public var lines: [TopRow]
    public var tree: CallTree

    public init(
        header: AnswerHeader, target: String, rate: Double, durationSeconds: Double, command: Command?,
        functions: Ranking, lines: Ranking, tree: CallTree
    ) {
        self.header = header
        self.target = target
        self.rate = rate
        self.durationSeconds = durationSeconds
        self.command = command
        self.functions = functions.rows.map { TopRow($0) }
        self.lines = lines.rows.map { TopRow($0) }
        self.tree = tree
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        header.writeMembers(to: &writer)
        writer.member("target", target)
        writer.member("rate", rate)
        writer.member("durationSeconds", durationSeconds)
        writer.key("command")
        if let command {
            writer.beginObject()
            writer.member("pid", command.pid)
            writer.member("exitCode", command.exitCode)
            writer.endObject()
        } else {
            writer.null()
        }
        writer.key("functions")
        writer.array(functions)
        writer.key("lines")
        writer.array(lines)
        writer.key("root")
        writer.tree(tree)
        writer.endObject()
    }
}
