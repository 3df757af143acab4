import Analysis
import FlameGraphs
import Foundation
import Profiles
import SampleBuilder
import Testing

/// `slow` grows and `old` is gone on ten hosts; `steady` wobbles.
func differingPair() -> ProfilePair {
    var base = SampleBuilder(), against = SampleBuilder()
    for host in 0..<10 {
        let wobble = UInt64(host * 7 % 5)
        base.add(
            host: "h\(host)",
            ["app/t;main;steady": 600 + wobble, "app/t;main;slow;deep": 200, "app/t;main;old;gone": 100])
        against.add(
            host: "h\(host)", window: 1, ["app/t;main;steady": 602 + wobble / 2, "app/t;main;slow;deep": 300])
    }
    return ProfilePair(SamplePair(base: base.samples, against: against.samples), symbolizer: NamesByAddress())
}

private func svg(_ widths: DifferentialFlameGraph.Widths) -> String {
    let pair = differingPair()
    let tree = DifferenceTree(pair)
    let graph = DifferentialFlameGraph(tree, movements: tree.movements(of: pair), widths: widths)
    return String(decoding: graph.svg(title: "difference"), as: UTF8.self)
}

private func frame(_ name: String, in svg: String) -> String? {
    svg.split(separator: "\n").first { $0.hasPrefix("<g><title>\(name) (") }.map(String.init)
}

@Test func `frames are red and blue where a change is proved, and grey elsewhere`() throws {
    let svg = svg(.against)
    let slow = try #require(frame("slow", in: svg)), main = try #require(frame("main", in: svg))
    #expect(slow.hasPrefix("<g><title>slow (3,000 samples, 33.") && slow.contains("; +11."), "\(slow)")
    #expect(slow.contains("fill=\"rgb(255,"))
    #expect(main.contains("(9,030 samples, 100.00%); +0.00%)") == false && main.contains("100.00%); +0.00%</title>"))
    #expect(main.contains("fill=\"rgb(215,215,215)\""))
}

@Test func `frames that only the other side has are shown with a broken outline`() throws {
    let old = try #require(frame("old", in: svg(.against)))
    #expect(old.contains("old (0 samples, 0.00%); -11.") && old.contains("stroke-dasharray"), "\(old)")
    #expect(old.contains("stroke=\"rgb("))
    // In the widths of the base it is a frame like others, and nothing is elided.
    let before = svg(.base)
    let there = try #require(frame("old", in: before))
    #expect(there.contains("old (1,000 samples, 11.") && !before.contains("stroke-dasharray"))
}
