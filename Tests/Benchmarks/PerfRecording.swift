import Foundation

/// What `perf record` made of a command, for `perf script` to read.
struct PerfRecording {
    struct Script {
        /// Of perf script itself.
        var cpuSeconds: Double
        var sampleCount: Int
        /// Where the output is.
        var path: String
    }

    static let program = "/usr/bin/perf"
    static var isThere: Bool { FileManager.default.isExecutableFile(atPath: program) }

    private let folder: TemporaryFolder
    let path: String

    /// perf asks for build IDs, because perf 6.1 aborts where it does not and another profiler that does samples the host
    /// at the same time: on Linux 6.18 it then finds mappings marked as if they had one.
    static let always = ["record", "-q", "--buildid-mmap", "-e", "cpu-clock"]

    /// Runs the command to its end; nil where perf is not there or failed.
    init?(_ command: [String], in folder: TemporaryFolder, _ options: [String], rate: Int) throws {
        guard Self.isThere else { return nil }
        self.folder = folder
        path = folder.path("perf.data")
        try? FileManager.default.removeItem(atPath: path)
        try Command(
            Self.program,
            Self.always + ["-F", "\(rate)"] + options + ["-o", path, "--"] + command
        ).wait()
        guard FileManager.default.fileExists(atPath: path) else { return nil }
    }

    init(path: String, in folder: TemporaryFolder) {
        self.path = path
        self.folder = folder
    }

    /// nil where it takes longer than `limit` seconds. Inlined functions are not looked up: that takes minutes.
    func script(_ options: [String], limit: Int) throws -> Script? {
        let output = folder.path("script.txt")
        let command = try Command(
            "/usr/bin/timeout", ["\(limit)", Self.program, "script", "--no-inline", "-i", path] + options,
            output: output)
        let result = command.waitForResult()
        guard result.code == 0 else { return nil }
        let text = FileManager.default.contents(atPath: output) ?? Data()
        let newline = UInt8(ascii: "\n")
        var count = 0
        if options == ["-F", "time"] {
            for byte in text where byte == newline { count += 1 }
        }
        return Script(cpuSeconds: result.cpuSeconds, sampleCount: count, path: output)
    }

    /// The one of some runs that was disturbed least.
    func cheapestScript(_ options: [String], of times: Int) throws -> Script? {
        var cheapest: Script?
        for _ in 0..<times {
            guard let script = try script(options, limit: 60) else { return nil }
            if script.cpuSeconds < cheapest?.cpuSeconds ?? .infinity { cheapest = script }
        }
        return cheapest
    }

    /// Stacks whose root is a program's or a thread's start; nil where perf takes longer than `limit` seconds.
    func tally(limit: Int) throws -> StackTally? {
        guard let script = try script(["-F", "tid,ip,sym"], limit: limit) else { return nil }
        let text = FileManager.default.contents(atPath: script.path) ?? Data()
        var tally = StackTally()
        var names: [Substring] = []
        var isOpen = false
        func close() {
            guard isOpen else { return }
            tally.samples += 1
            tally.frames += names.count
            if Self.isWhole(names) { tally.whole += 1 }
            names.removeAll(keepingCapacity: true)
            isOpen = false
        }
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false) {
            if line.allSatisfy(\.isWhitespace) {
                close()
            } else if line.utf8.first == UInt8(ascii: "\t") {
                // "      7f12 name+…": what stands behind the address.
                let trimmed = line.drop(while: \.isWhitespace)
                names.append(trimmed.drop { $0 != " " }.dropFirst())
            } else {
                close()
                isOpen = true
            }
        }
        close()
        return tally
    }

    /// Stripped programs have no name for their first function: then its caller-to-be counts, the C library's start.
    private static func isWhole(_ names: [Substring]) -> Bool {
        guard let root = names.last else { return false }
        if isStart(root) { return true }
        return root.hasPrefix("[unknown]") && names.count > 1
            && names[names.count - 2].hasPrefix("__libc_start")
    }

    private static func isStart(_ name: Substring) -> Bool {
        ["_start", "__libc_start", "clone", "__clone", "__GI___clone", "start_thread", "thread_start", "_dl_start"]
            .contains { name.hasPrefix($0) }
    }
}
