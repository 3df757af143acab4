import Foundation
import Testing

/// SwiftPM builds it beside the tests' own program.
private let program: String = {
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return own.prefix(through: own.lastIndex(of: "/") ?? own.startIndex) + "benchmarks"
}()

/// Numbers mean nothing here; that every subject still runs, and works out the same each time, does.
@Suite struct SmokeTests {
    @Test(arguments: ["decode", "batch", "ingest", "query", "flamegraph", "pictures"])
    func `a subject of the benchmarks runs on small inputs and its results are the same each time`(
        subject: String
    ) throws {
        let first = try result(of: subject)
        #expect(first != nil)
        #expect(try result(of: subject) == first)
    }

    @Test func `attribution runs on small inputs`() throws {
        #expect(try result(of: "attribute") != nil)
    }

    /// The line with the hash of all that was worked out.
    private func result(of subject: String) throws -> String? {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: program)
        process.arguments = ["--smoke", "--only", subject]
        process.standardOutput = output
        try process.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { return nil }
        let lines = text.split(separator: "\n")
        // A heading, at least one figure, and the result.
        guard lines.count >= 3 else { return nil }
        return lines.last.map(String.init)
    }
}
