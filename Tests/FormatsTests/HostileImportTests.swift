import Formats
import Foundation
import Profiles
import Testing
import ToolOutput

private let facts: ImportFacts = {
    var facts = ImportFacts()
    (facts.service, facts.host) = ("web", "h1")
    return facts
}()

private let moment = Timestamp(seconds: 1_790_000_000)

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

private func repeated(_ unit: [UInt8], _ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(unit.count * count)
    for _ in 0..<count { bytes += unit }
    return bytes
}

private func varint(_ value: Int) -> [UInt8] {
    var (rest, bytes) = (value, [UInt8]())
    while rest > 127 {
        bytes.append(UInt8(rest & 127 | 128))
        rest >>= 7
    }
    return bytes + [UInt8(rest)]
}

/// Fields of a protobuf message.
private func field(_ number: UInt8, _ value: Int) -> [UInt8] { [number << 3] + varint(value) }
private func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
    [number << 3 | 2] + varint(content.count) + content
}

/// A pprof file of one sample type with functions f0, f1, …; `locations` have the functions of their lines, counted from
/// 0, with the line's number.
private func pprofFile(
    type: String, unit: String, functions: Int, locations: [[(function: Int, line: Int)]],
    samples: [(locations: [Int], value: Int)], nanoseconds: Int = 0
) -> [UInt8] {
    var file = field(6, []) + field(6, bytes(type)) + field(6, bytes(unit)) + field(1, field(1, 1) + field(2, 2))
    for number in 0..<functions {
        file += field(6, bytes("f\(number)")) + field(5, field(1, number + 1) + field(2, number + 3))
    }
    for (index, lines) in locations.enumerated() {
        let content = lines.flatMap { field(4, field(1, $0.function + 1) + field(2, $0.line)) }
        file += field(4, field(1, index + 1) + content)
    }
    for sample in samples {
        file += field(2, field(1, sample.locations.flatMap { varint($0 + 1) }) + field(2, sample.value))
    }
    return file + field(10, nanoseconds)
}

/// Files whose reading would take many times their size: refused at a place, as too large. Each is well formed up to
/// there, so that a reader without limits would come to its end.
@Suite(.serialized) struct HostileImportTests {
    private static let tooLarge = "up to here it"

