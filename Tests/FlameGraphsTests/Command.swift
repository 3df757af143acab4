import Foundation

/// Runs other people's programs for tests and waits for them.
enum Command {
    struct Result {
        var status: Int32
        var output: [UInt8]
    }

    /// Output goes through a file, so nothing can block on a full pipe. Ended after `seconds`.
    static func run(_ path: String, _ arguments: [String], seconds: Double = 60) throws -> Result {
        let folder = try TemporaryFolder()
        let output = folder.path("output")
        try Data().write(to: URL(fileURLWithPath: output))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let end = Date(timeIntervalSinceNow: seconds)
        while process.isRunning && Date() < end { usleep(10_000) }
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus, output: [UInt8](try Data(contentsOf: URL(fileURLWithPath: output))))
    }

    static func exists(_ path: String) -> Bool { FileManager.default.isExecutableFile(atPath: path) }

    /// The folder with flamegraph.pl and stackcollapse-perf.pl, where the environment names one.
    static var rivals: String? {
        guard let folder = ProcessInfo.processInfo.environment["RIVALS"], exists("/usr/bin/perl"),
            FileManager.default.fileExists(atPath: folder + "/flamegraph.pl")
        else { return nil }
        return folder
    }
}

/// A folder that goes when its owner goes.
final class TemporaryFolder {
    private let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("flamegraph-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }

    func path(_ name: String) -> String { url.appendingPathComponent(name).path }

    func write(_ bytes: [UInt8], as name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
        return path(name)
    }
}
