// fuzz: Analysis, FlameGraphs, Formats, Patterns, Profiles
// Names that other people's programs chose, through everything that prints them: no line may be broken, no terminal
// steered, no byte written that XML forbids. The same bytes are read as a time and as a glob.
import Analysis
import FlameGraphs
import Formats
import Patterns
import Profiles

/// Names with hostile files and lines: as many functions in one place as the address's last two bits say, all but the
/// first inlined, and sometimes even that one.
private struct HostileLines: Symbolizer {
    func frames(at address: UInt64, in module: Module) -> [NamedFrame] {
        (0..<(address & 3)).map { level in
            NamedFrame(
                kind: level == 0 && address & 4 == 0 ? .native : .inlined, name: address & 8 == 0 ? module.name : "f",
                file: address & 16 == 0 ? module.name : "",
                line: UInt32(truncatingIfNeeded: (address >> 5) &* (level + 1)))
        }
    }
}

/// Each 0xFF begins a new stack, each 0xFE a new frame.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: min(count, 4096)))
    let text = String(decoding: bytes, as: UTF8.self)
    if let moment = RFC3339.timestamp(text) {
        precondition(RFC3339.timestamp(RFC3339.text(moment)) == moment, "a time that was read is written otherwise")
    }
    precondition(Glob("*" + text.filter { $0 != "*" } + "*").matches("x" + text.filter { $0 != "*" }))

    var samples = SampleSet()
    var counts: [UInt32: UInt64] = [:]
    for stack in bytes.split(separator: 0xFF) {
        var node = StackTable.root
        for (level, piece) in stack.split(separator: 0xFE, omittingEmptySubsequences: false).enumerated() {
            let name = samples.stacks.intern(String(decoding: piece, as: UTF8.self))
            let kinds: [Frame.Kind] = [.native, .kernel, .jit, .interpreted, .marker]
            let kind: Frame.Kind = level == 0 ? .process : level == 1 ? .thread : kinds[(piece.count + level) % 5]
            var frame = Frame(kind: kind, name: name)
            if kind == .native, let last = piece.last {
                frame.name = Frame.none
                frame.module = samples.stacks.intern(
                    Module(identity: .name, name: String(decoding: piece.dropLast(), as: UTF8.self)))
                frame.address = UInt64(last) &* 0x101
            }
            if kind == .interpreted {
                frame.file = name
                frame.line = UInt32(piece.first ?? 0)
            }
            node = samples.stacks.intern(parent: node, frame: samples.stacks.intern(frame))
        }
        counts[node, default: 0] += 1
    }
    samples.hosts = [Host(name: text, agent: Identifier(high: 0, low: 0))]
    samples.keys = [SeriesKey(service: text, version: "", labels: [], type: .cpu)]
    let nodes = counts.keys.sorted()
    let window = TimeRange(start: Timestamp(seconds: 0), end: Timestamp(seconds: 10))
    samples.slices = [
        SampleSlice(
            host: 0, key: 0, window: window, samplesPerSecond: 100,
            stacks: StackCounts(
                nodes: nodes, counts: nodes.map { counts[$0] ?? 0 }, weights: nodes.map { (counts[$0] ?? 0) * 1000 }),
            quality: StackQuality(whole: nil, cut: nil, broken: nil))
    ]
    let profile = NamedProfile(samples, symbolizer: HostileLines(), depth: 3)
    let whole = nodes.reduce(UInt64(0)) { $0 + (counts[$1] ?? 0) }

    for withLines in [false, true] {
        var folded: UInt64 = 0
        let lines = Folded(of: profile, withThreads: true, withLines: withLines).bytes
        for line in lines.split(separator: 10, omittingEmptySubsequences: true) {
            guard let space = line.lastIndex(of: 32),
                let value = UInt64(String(decoding: line[(space + 1)...], as: UTF8.self))
            else { preconditionFailure("a folded line without a value") }
            precondition(line.allSatisfy { $0 >= 32 && $0 != 127 }, "a control character in a folded line")
            folded += value
        }
        precondition(folded == whole, "folded lines don't add up to the samples")
    }
    let locations = SourceLocations(samples, symbolizer: HostileLines())
    for node in nodes {
        for location in locations.locations(of: node) {
            let location = locations.locations[Int(location)]
            precondition(!location.lines.isEmpty || location.kind == .native, "a location without a function")
        }
    }

    let svg = FlameGraph(profile.callTree(withThreads: true)).svg(title: text, subtitle: text)
    precondition(svg.allSatisfy { $0 >= 32 || $0 == 10 }, "a control character in a picture")
    precondition(svg.count { $0 == 60 } == svg.count { $0 == 62 } + scriptSurplus, "tags that don't pair")

    for dimension in Dimension.allCases {
        let answer = TopAnswer(
            of: profile, ranking: profile.ranking(by: dimension), asked: window, coverage: Coverage(of: profile))
        let table = TopTable(answer).text()
        precondition(table.utf8.allSatisfy { $0 >= 32 || $0 == 10 }, "a control character in a table")
        precondition(answer.json().allSatisfy { $0 >= 32 }, "a control character in JSON")
    }
    return 0
}

/// The script compares with `<` and `>`: what it adds to the balance of angle brackets.
private let scriptSurplus: Int = {
    let empty = FlameGraph(
        CallTree(
            frames: [NamedFrame(kind: .marker, name: "all")],
            nodes: [
                CallTree.Node(
                    frame: 0, parent: 0, end: 1, depth: 0, selfValue: 0, totalValue: 0, selfSamples: 0, totalSamples: 0)
            ])
    ).svg(title: "")
    return empty.count { $0 == 60 } - empty.count { $0 == 62 }
}()
