import Analysis
import Profiles
import SampleBuilder
import Testing

private func profile(
    _ stacks: KeyValuePairs<String, UInt64>, names: NamesByAddress = NamesByAddress(), depth: Int = 1024,
    quality: StackQuality? = nil
) -> NamedProfile {
    var builder = SampleBuilder()
    builder.add(quality: quality, stacks)
    return NamedProfile(builder.samples, symbolizer: names, depth: depth)
}

private func row(_ name: String, _ profile: NamedProfile, by dimension: Dimension = .function) -> RankedRow? {
    profile.ranking(by: dimension, limit: 1000).rows.first { $0.name == name }
}

/// Every path of the tree with its own samples, as `a;b;c N`.
private func paths(_ tree: CallTree) -> Set<String> {
    var found: Set<String> = []
    for node in tree.nodes where node.selfSamples > 0 {
        var names: [String] = []
        var current = node
        while current.depth > 0 {
            names.append(tree.frame(of: current).name)
            current = tree.nodes[Int(current.parent)]
        }
        found.insert(names.reversed().joined(separator: ";") + " \(node.selfSamples)")
    }
    return found
}

@Test func `an address without a name shows its module's file name and its offset`() {
    let profile = profile(["p/t;main;0x1f0@/usr/lib/x/libfoo.so.1": 1, "p/t;main;0x99": 2])
    #expect(row("[unknown libfoo.so.1+0x1f0]", profile)?.module == "libfoo.so.1")
    #expect(row("[unknown]", profile)?.selfValue == 20_000_000)
}

@Test func `one address may stand for a function and what was inlined into it`() {
    let names = NamesByAddress([
        0x10: [NamedFrame(kind: .native, name: "outer"), NamedFrame(kind: .inlined, name: "inner", module: "x.so")]
    ])
    let profile = profile(["p/t;main;0x10@/lib/x.so": 3], names: names)
    #expect(paths(profile.callTree()) == ["p;main;outer;inner 3"])
    #expect(row("outer", profile)?.module == "x.so")
    #expect(row("outer", profile)?.selfValue == 0)
    #expect(row("inner", profile)?.selfValue == 30_000_000)
}

@Test func `recursion counts once per stack`() {
    let profile = profile(["p/t;main;f;g;f;g;f": 2, "p/t;main;g": 1, "p/t;f": 4])
    #expect(row("f", profile)?.totalValue == 60_000_000)
    #expect(row("f", profile)?.selfValue == 60_000_000)
    #expect(row("g", profile)?.totalValue == 30_000_000)
    #expect(row("g", profile)?.selfValue == 10_000_000)
    #expect(row("main", profile)?.totalShare.value == 3.0 / 7)
}

@Test func `depth counts frames from the leaf and leaves a mark where it cut`() {
    let stacks: KeyValuePairs<String, UInt64> = [
        "p/t;a;b;c;d": 5, "p/t;x;c;d": 1, "p/t;c;d": 2, "p/t;m:[truncated];c;d": 4,
    ]
    let whole = StackQuality(whole: 8, cut: 4, broken: 0)
    let cut = profile(stacks, depth: 2, quality: whole)
    #expect(paths(cut.callTree()) == ["p;[truncated];c;d 10", "p;c;d 2"])
    #expect(paths(cut.callTree(withThreads: true)) == ["p;t;[truncated];c;d 10", "p;t;c;d 2"])
    #expect(cut.quality == StackQuality(whole: 2, cut: 10, broken: 0))
    #expect(row("d", cut)?.selfShare.value == 1)
    #expect(row("[truncated]", cut) == nil)
    let uncut = profile(stacks, depth: 4, quality: whole)
    #expect(uncut.quality == whole)
    #expect(uncut.sampleCount == cut.sampleCount)
    #expect(uncut.totalValue == cut.totalValue)
}

