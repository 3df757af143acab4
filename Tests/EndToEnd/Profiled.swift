import Foundation
import Testing

/// What `perf-agent profile` says of a program: its stacks, and its answer without the tree.
struct Profiled {
    var stacks: [(frames: [String], value: Double)]
    var samples: Double
    var whole: Double
    var cut: Double
    var answer: [String: Any]

    /// - Parameter target: A running process, in the place of the command.
    init(_ command: [String], target: String? = nil, rate: String = "400", in folder: Folder) throws {
        let output = folder.path("out.folded")
        let arguments = ["profile", "--rate", rate, "--format", "folded", "--plain", "--output", output]
        let tail = target.map { ["--duration", "3", $0] } ?? ["--"] + command
        let outcome = try Program.run("perf-agent", arguments + tail)
        try #require(outcome.status == 0, "\(outcome.errors)")
        let json = try Program.run(
            "perf-agent", ["profile", "--rate", rate, "--format", "json", "--output", folder.path("out.json")] + tail)
        try #require(json.status == 0, "\(json.errors)")
        // The tree is deeper than JSONSerialization reads; it is the last key.
        let text = try String(contentsOfFile: folder.path("out.json"), encoding: .utf8)
        let end = try #require(text.range(of: ",\"root\":"), "\(text.prefix(200))").lowerBound
        let object = try JSONSerialization.jsonObject(with: Data((text[..<end] + "}").utf8))
        answer = try #require(object as? [String: Any])
        let coverage = try #require(answer["coverage"] as? [String: Any])
        stacks = try foldedStacks(try String(contentsOfFile: output, encoding: .utf8))
        samples = try #require(answer["samples"] as? Double)
        whole = try #require(coverage["wholeStacks"] as? Double, "\(coverage)")
        cut = try #require(coverage["cutStacks"] as? Double)
    }
}
