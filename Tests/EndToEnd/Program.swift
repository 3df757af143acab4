import Foundation
import Testing

/// A finished program: what it wrote and how it ended.
struct Outcome {
    var status: Int32
    var output: String
    var errors: String

    /// The standard output as a JSON object.
    func json() throws -> [String: Any] {
        let value = try JSONSerialization.jsonObject(with: Data(output.utf8))
        return try #require(value as? [String: Any], "not a JSON object: \(output.prefix(200))")
    }
}

/// The programs as they were built, started as a user starts them.
enum Program {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let folder = root.appending(path: ".build/release")

    static func path(_ name: String) -> String { folder.appending(path: name).path }

    /// Runs to the end; a program that takes longer than `seconds` is ended, which fails the caller's expectations.
    static func run(
        _ name: String, _ arguments: [String], environment: [String: String] = [:], seconds: Double = 60
    ) throws -> Outcome {
        let started = try Running(name, arguments, environment: environment)
        return started.wait(seconds: seconds)
    }
}

/// A program that runs beside the test. It is ended, at the latest, when the last reference goes.
final class Running {
    let process = Process()
    private let outputFile: URL
    private let errorFile: URL

    init(_ name: String, _ arguments: [String], environment: [String: String] = [:]) throws {
        let folder = FileManager.default.temporaryDirectory
        let id = UUID().uuidString
        outputFile = folder.appending(path: "perf-fleet-test-\(id).out")
        errorFile = folder.appending(path: "perf-fleet-test-\(id).err")
        for file in [outputFile, errorFile] { try Data().write(to: file) }
        process.executableURL = URL(filePath: name.hasPrefix("/") ? name : Program.path(name))
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(Self.apart) { $1 }
            .merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: outputFile)
        process.standardError = try FileHandle(forWritingTo: errorFile)
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        for file in [outputFile, errorFile] { try? FileManager.default.removeItem(at: file) }
    }

    /// Nothing of the user's own: what one run kept must not decide the next.
    private static let apart = [
        "XDG_CACHE_HOME": FileManager.default.temporaryDirectory.appending(path: "perf-fleet-cache-\(getpid())").path,
        "DEBUGINFOD_URLS": "",
    ]

    var pid: Int32 { process.processIdentifier }
    var output: String { (try? String(contentsOf: outputFile, encoding: .utf8)) ?? "" }
    var errors: String { (try? String(contentsOf: errorFile, encoding: .utf8)) ?? "" }

    func signal(_ number: Int32) { kill(pid, number) }

    func wait(seconds: Double) -> Outcome {
        if !until(seconds: seconds, { !process.isRunning }) { signal(SIGKILL) }
        process.waitUntilExit()
        return Outcome(status: process.terminationStatus, output: output, errors: errors)
    }
}

/// Asks again every 50 ms; false when the time has passed.
@discardableResult
func until(seconds: Double, _ condition: () throws -> Bool) rethrows -> Bool {
    let end = Date().addingTimeInterval(seconds)
    while try !condition() {
        if Date() > end { return false }
        usleep(50_000)
    }
    return true
}

/// A folder of the test's own, gone with the last reference.
final class Folder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "perf-fleet-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func path(_ name: String) -> String { url.appending(path: name).path }
}
