import Analysis
import Profiles
import SampleBuilder
import Testing

/// `hot` of /s/hot.h is inlined into `work` of /s/work.c at two lines, and stands alone once.
private let names = NamesByAddress([
    0x10: [
        NamedFrame(kind: .native, name: "work", file: "/s/work.c", line: 20),
        NamedFrame(kind: .inlined, name: "hot", file: "/s/hot.h", line: 5),
    ],
    0x11: [
        NamedFrame(kind: .native, name: "work", file: "/s/work.c", line: 20),
        NamedFrame(kind: .inlined, name: "hot", file: "/s/hot.h", line: 6),
    ],
    0x12: [
        NamedFrame(kind: .native, name: "work", file: "/s/work.c", line: 30),
        NamedFrame(kind: .inlined, name: "hot", file: "/s/hot.h", line: 6),
    ],
    0x13: [NamedFrame(kind: .native, name: "work", file: "/s/work.c", line: 31)],
    0x14: [NamedFrame(kind: .native, name: "work")],
    0x20: [NamedFrame(kind: .native, name: "hot", file: "/s/hot.h", line: 6)],
    0x30: [NamedFrame(kind: .native, name: "main", file: "/s/main.c", line: 3)],
    0x31: [NamedFrame(kind: .native, name: "main", file: "/s/main.c", line: 4)],
])

private func samples(_ stacks: KeyValuePairs<String, UInt64>, quality: StackQuality? = nil) -> SampleSet {
    var builder = SampleBuilder()
    builder.add(quality: quality, stacks)
    return builder.samples
}

private func profile(_ stacks: KeyValuePairs<String, UInt64>, names: NamesByAddress = names) -> NamedProfile {
    NamedProfile(samples(stacks), symbolizer: names)
}

/// `NAME FILE:LINE SELF TOTAL` of each row, in samples.
private func rows(
    _ profile: NamedProfile, by dimension: Dimension, sort: RankingOrder = .self
) -> [String] {
    profile.ranking(by: dimension, sort: sort, limit: 100).rows.map {
        "\($0.name) \($0.file):\($0.line) \($0.selfValue / 10_000_000) \($0.totalValue / 10_000_000)"
    }
}

private let program: KeyValuePairs<String, UInt64> = [
    "p/t;0x30@app;0x10@app": 4, "p/t;0x30@app;0x11@app": 1, "p/t;0x31@app;0x12@app": 2, "p/t;0x31@app;0x13@app": 3,
    "p/t;0x31@app;0x20@app": 6, "p/t;0x30@app;0x14@app": 1,
]

@Test func `lines rank by what ran on them and below, inlined ones too`() {
    #expect(
        rows(profile(program), by: .line) == [
            "hot /s/hot.h:6 9 9", "hot /s/hot.h:5 4 4", "work /s/work.c:31 3 3", "main /s/main.c:4 0 11",
            "main /s/main.c:3 0 6", "work /s/work.c:20 0 5", "work /s/work.c:30 0 2",
        ])
}

@Test func `a function is one row inlined or not, with its file and the line that took most`() {
    #expect(
        rows(profile(program), by: .function) == [
            "hot /s/hot.h:6 13 13", "work /s/work.c:31 4 11", "main /s/main.c:4 0 17",
        ])
    #expect(
        rows(profile(program), by: .function, sort: .total) == [
            "main /s/main.c:4 0 17", "hot /s/hot.h:6 13 13", "work /s/work.c:20 4 11",
        ])
}

@Test func `an address without a line belongs to its function's file`() {
    let tree = profile(program).callTree()
    let work = tree.nodes.filter { tree.frame(of: $0).name == "work" }
    #expect(work.map(\.totalSamples) == [11])
    #expect(work.map { tree.frame(of: $0).file } == ["/s/work.c"])
}

@Test func `functions of one name are apart where their files or modules are`() {
    let names = NamesByAddress([
        1: [NamedFrame(kind: .native, name: "init", file: "/s/a.c", line: 1)],
        2: [NamedFrame(kind: .native, name: "init", file: "/s/b.c", line: 2)],
    ])
    let profile = profile(["p/t;0x1@x": 1, "p/t;0x1@x;0x2@x": 2, "p/t;0x1@y": 4], names: names)
    let found = profile.ranking(by: .function).rows.map { "\($0.module) \($0.file) \($0.totalValue / 10_000_000)" }
    #expect(found == ["y /s/a.c 4", "x /s/b.c 2", "x /s/a.c 3"])
    #expect(profile.callTree().nodes.count == 5)
}

@Test func `recursion through one line counts once per stack`() {
    let profile = profile([
        "p/t;0x13@app;0x13@app;0x20@app": 2, "p/t;0x13@app;0x12@app;0x13@app": 1, "p/t;0x10@app;0x20@app": 4,
    ])
    let totals = Dictionary(
        uniqueKeysWithValues: profile.ranking(by: .line).rows.map {
            ("\($0.file):\($0.line)", $0.totalValue / 10_000_000)
        })
    #expect(
        totals == ["/s/work.c:31": 3, "/s/work.c:30": 1, "/s/hot.h:6": 7, "/s/hot.h:5": 4, "/s/work.c:20": 4])
}