@Test func `the tree runs from heavy to light and weighs what the samples weigh`() {
    let tree = profile(["p/t1;a;x": 1, "p/u;a;y": 5, "q/q;b": 3, "p/t1;a": 2]).callTree()
    #expect(tree.nodes.map { tree.frame(of: $0).name } == ["all", "p", "a", "y", "x", "q", "b"])
    #expect(tree.nodes.map(\.totalSamples) == [11, 8, 8, 5, 1, 3, 3])
    #expect(tree.nodes.map(\.selfSamples) == [0, 0, 2, 5, 1, 0, 3])
    #expect(tree.nodes.map(\.end) == [7, 5, 5, 4, 5, 7, 7])
    #expect(tree.nodes[0].totalValue == 110_000_000)
}

@Test func `rows of any dimension add up to the whole`() {
    var builder = SampleBuilder()
    builder.add(host: "h1", service: "web", ["p/worker-1;main;k:sys_read": 3, "q/q;0x5@/lib/libc.so.6": 1])
    builder.add(host: "h2", service: "db", ["p/worker-2;main": 6])
    let profile = NamedProfile(builder.samples, symbolizer: NamesByAddress())
    for dimension in Dimension.allCases where dimension != .line {
        let rows = profile.ranking(by: dimension).rows
        #expect(rows.reduce(0) { $0 + $1.selfValue } == 100_000_000, "\(dimension)")
    }
    #expect(profile.ranking(by: .thread).rows.map(\.name) == ["worker-#", "q"])
    #expect(profile.ranking(by: .module).rows.map(\.name) == ["app", "[kernel.kallsyms]", "libc.so.6"])
    #expect(profile.ranking(by: .service).rows.map(\.name) == ["db", "web"])
    #expect(row("h2", profile, by: .host)?.cores == 0.006)
    #expect(profile.ranking(by: .function, sort: .total, limit: 1).rows.map(\.name) == ["main"])
    #expect(profile.ranking(by: .function, limit: 1).rowCount == 3)
}

