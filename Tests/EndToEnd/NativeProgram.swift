import Foundation
import Synchronization
import Testing

/// A program in a language that is compiled, whose ways to its inner loop are known with the share of work done in each.
struct NativeProgram: Sendable, CustomStringConvertible {
    /// How the inner loop is reached. `*` stands for any number of frames.
    struct Way: Sendable {
        /// Of the work counted.
        var share: Double
        /// From a function of the program down to the inner loop, as short names.
        var short: [String]
        /// The same as full names.
        var full: [String]
    }

    var name: String
    /// Of the file in Programs.
    var source: String
    /// The compiler, then its arguments; SOURCE, OUTPUT and FOLDER are put in.
    var compile: [String]
    var environment: [String: String] = [:]
    /// What the symbol of the inner loop contains.
    var innerLoop: String
    /// The same program with symbols, where this one has none.
    var unstripped: String?
    /// From the start of the program or a thread down to `ways`; short names.
    var beginnings: [[String]]
    var ways: [Way]
    /// What perf can follow: not code whose frames it knows nothing of.
    var isFollowedByPerf = true
    var isFound: Bool { FileManager.default.isExecutableFile(atPath: compile[0]) }

    static let found = all.filter(\.isFound)

    var description: String { name }

    private static let built = Mutex<[String: String]>([:])

    /// Compiles the program, once in a run of the tests; its path.
    func build() throws -> String {
        try Self.built.withLock { built in
            if let path = built[name] { return path }
            let folder = Program.root.appending(path: ".build/test-programs/\(name)")
            try? FileManager.default.removeItem(at: folder)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let file = Program.root.appending(path: "Tests/EndToEnd/Programs/\(source)")
            let output = folder.appending(path: name)
            let arguments = compile.dropFirst().map {
                $0.replacing("SOURCE", with: file.path).replacing("OUTPUT", with: output.path)
                    .replacing("FOLDER", with: folder.path)
            }
            let folders = environment.mapValues {
                $0.replacing("FOLDER", with: folder.deletingLastPathComponent().path)
            }
            let outcome = try Program.run(compile[0], arguments, environment: folders, seconds: 120)
            try #require(outcome.status == 0, "\(name): \(outcome.output)\(outcome.errors)")
            built[name] = output.path
            return output.path
        }
    }

    /// Samples by their way to the inner loop; `elsewhere`: those in the inner loop that came on none of the ways.
    struct Found {
        var byWay: [Double]
        var elsewhere: [(frames: [String], value: Double)] = []
        var inInnerLoop: Double { byWay.reduce(0, +) + elsewhere.reduce(0) { $0 + $1.value } }
        var onWays: Double { byWay.reduce(0, +) }
    }

    /// - Parameter stacks: without process, kernel's and inlined frames.
    func sort(_ stacks: [(frames: [String], value: Double)], full: Bool = false) -> Found {
        var found = Found(byWay: ways.map { _ in 0 })
        let patterns = ways.map { full ? $0.full : $0.short }
        let leaves = Set(patterns.compactMap(\.last))
        for (frames, value) in stacks where frames.last.map(leaves.contains) == true {
            let way = patterns.firstIndex { way in
                // What is before the program's own functions is the same in both forms but for parameter lists.
                beginnings.contains { matches(frames, $0 + way) }
            }
            if let way { found.byWay[way] += value } else { found.elsewhere.append((frames, value)) }
        }
        return found
    }
}

/// Whether frames are as the pattern has them; `*` stands for any number, `a|b` for one of two.
func matches(_ frames: [String], _ pattern: [String]) -> Bool {
    func matches(_ frames: ArraySlice<String>, _ pattern: ArraySlice<String>) -> Bool {
        guard let first = pattern.first else { return frames.isEmpty }
        if first == "*" {
            return (0...frames.count).contains { matches(frames.dropFirst($0), pattern.dropFirst()) }
        }
        guard let frame = frames.first, first == frame || first.split(separator: "|").contains(frame[...]) else {
            return false
        }
        return matches(frames.dropFirst(), pattern.dropFirst())
    }
    return matches(frames[...], pattern[...])
}
