import Foundation

/// What a run of the program left.
struct ProgramRun {
    var status: Int32
    var output: String
    var errors: String

    /// Runs the perf-query that was built beside these tests, as a user does. With `terminal`, standard output and
    /// standard error are one pseudo-terminal (by script(1)), and both are in `output`; with a reader, standard output is
    /// a pipe to that shell command.
    static func perfQuery(
        _ arguments: [String], environment: [String: String] = [:], directory: URL? = nil, terminal: Bool = false,
        pipedInto reader: String? = nil
    ) async throws -> ProgramRun {
        let path = try Self.path()
        let process = Process()
        let words = ([path] + arguments).map { "'\($0.replacingOccurrences(of: "'", with: #"'\''"#))'" }
        if let reader {
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", words.joined(separator: " ") + " | " + reader]
        } else if terminal {
            process.executableURL = URL(fileURLWithPath: "/usr/bin/script")
            process.arguments = ["-qec", words.joined(separator: " "), "/dev/null"]
        } else {
            process.executableURL = URL(fileURLWithPath: path)
            process.arguments = arguments
        }
        process.environment = ["PATH": "/usr/bin:/bin", "TERM": "xterm", "SHELL": "/bin/sh"]
            .merging(environment) { $1 }
        process.currentDirectoryURL = directory ?? FileManager.default.temporaryDirectory
        return try await run(process)
    }

    /// Where the program is.
    static func path() throws -> String {
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(fileURLWithPath: program).deletingLastPathComponent().appendingPathComponent("perf-query").path
    }

    /// Runs a process that has all but its streams, to its end.
    static func run(_ process: Process) async throws -> ProgramRun {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("run-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        // Files rather than pipes: nothing has to be read while the program runs.
        func handle(_ name: String) throws -> (URL, FileHandle) {
            let url = folder.appendingPathComponent(name)
            try Data().write(to: url)
            return (url, try FileHandle(forWritingTo: url))
        }
        let (outputURL, output) = try handle("output")
        let (errorsURL, errors) = try handle("errors")
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            process.terminationHandler = { _ in continuation.resume() }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        return ProgramRun(
            status: process.terminationStatus, output: String(decoding: try Data(contentsOf: outputURL), as: UTF8.self),
            errors: String(decoding: try Data(contentsOf: errorsURL), as: UTF8.self))
    }
}