@Test func `rows by version and label name what has none`() {
    var builder = SampleBuilder()
    builder.add(version: "2", labels: [Label(name: "zone", value: "a")], ["p/p;f": 3])
    builder.add(host: "h2", labels: [Label(name: "container", value: "c1")], ["p/p;f": 1])
    let profile = NamedProfile(builder.samples, symbolizer: NamesByAddress())
    func rows(_ word: String) -> [String] {
        profile.ranking(by: Dimension(word) ?? .function).rows.map { "\($0.name) \($0.totalShare.value)" }
    }
    #expect(rows("version") == ["2 0.75", "[none] 0.25"])
    #expect(rows("label:zone") == ["a 0.75", "[none] 0.25"])
    #expect(rows("container") == ["[none] 0.75", "c1 0.25"])
    for word in Dimension.words.dropLast() { #expect(Dimension(word)?.word == word) }
    #expect(Dimension("label:") == nil)
    #expect(Dimension("label:container") == Dimension.container)
}

/// By hand: `f` is called by A, by B, by itself, and by nobody; edges count once for each stack.
@Test func `callers and callees of a function are its calls, each stack once`() throws {
    var builder = SampleBuilder()
    builder.add([
        "p/p;A;f": 1, "p/p;A;f;g": 2, "p/p;B;f;f;g": 4, "p/p;f;h": 8, "p/p;A;f;g;A;f;g": 16, "p/p;A;h": 32,
        "p/p;m:[truncated];f": 64,
    ])
    let symbolizer = NamesByAddress()
    let all = NamedProfile(builder.samples, symbolizer: symbolizer)
    #expect(try all.functions("f") == ["f"])
    #expect(try all.functions("^[fg]$") == ["f", "g"])
    #expect(try all.functions("p") == [])
    let profile = NamedProfile(
        filter(builder.samples, holding: ["f"], symbolizer: symbolizer), symbolizer: symbolizer)
    #expect(profile.sampleCount == 95)
    func rows(_ relation: CallRelation) -> [String] {
        profile.ranking(relation, of: ["f"]).rows.map {
            "\($0.name) \($0.selfValue / 10_000_000) \($0.totalValue / 10_000_000)"
        }
    }
    #expect(rows(.callers) == ["[truncated] 64 64", "A 1 19", "[none] 0 8", "B 0 4", "f 0 4"])
    #expect(rows(.callees) == ["g 22 22", "h 8 8", "f 0 4"])
    let first = try #require(profile.ranking(.callers, of: ["f"], limit: 1).rows.first)
    #expect(abs(first.totalShare.value - 64.0 / 95) < 1e-12)
}

@Test func `two agents that share a host's name stay two hosts`() {
    var builder = SampleBuilder()
    builder.add(host: "a", ["p/p;f": 1])
    builder.add(host: "b", ["p/p;f": 2])
    builder.samples.hosts[0].name = "b"
    builder.samples.hosts[0].agent = Identifier(high: 0x1234_5678_9ABC_DEF0, low: 1)
    let profile = NamedProfile(builder.samples, symbolizer: NamesByAddress())
    let names = ["b (00000000)", "b (12345678)"]
    #expect(profile.intervalBasis == .hosts(2))
    #expect(profile.ranking(by: .host).rows.map(\.name) == names)
    #expect(Inventory.hosts(builder.samples).map(\.name) == names)
}

@Test func `lines are rows where frames have them and one function in the tree`() {
    let profile = profile(["p/t;i:run@a.py:7": 2, "p/t;i:run@a.py:9": 1])
    #expect(profile.ranking(by: .line).rows.map { "\($0.name) \($0.file):\($0.line)" } == ["run a.py:7", "run a.py:9"])
    #expect(profile.ranking(by: .function).rows.map(\.name) == ["run"])
    #expect(paths(profile.callTree()) == ["p;run 3"])
}

@Test func `samples of different rates are counted by their weight`() {
    var builder = SampleBuilder()
    builder.add(rate: 100, ["p/t;a": 1])
    #expect(NamedProfile(builder.samples, symbolizer: NamesByAddress()).naturalMeasure == .samples)
    builder.add(rate: 19, ["p/t;a": 1])
    let mixed = NamedProfile(builder.samples, symbolizer: NamesByAddress())
    #expect(mixed.naturalMeasure == .unit)
    #expect(mixed.unitName(.unit) == "microseconds")
}

@Test func `a stack of 2,000 frames is counted, ranked and cut without recursion`() {
    let deep = "p/t" + String(repeating: ";f;g", count: 1000)
    let whole = profile([deep: 1], depth: 5000)
    #expect(whole.callTree().nodes.count == 2002)
    #expect(row("f", whole)?.totalValue == 10_000_000)
    #expect(profile([deep: 1]).callTree().nodes.count == 1027)
}

@Test func `ranking by brute force over random stacks agrees`() {
    let seed = seedFromEnvironment()
    var generator = SeededGenerator(seed: seed)
    var builder = SampleBuilder()
    var total: [String: UInt64] = [:]
    var own: [String: UInt64] = [:]
    for window in 0..<8 {
        var stacks: [(String, UInt64)] = []
        for _ in 0..<40 {
            let frames = (0...Int.random(in: 0..<9, using: &generator)).map { _ in
                String(UnicodeScalar(UInt8.random(in: 97...102, using: &generator)))
            }
            let count = UInt64.random(in: 1...9, using: &generator)
            stacks.append(((["p/t"] + frames).joined(separator: ";"), count))
            for name in Set(frames) { total[name, default: 0] += count }
            own[frames[frames.count - 1], default: 0] += count
        }
        builder.add(host: "h\(window % 3)", window: window, stacks: stacks)
    }
    let profile = NamedProfile(builder.samples, symbolizer: NamesByAddress())
    let rows = profile.ranking(by: .function, limit: 100).rows
    #expect(
        Dictionary(uniqueKeysWithValues: rows.map { ($0.name, $0.totalValue / builder.period) }) == total,
        "seed \(seed)")
    #expect(
        Dictionary(uniqueKeysWithValues: rows.map { ($0.name, $0.selfValue / builder.period) })
            == total.mapValues { _ in UInt64(0) }.merging(own) { $1 }, "seed \(seed)")
}