@Test func `lines agree with counting by hand over random stacks`() {
    let seed = seedFromEnvironment()
    var generator = SeededGenerator(seed: seed)
    let addresses = names.names.keys.sorted()
    var stacks: [String: UInt64] = [:]
    var own: [String: UInt64] = [:]
    var total: [String: UInt64] = [:]
    for _ in 0..<300 {
        let path = (0...Int.random(in: 0..<7, using: &generator)).map { _ in
            addresses[Int.random(in: 0..<addresses.count, using: &generator)]
        }
        let count = UInt64.random(in: 1...9, using: &generator)
        stacks["p/t;" + path.map { "0x\(String($0, radix: 16))@app" }.joined(separator: ";"), default: 0] += count
        let frames = path.flatMap { names.names[$0] ?? [] }
        func line(_ frame: NamedFrame) -> String { "\(frame.name) \(frame.file):\(frame.line)" }
        for line in Set(frames.filter { $0.line > 0 }.map(line)) { total[line, default: 0] += count }
        if let leaf = frames.last, leaf.line > 0 { own[line(leaf), default: 0] += count }
    }
    var builder = SampleBuilder()
    builder.add(stacks: stacks.map { ($0.key, $0.value) })
    let found = rows(NamedProfile(builder.samples, symbolizer: names), by: .line)
    #expect(Set(found) == Set(total.map { "\($0.key) \(own[$0.key] ?? 0) \($0.value)" }), "seed \(seed)")
}

@Test func `a tree by line keeps lines apart, and any tree knows the heaviest line of a node`() {
    let profile = profile(program)
    func lines(_ tree: CallTree) -> [String] {
        tree.nodes.dropFirst(2).map { "\($0.depth) \(tree.frame(of: $0).name):\($0.line) \($0.totalSamples)" }
    }
    #expect(
        lines(profile.callTree()) == ["2 main:4 17", "3 work:20 11", "4 hot:5 7", "3 hot:6 6"])
    #expect(
        lines(profile.callTree(byLine: true)) == [
            "2 main:4 11", "3 hot:6 6", "3 work:31 3", "3 work:30 2", "4 hot:6 2", "2 main:3 6", "3 work:20 5",
            "4 hot:5 4",
            "4 hot:6 1", "3 work:0 1",
        ])
}

@Test func `inlined functions don't count in the depth of a stack`() {
    let stacks: KeyValuePairs<String, UInt64> = ["p/t;0x30@app;0x13@app;0x10@app": 1]
    let whole = NamedProfile(
        samples(stacks, quality: StackQuality(whole: 1, cut: 0, broken: 0)), symbolizer: names, depth: 3)
    #expect(whole.quality.whole == 1)
    #expect(whole.callTree().nodes.count == 6)
    let cut = NamedProfile(
        samples(stacks, quality: StackQuality(whole: 1, cut: 0, broken: 0)), symbolizer: names, depth: 1)
    #expect(cut.quality == StackQuality(whole: 0, cut: 1, broken: 0))
    let tree = cut.callTree()
    #expect(tree.nodes.map { tree.frame(of: $0).name } == ["all", "p", "[truncated]", "work", "hot"])
    #expect(cut.incompleteStacks.cutDepths == IncompleteStacks.Depths(least: 1, median: 1, most: 1))
}

@Test func `markers tell at which depth stacks were cut and why they broke`() {
    let stacks: KeyValuePairs<String, UInt64> = [
        "p/t;m:[truncated];a": 3, "p/t;m:[truncated];a;b": 1, "p/t;m:[truncated];a;b;c;d;e": 1,
        "p/t;m:[broken: no caller];a;b;c": 2, "p/t;m:[broken: bad CFI];a": 4, "p/t;a;b;c;d": 5,
    ]
    let quality = StackQuality(whole: 5, cut: 5, broken: 6)
    let profile = NamedProfile(samples(stacks, quality: quality), symbolizer: names)
    #expect(profile.quality == quality)
    #expect(
        profile.incompleteStacks
            == IncompleteStacks(
                cutDepths: .init(least: 1, median: 1, most: 5), brokenByReason: ["no caller": 2, "bad CFI": 4]))
    let row = profile.ranking(by: .function).rows.first { $0.name.hasPrefix("[broken") }
    #expect(row == nil)
    // A limit cuts broken stacks as well as whole ones, and each is counted as one thing.
    let shallow = NamedProfile(samples(stacks, quality: quality), symbolizer: names, depth: 2)
    #expect(shallow.quality == StackQuality(whole: 0, cut: 12, broken: 4))
    #expect(shallow.incompleteStacks.brokenByReason == ["bad CFI": 4])
    #expect(shallow.incompleteStacks.cutDepths == IncompleteStacks.Depths(least: 1, median: 2, most: 2))
}

@Test func `an address becomes one location with its functions from the innermost out`() throws {
    let samples = samples(["p/t;0x30@app;0x10@app": 4, "p/t;0x30@app;0x14@app;k:read": 1, "p/t;i:run@a.py:7": 1])
    let locations = SourceLocations(samples, symbolizer: names)
    #expect(locations.mappings.map(\.name) == ["app", Module.kernel.name])
    let node = try #require(samples.slices[0].stacks.nodes.first)
    let stack = locations.locations(of: node).map { locations.locations[Int($0)] }
    #expect(stack.map(\.address) == [0x10, 0x30])
    #expect(stack.map(\.mapping) == [0, 0])
    func text(_ location: SourceLocations.Location) -> [String] {
        location.lines.map { line in
            let function = locations.functions[Int(line.function)]
            return "\(function.name) \(function.file):\(line.line)\(line.isInlined ? " inlined" : "")"
        }
    }
    #expect(stack.map(text) == [["hot /s/hot.h:5 inlined", "work /s/work.c:20"], ["main /s/main.c:3"]])
    #expect(locations.locations.count == 5)
    let interpreted = try #require(locations.locations.first { $0.kind == .interpreted })
    #expect(text(interpreted) == ["run a.py:7"])
    #expect(interpreted.mapping == Frame.none)
}
