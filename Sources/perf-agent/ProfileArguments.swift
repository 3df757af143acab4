internal import ArgumentParser
internal import Formats
internal import Glibc
internal import ProfilerAgent
internal import Profiles
internal import Settings
internal import SymbolTables

/// What the arguments of `profile` mean.
enum ProfileArguments {
    /// Stands for a file whose name is to be chosen.
    static let chosenFile = "\u{1}chosen"

    /// `--flamegraph` alone becomes one with a value: ArgumentParser knows no options whose value may be left out.
    static func rewritten(_ arguments: [String]) -> [String] {
        let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
        return arguments.enumerated().map { index, argument in
            index < end && argument == "--flamegraph" ? "--flamegraph=\(chosenFile)" : argument
        }
    }

    static let types = ProfileType.available.map(\.name)
    static let laterTypes = ["wall", "off-cpu", "memory", "allocations", "leaks", "faults", "io", "locks"]

    /// The one type that can be measured; anything else is refused with a list of what there is.
    static func type(_ text: String) throws(Failure) -> ProfileType {
        for word in text.split(separator: ",", omittingEmptySubsequences: false).map(String.init) {
            if types.contains(word) { continue }
            let there = "there is: \(types.joined(separator: ", "))"
            if laterTypes.contains(word) { throw Failure("--type \(word) comes later; \(there)", code: .usage) }
            throw Failure("--type '\(word)' does not exist; \(there)", code: .usage)
        }
        return .cpu
    }

    static func checkProfiler(_ word: String) throws(Failure) {
        switch word {
        case "auto", "perf": return
        case "cprofile", "v8": throw Failure("--profiler \(word) comes later; there are: auto, perf", code: .usage)
        default: throw Failure("--profiler '\(word)' does not exist; there are: auto, perf", code: .usage)
        }
    }

    static func names(_ word: String) throws(Failure) -> SymbolNames.Form {
        if let form = SymbolNames.Form(rawValue: word) { return form }
        let there = SymbolNames.Form.allCases.map(\.rawValue).joined(separator: ", ")
        throw Failure("--names '\(word)' does not exist; there are: \(there)", code: .usage)
    }

    enum Format: String, CaseIterable {
        case text, json, folded, svg, html, tui, pprof, speedscope, firefox
        case perfScript = "perf-script"
        /// CPU time by second and by offset within it.
        case scope

        static let names = allCases.map(\.rawValue).joined(separator: ", ")

        /// nil for what is drawn and told in this project's own ways.
        var ofTool: ToolFormat? { ToolFormat(rawValue: rawValue) }

        /// Of the file whose name is chosen on a terminal; nil for what is text.
        var pictureExtension: String? {
            if self == .svg || self == .html { return rawValue }
            guard let ofTool, ofTool.isBinary else { return nil }
            return ofTool.fileExtensions[0]
        }
    }

    /// `--format` wins over the file's extension, which wins over text.
    static func format(_ word: String?, output: String?) throws(Failure) -> Format {
        if let word {
            if let format = Format(rawValue: word) { return format }
            throw Failure("--format '\(word)' does not exist; there are: \(Format.names)", code: .usage)
        }
        if let output, let tool = ToolFormat(fileName: output), let format = Format(rawValue: tool.rawValue) {
            return format
        }
        guard let output, let dot = output.lastIndex(of: ".") else { return .text }
        switch output[output.index(after: dot)...].lowercased() {
        case "json": return .json
        case "folded", "collapsed": return .folded
        case "svg": return .svg
        case "html", "htm": return .html
        case "gz":
            throw Failure(
                "\(output) (--output) does not say what it is; say --format, of \(Format.names)", code: .usage)
        default: return .text
        }
    }

    /// What the words before a colon stand for.
    private static let kinds: [(prefix: String, shape: String, target: @Sendable (String) -> ProfileRequest.Target)] = [
        ("service:", "service:NAME", { .service($0) }), ("container:", "container:ID", { .container($0) }),
        ("cgroup:", "cgroup:PATH", { .controlGroup($0) }),
    ]

    /// A PID, a name or glob, `service:…`, `container:…`, `cgroup:…`, `host`, or a path, which is run with `arguments`.
    static func target(_ text: String?, command: [String]) throws(Failure) -> (ProfileRequest.Target, text: String) {
        guard let text else {
            guard let program = command.first else {
                throw Failure(
                    "say what to profile: a PID, a program's name, service:NAME, container:ID, cgroup:PATH, a path, `host`,"
                        + " or -- COMMAND ARG…", code: .usage)
            }
            return (.command(command), command.count == 1 ? program : command.joined(separator: " "))
        }
        let kind = kinds.first { text.hasPrefix($0.prefix) }
        if text.contains("/"), kind == nil {
            return (.command(try runnable(text) + command), ([text] + command).joined(separator: " "))
        }
        guard command.isEmpty else {
            throw Failure("'\(text)' and a command after -- can't both be profiled; give one of them", code: .usage)
        }
        if text == "host" { return (.host, text) }
        if let kind {
            let rest = String(text.dropFirst(kind.prefix.count))
            guard !rest.isEmpty else { throw Failure("'\(text)' names nothing; expected \(kind.shape)", code: .usage) }
            return (kind.target(rest), text)
        }
        if text.allSatisfy({ $0.isASCII && $0.isNumber }) {
            guard let process = Int32(text), process > 0 else {
                throw Failure("'\(text)' is no process ID", code: .usage)
            }
            return (.process(process), text)
        }
        guard !text.isEmpty else { throw Failure("the target is empty", code: .usage) }
        return (.named(text), text)
    }

    /// How to start what lies at a path: itself where it can be executed, else by its interpreter.
    private static func runnable(_ path: String) throws(Failure) -> [String] {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            throw Failure("can't start \(path): \(unsafe String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw Failure("can't start \(path): it is no regular file") }
        if unsafe access(path, X_OK) == 0 { return [path] }
        let interpreters = [
            "py": "python3", "js": "node", "mjs": "node", "sh": "sh", "pl": "perl", "rb": "ruby", "php": "php",
        ]
        if let dot = path.lastIndex(of: "."), let interpreter = interpreters[String(path[path.index(after: dot)...])] {
            return [interpreter, path]
        }
        throw Failure("can't start \(path): it is not executable (chmod +x), and its name tells no interpreter")
    }
}