    @Test(arguments: [("{\"a\":0},", 5_000_000), ("0,", 36_000_000)])
    func `JSON of endlessly many values is refused`(unit: String, count: Int) {
        let text = bytes("{\"x\":[") + repeated(bytes(unit), count) + bytes("0],\"nodes\":[]}")
        let error = #expect(throws: FormatError.self) {
            try ForeignSamples(v8Profile: text, facts: facts)
        }
        #expect(
            error?.description.hasPrefix("offset ") == true && error?.reason.contains(Self.tooLarge) == true, "\(error)"
        )
    }

    /// Locations, and samples.
    @Test(arguments: [([0x22, 0x00], 9_000_000), ([0x12, 0x00], 6_000_000)])
    func `pprof of endlessly many messages is refused`(unit: [UInt8], count: Int) {
        let error = #expect(throws: FormatError.self) { try Pprof(file: [0x32, 0x00] + repeated(unit, count)) }
        #expect(
            error?.description.hasPrefix("offset ") == true && error?.reason.contains(Self.tooLarge) == true, "\(error)"
        )
    }

    @Test func `a pprof sample of endlessly many locations or labels is refused`() {
        // Packed location ids, one byte each, and labels of one number.
        let locations = repeated([1], 68_000_000)
        let labels = repeated([0x1A, 0x02, 0x18, 0x01], 7_000_000)
        for content in [[0x0A] + varint(locations.count) + locations, labels] {
            let file: [UInt8] = [0x12] + varint(content.count) + content
            let error = #expect(throws: FormatError.self) { try Pprof(file: file) }
            #expect(error?.reason.contains(Self.tooLarge) == true, "\(error)")
        }
    }

    /// Samples of two locations, one of which stands for 2,000 inlined functions: 20 bytes that make 2,000 nodes each.
    @Test func `samples times locations times lines of a pprof are bounded`() throws {
        let deep = (0..<2_000).map { (function: $0, line: 1) }
        let file = pprofFile(
            type: "samples", unit: "count", functions: 20_000,
            locations: [deep] + (0..<20_000).map { [(function: $0, line: 1)] },
            samples: (1...20_000).map { ([0, $0], 1) })
        let pprof = try Pprof(file: file)
        let error = #expect(throws: FormatError.self) { try ForeignSamples(pprof, facts: facts) }
        #expect(
            error?.description.hasPrefix("sample 1") == true && error?.reason.contains(Self.tooLarge) == true,
            "\(error)")
    }

    @Test func `callers that functions of a pstats file share are counted for each`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("shared-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        // One name of 100 KB and one dictionary of 100 callers, which 100 functions have: 10,000 pairs.
        let program = """
            import marshal
            name = "x" * 100000
            callers = {(name, i, "c"): (1, 1, 1e-6, 1e-6) for i in range(100)}
            marshal.dump({(name, i, "f"): (1, 1, 1.0, 1.0, callers) for i in range(100)}, open("p", "wb"))
            """
        _ = output(of: "cd \(folder.path) && python3 -c '\(program)'")
        let file = contents(folder.appendingPathComponent("p").path)
        try #require(file.count > 100_000 && file.count < 1 << 20)
        let error = #expect(throws: FormatError.self) { try ForeignSamples(pythonStats: file, facts: facts) }
        #expect(
            error?.description.hasPrefix("sample ") == true && error?.reason.contains(Self.tooLarge) == true, "\(error)"
        )
        let values = #expect(throws: FormatError.self) {
            try ForeignSamples(pythonStats: [0x7B, 0x29, 0x00] + repeated([0x4E], 17_000_000) + [0x30], facts: facts)
        }
        #expect(values?.description.hasPrefix("offset ") == true && values?.reason.contains(Self.tooLarge) == true)
    }

    @Test func `endlessly many stacks and windows of a text are refused with their line`() {
        // A second apart by ten: each sample is a window of its own.
        let sample = { (second: Int) in "a 1 \(second).0: cpu-clock:\n\t1 f (x)\n\n" }
        let text = bytes((0..<300_000).map { sample(1_000_000 + $0 * 10) }.joined())
        let error = #expect(throws: FormatError.self) { try ForeignSamples(perfScript: text, facts: facts) }
        #expect(
            error?.description.hasPrefix("line ") == true && error?.reason.contains(Self.tooLarge) == true, "\(error)")
    }

    @Test func `of a line or a sample that is endlessly deep no more is made than is kept`() throws {
        let deep = try ForeignSamples(folded: repeated(bytes(";"), 20_000_000) + bytes(" 5\n"), facts: facts)
        #expect(deep.sampleCount == 5)
        #expect(deep.sampleSet(at: moment).slices[0].quality.cut == 5)
        let frames = bytes("a 1 1.0: cpu-clock:\n") + repeated(bytes("\t1 f (x)\n"), 500_000)
        let set = try ForeignSamples(perfScript: frames, facts: facts).sampleSet(at: moment)
        #expect(set.sampleCount == 1 && set.slices[0].quality.cut == 1)
        #expect(set.stacks.stack(of: set.slices[0].stacks.nodes[0]).count == ForeignSamples.Limits.depth + 3)
        // A header is no place for a megabyte.
        let error = #expect(throws: FormatError.self) {
            try ForeignSamples(perfScript: repeated(bytes("a "), 500_000), facts: facts)
        }
        #expect(error?.description.hasPrefix("line 1: longer than") == true)
    }

    @Test func `a V8 profile of one endless chain of calls takes no more than its stacks`() throws {
        // Every node has hits, so each is a stack of its own: half a million ways up.
        var text = "{\"nodes\":["
        for number in 1...60_000 {
            text += "{\"id\":\(number),\"callFrame\":{\"functionName\":\"f\(number)\"},\"hitCount\":1,"
            text += "\"children\":[\(number + 1)]},"
        }
        text += "{\"id\":60001,\"callFrame\":{\"functionName\":\"end\"},\"hitCount\":1}]}"
        let error = #expect(throws: FormatError.self) { try ForeignSamples(v8Profile: bytes(text), facts: facts) }
        #expect(error?.reason.hasPrefix("node ") == true && error?.reason.contains(Self.tooLarge) == true, "\(error)")
        let ring = """
            {"nodes":[{"id":1,"hitCount":1,"callFrame":{},"children":[2]},
            {"id":2,"hitCount":1,"callFrame":{},"children":[1]}]}
            """
        let ringError = #expect(throws: FormatError.self) {
            try ForeignSamples(v8Profile: bytes(ring), facts: facts)
        }
        #expect(ringError?.reason.contains("its own parent") == true)
    }

    @Test func `two events of a perf script text never become one type`() throws {
        let text = """
            app 1 10.0: 7 cycles:
            \t1 f (x)

            app 1 10.1: 3 instructions:
            \t1 g (x)

            app 1 10.2: 5 cycles:
            \t1 f (x)

            """
        let apart = try ForeignSamples(perfScript: bytes(text), facts: facts).sampleSet(at: moment)
        #expect(Set(apart.keys.map(\.type.name)) == ["cycles", "instructions"] && apart.sampleCount == 3)
        var asked = facts
        asked.type = "cpu"
        let error = #expect(throws: FormatError.self) { try ForeignSamples(perfScript: bytes(text), facts: asked) }
        #expect(error?.description.hasPrefix("line 6: ") == true, "\(error)")
        for word in ["'cycles'", "'instructions'", "--event", "--type"] {
            #expect(error?.reason.contains(word) == true, "\(error)")
        }
        asked.event = "cycles"
        let chosen = try ForeignSamples(perfScript: bytes(text), facts: asked)
        #expect(chosen.sampleCount == 2 && chosen.notes == ["samples of other events were left away: instructions"])
        #expect(chosen.sampleSet(at: moment).keys.map(\.type) == [.cpu])
        asked.event = "cylces"
        let unknown = #expect(throws: FormatError.self) { try ForeignSamples(perfScript: bytes(text), facts: asked) }
        #expect(unknown?.reason == "it has no samples of event 'cylces'; there are: cycles, instructions")
        // Two clocks are both CPU time, and would be counted twice.
        let clocks = "a 1 1.0: cpu-clock:\n\t1 f (x)\n\na 1 1.0: task-clock:\n\t1 f (x)\n"
        #expect(throws: FormatError.self) { try ForeignSamples(perfScript: bytes(clocks), facts: facts) }
    }

    @Test(arguments: [1, 3, 100, 400] as [Int64])
    func `samples of many days without times keep their days`(days: Int64) throws {
        // Counts of 1/100 s each, 100,000 to 100,039.
        let file = pprofFile(
            type: "samples", unit: "count", functions: 40, locations: (0..<40).map { [(function: $0, line: 1)] },
            samples: (0..<40).map { ([$0], 100_000 + $0) }, nanoseconds: Int(days) * 86_400_000_000_000)
        let read = try ForeignSamples(Pprof(file: file), facts: facts)
        let set = read.sampleSet(at: moment)
        let count = UInt64(40 * 100_000 + 40 * 39 / 2)
        #expect(read.sampleCount == count && set.sampleCount == count && set.totalWeight == count * 10_000_000)
        let range = try #require(set.range)
        #expect(range.start == moment && range.end == moment + days * 86_400_000_000_000)
        #expect(set.slices.allSatisfy { $0.window.seconds <= 60 })
        let windows = Set(set.slices.map(\.window)).sorted { $0.start < $1.start }
        #expect(zip(windows, windows.dropFirst()).allSatisfy { $0.end <= $1.start })
        // Half of the samples lie in each half of the time.
        let middle = moment + days * 43_200_000_000_000
        let early = set.slices.reduce(0) { $0 + ($1.window.start < middle ? $1.stacks.sampleCount : 0) }
        #expect(abs(Double(early) / Double(set.sampleCount) - 0.5) < 0.05)
        #expect(read.notes.isEmpty == (days <= 62), "\(read.notes)")
    }
}
