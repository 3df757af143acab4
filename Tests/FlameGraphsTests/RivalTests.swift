import Analysis
import FlameGraphs
import Formats
import Foundation
import Profiles
import SampleBuilder
import Testing

/// The same samples through flamegraph.pl (brendangregg/FlameGraph), which RIVALS=DIR names the folder of.
@Suite(.enabled(if: Command.rivals != nil && hasPython, "needs RIVALS=DIR with flamegraph.pl, perl and python3"))
struct RivalTests {
    private static func stacks(seed: UInt64) -> [(String, UInt64)] {
        var generator = SeededGenerator(seed: seed)
        return (0..<400).map { _ in
            let process = ["nginx", "postgres", "Web Content"].randomElement(using: &generator) ?? ""
            let frames = (0...Int.random(in: 1...12, using: &generator)).map { level in
                ["std::map<int, char>::find(int const&)", "k:sys_read", "j:Lcom/x;::run", "main", "f", "g'\"x", "ünï"]
                    .randomElement(using: &generator).map { level < 2 ? "main" : $0 } ?? ""
            }
            // `;` separates elements for the builder as well.
            let names = frames.map { $0.replacingOccurrences(of: ";", with: ":") }
            return (([process + "/t"] + names).joined(separator: ";"), UInt64.random(in: 1...500, using: &generator))
        }
    }

    @Test func `flamegraph.pl reads our folded stacks and draws the same frames`() throws {
        let seed: UInt64 = 20_261_124
        var builder = SampleBuilder()
        builder.add(stacks: Self.stacks(seed: seed))
        let profile = NamedProfile(builder.samples, symbolizer: NamesByAddress())
        let folder = try TemporaryFolder()
        let folded = try folder.write(Folded(of: profile).bytes, as: "folded")
        let rival = try Command.run("/usr/bin/perl", [try #require(Command.rivals) + "/flamegraph.pl", folded])
        #expect(rival.status == 0)
        let theirs = try drawnFrames(rival.output)
        let ours = try drawnFrames(FlameGraph(profile.callTree()).svg(title: "ours"))
        // Theirs are pixels of 1,180 with one decimal, after a margin of 10; ours are per cent.
        struct Place: Hashable {
            var title: String
            var level: Int
        }
        func level(_ y: Double, _ all: [DrawnFrame]) -> Int { Int(((all.map(\.y).max() ?? 0) - y) / 16) }
        func widths(_ frames: [DrawnFrame], scale: Double) -> [Place: [Double]] {
            Dictionary(
                grouping: frames,
                by: { Place(title: $0.title.replacingOccurrences(of: "_[k]", with: ""), level: level($0.y, frames)) }
            ).mapValues { $0.map { $0.width * scale }.sorted() }
        }
        let (mine, other) = (widths(ours, scale: 11.8), widths(theirs, scale: 1))
        #expect(Set(mine.keys).symmetricDifference(other.keys).isEmpty)
        #expect(ours.count == theirs.count && ours.count > 300)
        for (place, widths) in mine {
            let same = other[place] ?? []
            #expect(same.count == widths.count && zip(widths, same).allSatisfy { abs($0 - $1) <= 0.11 }, "\(place)")
        }
        // Where siblings stand: the same place on the same level.
        func corners(_ frames: [DrawnFrame], margin: Double, scale: Double) -> [Int: [Double]] {
            Dictionary(grouping: frames, by: { level($0.y, frames) }).mapValues {
                $0.map { ($0.x - margin) * scale }.sorted()
            }
        }
        let (left, right) = (corners(ours, margin: 0, scale: 11.8), corners(theirs, margin: 10, scale: 1))
        for (level, places) in left {
            #expect(zip(places, right[level] ?? []).allSatisfy { abs($0 - $1) <= 0.11 }, "level \(level)")
        }
    }
}
