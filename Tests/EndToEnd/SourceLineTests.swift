import Foundation
import Testing

/// Two loops of one line each, three rounds to one, both inlined into `work`.
private let program = """
    #include <cstdint>
    #include <cstdlib>
    template <typename T> static inline __attribute__((always_inline)) T spin_long(T x, long n) {
        for (long i = 0; i < n; i++) x = x * 6364136223846793005u + 1442695040888963407u;
        return x;
    }
    template <typename T> static inline __attribute__((always_inline)) T spin_short(T x, long n) {
        for (long i = 0; i < n; i++) x = x * 6364136223846793005u + 1442695040888963407u;
        return x;
    }
    __attribute__((noinline)) uint64_t work(uint64_t x, long n) {
        x = spin_long(x, 3 * n);
        return spin_short(x, n);
    }
    int main(int, char **arguments) {
        volatile uint64_t x = 1;
        for (long i = 0; i < atol(arguments[1]); i++) x = work(x, 100000);
        return 0;
    }

    """

private let hasCompiler = FileManager.default.isExecutableFile(atPath: "/usr/bin/g++")

/// g++ gives functions that are always inlined no linkage name, so theirs is as DW_AT_name spells it.
private let spinLong = "spin_long<long unsigned int>"
private let spinShort = "spin_short<long unsigned int>"

/// Lines and inlined functions of a program whose shares are known, from its debug information to the answer.
@Suite(
    .serialized, .enabled(if: canSample, "needs the right to sample the whole host (root or CAP_PERFMON)"),
    .enabled(if: hasCompiler, "g++ is not installed; Deploy/install-packages.sh installs it"))
struct SourceLineTests {
    private let folder: Folder
    private let source: String

    init() throws {
        folder = try Folder()
        source = folder.path("lines.cc")
        try program.write(toFile: source, atomically: true, encoding: .utf8)
        let compiled = try Program.run("/usr/bin/g++", ["-O2", "-g", "-o", folder.path("lines"), source])
        try #require(compiled.status == 0, "\(compiled.errors)")
    }

    private func profile(_ arguments: [String]) throws -> Outcome {
        let outcome = try Program.run(
            "perf-agent", ["profile", "--rate", "500"] + arguments + ["--", folder.path("lines"), "4000"])
        try #require(outcome.status == 0, "\(outcome.errors)")
        return outcome
    }

    @Test func `lines of inlined functions take what ran on them`() throws {
        let answer = try profile(["--format", "json"]).json()
        let samples = try #require(answer["samples"] as? Double)
        try #require(samples > 200)
        let lines = try #require(answer["lines"] as? [[String: Any]])
        for (name, line, share) in [(spinLong, 4, 0.75), (spinShort, 8, 0.25)] {
            let row = try #require(
                lines.first { $0["name"] as? String == name && $0["line"] as? Int == line }, "\(lines)")
            #expect(row["file"] as? String == source)
            let selfShare = try #require(row["selfShare"] as? Double)
            #expect(abs(selfShare - share) < fourSigma(share: share, samples: samples) + 0.03, "\(name) \(selfShare)")
        }
        for (line, share) in [(12, 0.75), (13, 0.25)] {
            let row = try #require(
                lines.first { $0["name"] as? String == "work" && $0["line"] as? Int == line }, "\(lines)")
            let totalShare = try #require(row["totalShare"] as? Double)
            #expect(abs(totalShare - share) < fourSigma(share: share, samples: samples) + 0.03, "\(line) \(totalShare)")
        }
        let functions = try #require(answer["functions"] as? [[String: Any]])
        #expect(functions.first?["name"] as? String == spinLong)
        #expect(functions.first?["file"] as? String == source)
        #expect(functions.first?["line"] as? Int == 4)
        let work = try #require(functions.first { $0["name"] as? String == "work" })
        #expect(work["line"] as? Int == 12)
    }

    @Test func `folded stacks have inlined functions above their callers, with lines where asked for`() throws {
        let stacks = try foldedStacks(try profile(["--format", "folded", "--lines"]).output)
        let heaviest = try #require(stacks.max { $0.value < $1.value })
        #expect(heaviest.frames.suffix(2) == ["work:12", "\(spinLong):4_[i]"], "\(stacks)")
        let full = try foldedStacks(try profile(["--format", "folded", "--names", "full", "--plain"]).output)
        let frames = try #require(full.max { $0.value < $1.value }?.frames)
        #expect(frames.suffix(2) == ["work(unsigned long, long)", spinLong], "\(full)")
    }

    @Test func `the text shows the hottest lines`() throws {
        let text = try profile(["--output", "-"]).output
        let lines = try #require(text.components(separatedBy: "Hottest source lines:\n").last)
        let first = try #require(lines.split(separator: "\n").dropFirst().first)
        #expect(first.hasSuffix(" \(source):4") && first.contains("  \(spinLong)  "), "\(text)")
    }
}
