import Analysis
import Patterns
import Profiles
import SampleBuilder
import Testing

/// `app` is native code of /usr/bin/app; at 0x10 of lib, `inner` is inlined into `mid` into `outer`, of three files.
private let names = NamesByAddress([
    0x10: [
        NamedFrame(kind: .native, name: "outer", file: "/s/o.c", line: 1),
        NamedFrame(kind: .inlined, name: "mid", file: "/s/m.c", line: 2),
        NamedFrame(kind: .inlined, name: "inner", file: "/s/i.c", line: 3),
    ]
])

private func samples() -> SampleSet {
    var builder = SampleBuilder()
    builder.add(["p/p;A;B;C;B": 1, "p/p;A;D": 2, "p/p;A;0x10@lib.so": 4, "p/p;E;0x10@lib.so;k:read": 8, "p/p": 16])
    return builder.samples
}

private func expression(_ text: String?) throws -> RegularExpression? { try text.map { try RegularExpression($0) } }

private func tree(_ profile: NamedProfile) -> [String] {
    let tree = profile.callTree()
    var path: [String] = []
    var lines: [String] = []
    for node in tree.nodes.dropFirst() {
        path.removeLast(path.count - Int(node.depth) + 1)
        path.append(tree.frame(of: node).name)
        if node.selfSamples > 0 { lines.append("\(path.dropFirst().joined(separator: ";")) \(node.selfSamples)") }
    }
    return lines.sorted()
}

/// By hand from pprof's profile/filter.go: a location is an address with all functions there.
@Test(
    arguments: [
        ("B", nil, nil, nil, ["A;B;C;B 1"]),
        ("^D$|^E$", nil, nil, nil, ["A;D 2", "E;outer;mid;inner;read 8"]),
        (nil, "B", nil, nil, ["A;D 2", "A;outer;mid;inner 4", "E;outer;mid;inner;read 8"]),
        // What is ignored wins over what is in focus; files and modules match too.
        ("A", "m.c", nil, nil, ["A;B;C;B 1", "A;D 2"]),
        ("lib.so", nil, nil, nil, ["A;outer;mid;inner 4", "E;outer;mid;inner;read 8"]),
        // A hidden leaf's weight is its caller's; a stack with nothing left goes.
        (nil, nil, "B|read", nil, ["A;C 1", "A;D 2", "A;outer;mid;inner 4", "E;outer;mid;inner 8"]),
        (nil, nil, "A|B|C|D", nil, ["E;outer;mid;inner;read 8", "outer;mid;inner 4"]),
        (nil, nil, "mid", nil, ["A;B;C;B 1", "A;D 2", "A;outer;inner 4", "E;outer;inner;read 8"]),
        (nil, nil, "lib", nil, ["A 4", "A;B;C;B 1", "A;D 2", "E;read 8"]),
        // Hiding comes after the choice of stacks, and before what is shown from where.
        ("C", nil, "C", nil, ["A;B;B 1"]), (nil, nil, "A", "A|B", ["B;C;B 1"]),
        (nil, nil, nil, "A", ["A;B;C;B 1", "A;D 2", "A;outer;mid;inner 4"]), (nil, nil, nil, "B", ["B;C;B 1"]),
        (nil, nil, nil, "C", ["C;B 1"]), (nil, nil, nil, "mid", ["mid;inner 4", "mid;inner;read 8"]),
        (nil, nil, nil, "inner|E", ["E;inner;read 8", "inner 4"]),
        (nil, nil, nil, "lib", ["outer;mid;inner 4", "outer;mid;inner;read 8"]), (nil, nil, nil, "X", []),
    ] as [(String?, String?, String?, String?, [String])])
func `frames are filtered as pprof does`(
    focus: String?, ignore: String?, hide: String?, showFrom: String?, stacks: [String]
) throws {
    let filter = FrameFilter(
        focus: try expression(focus), ignore: try expression(ignore), hide: try expression(hide),
        showFrom: try expression(showFrom))
    let profile = NamedProfile(samples(), symbolizer: names, filter: filter)
    #expect(tree(profile) == stacks)
    #expect(profile.sampleCount == 31)
    let weight = stacks.reduce(UInt64(0)) { $0 + (UInt64($1.split(separator: " ").last ?? "") ?? 0) }
    #expect(profile.shown.samples == weight)
    #expect(profile.callTree().nodes[0].totalSamples == weight)
    // Shares are of everything selected, as pprof's are, for functions and for hosts.
    for dimension in [Dimension.process, .host] {
        let row = profile.ranking(by: dimension).rows.first
        #expect(abs((row?.totalShare.value ?? 0) - Double(weight) / 31) < 1e-12)
    }
}

@Test func `a filter that matches nothing is told`() throws {
    let filter = FrameFilter(
        ignore: try expression("nowhere"), hide: try expression("A"), showFrom: try expression("X"))
    #expect(NamedProfile(samples(), symbolizer: names, filter: filter).shown.unmatched == ["ignore", "show-from"])
}

@Test(
    arguments: [
        ([], 31), (["^B$"], 1), (["inner"], 12), (["inner", "read"], 8), (["inner", "!read"], 4), (["!inner"], 19),
        // Of names alone: neither processes nor files nor modules.
        (["p"], 0), (["lib"], 0), (["m.c"], 0), ([".*"], 15),
    ] as [([String], UInt64)])
func `stacks are selected by the names of their frames`(patterns: [String], count: UInt64) throws {
    let frames = try FrameSelection(patterns.map { NamePattern($0) })
    let kept = filter(samples(), byFrames: frames, symbolizer: names)
    #expect(kept.sampleCount == count)
    #expect(
        NamedProfile(kept, symbolizer: names).ranking(by: .process).rows.first?.totalShare.value
            == (count > 0 ? 1 : nil))
}

@Test func `what a broken expression of a selection says`() {
    let error = #expect(throws: PatternError.self) { _ = try FrameSelection([NamePattern("a"), NamePattern("!(b")]) }
    #expect(error == PatternError(pattern: "(b", position: 1, reason: "this ( is never closed"))
}
