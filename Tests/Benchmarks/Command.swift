import Foundation

/// A program that runs beside, or to its end.
struct Command {
    let process = Process()

    /// What it prints goes into a file, or nowhere.
    init(_ path: String, _ arguments: [String], output: String? = nil) throws {
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        if let output {
            try Data().write(to: URL(filePath: output))
            process.standardOutput = try FileHandle(forWritingTo: URL(filePath: output))
        } else {
            process.standardOutput = FileHandle.nullDevice
        }
        try process.run()
    }

    var pid: Int32 { process.processIdentifier }

    func end(_ number: Int32 = SIGTERM) {
        kill(pid, number)
        process.waitUntilExit()
    }

    /// Runs to the end; `cpuSeconds` is what the kernel charged for it.
    static func run(
        _ path: String, _ arguments: [String], output: String? = nil
    ) throws -> (status: Int32, cpuSeconds: Double) {
        let before = childrenSeconds()
        let command = try Command(path, arguments, output: output)
        command.process.waitUntilExit()
        return (command.process.terminationStatus, childrenSeconds() - before)
    }

    static func childrenSeconds() -> Double {
        var usage = rusage()
        unsafe _ = getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }
}

/// Gone with its last reference.
final class TemporaryFolder {
    private let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "perf-fleet-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func path(_ name: String) -> String { url.appending(path: name).path }
}
