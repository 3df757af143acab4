import Analysis
import Compression
import Formats
import Foundation
import Profiles
import SampleBuilder
import Testing
import ToolOutput

private let facts: ImportFacts = {
    var facts = ImportFacts()
    (facts.service, facts.host) = ("web", "h1")
    return facts
}()

private let moment = Timestamp(seconds: 1_790_000_000)

private func profile(_ samples: ForeignSamples) -> NamedProfile {
    NamedProfile(samples.sampleSet(at: moment), symbolizer: NamesByAddress())
}

private func folded(_ samples: ForeignSamples, measure: Measure? = nil, isPlain: Bool = false) -> String {
    String(decoding: Folded(of: profile(samples), measure: measure, isPlain: isPlain).bytes, as: UTF8.self)
}

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// What a profile says, whatever its tables' order: samples as text with their values.
private func content(_ pprof: Pprof) -> [String: [Int64]] {
    var content: [String: [Int64]] = [:]
    for sample in pprof.samples {
        let stack = sample.locations.map { index -> String in
            let location = pprof.locations[index]
            let mapping = location.mapping.map { "\(pprof.mappings[$0].file) \(pprof.mappings[$0].buildID)" } ?? "-"
            let lines = location.lines.map { line in
                "\(pprof.functions[line.function].name) \(pprof.functions[line.function].file):\(line.line)"
            }
            return "\(mapping) \(location.address) \(lines)"
        }
        let labels = sample.labels.map { "\($0.key)=\($0.text)" }.sorted()
        let key = "\(stack) \(labels)"
        content[key] = zip(content[key] ?? sample.values.map { _ in 0 }, sample.values).map { $0 + $1 }
    }
    return content
}

private let names: NamesByAddress = NamesByAddress(
    Dictionary(
        uniqueKeysWithValues: (1...40).map { number in
            var frames = [NamedFrame(kind: .native, name: "f\(number)", file: "/s/f.cc", line: UInt32(number))]
            if number % 3 == 0 {
                frames.append(NamedFrame(kind: .inlined, name: "a\(number % 5)", file: "/s/h.h", line: 7))
                frames.append(NamedFrame(kind: .inlined, name: "b\(number % 5)", file: "/s/h.h", line: 8))
            }
            return (UInt64(number) * 16, frames)
        }))

@Suite struct ImportTests {
    @Test(arguments: [1, 2, 3] as [UInt64])
    func `pprof out, in and out again says the same`(seed: UInt64) throws {
        let first = Pprof(of: randomSamples(seed: seed), symbolizer: names)
        let read = try Pprof(file: first.file())
        #expect(read == first)
        let samples = try ForeignSamples(read, facts: ImportFacts())
        let second = Pprof(of: samples.sampleSet(at: moment), symbolizer: NamesByAddress())
        #expect(content(second) == content(first))
        #expect(second.period == first.period && second.sampleTypes == first.sampleTypes)
    }

    @Test func `what go tool pprof writes is read, and says what it says`() throws {
        let samples = randomSamples(seed: 9, withUnknown: false)
        let tool = try GoPprof(Pprof(of: samples, symbolizer: names).file())
        defer { tool.remove() }
        let path = tool.folder.appendingPathComponent("again.pb.gz").path
        _ = tool.text("-proto -output \(path)")
        let again = try ForeignSamples(Pprof(file: contents(path)), facts: ImportFacts())
        let (one, other) = (NamedProfile(samples, symbolizer: names), profile(again))
        #expect(one.sampleCount == other.sampleCount && one.totalValue == other.totalValue)
        let rows = { (profile: NamedProfile) in
            profile.ranking(by: .function, limit: .max).rows.reduce(into: [String: [UInt64]]()) {
                $0[$1.name] = [$1.selfValue, $1.totalValue]
            }
        }
        #expect(rows(one) == rows(other))
    }

    @Test func `folded out, in and out again says the same`() throws {
        let text = folded(
            try ForeignSamples(folded: bytes("p;main;f 3\np;main;g_[i] 2\np;main;r_[k] 1\nq 4\n"), facts: facts))
        #expect(text == "p;main;f 3\np;main;g_[i] 2\np;main;r_[k] 1\nq 4\n")
        let first = Folded(of: NamedProfile(randomSamples(seed: 4), symbolizer: names)).bytes
        let read = try ForeignSamples(folded: first, facts: facts)
        #expect(Array(folded(read).utf8) == first)
        // A bare count weighs 1 / rate seconds.
        var slow = facts
        slow.samplesPerSecond = 50
        #expect(profile(try ForeignSamples(folded: bytes("p;f 3"), facts: slow)).totalValue == 60_000_000)
    }

    /// Weights by stack, frames with their files and lines.
    private func speedscopeContent(_ bytes: [UInt8]) throws -> [String: Int] {
        let file = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
        let frames = try #require((file["shared"] as? [String: Any])?["frames"] as? [[String: Any]]).map {
            "\($0["name"] ?? "") \($0["file"] ?? ""):\($0["line"] ?? "")"
        }
        let one = try #require((file["profiles"] as? [[String: Any]])?.first)
        let stacks = try #require(one["samples"] as? [[Int]])
        let weights = try #require(one["weights"] as? [Int])
        return zip(stacks, weights).reduce(into: [:]) { sums, pair in
            sums[pair.0.map { frames[$0] }.joined(separator: ";"), default: 0] += pair.1
        }
    }

    @Test func `speedscope out, in and out again says the same`() throws {
        let first = Speedscope.file(of: NamedProfile(randomSamples(seed: 5), symbolizer: names), name: "t")
        let read = try ForeignSamples(speedscope: first, facts: facts)
        let (one, other) = (
            try speedscopeContent(first), try speedscopeContent(Speedscope.file(of: profile(read), name: "t"))
        )
        #expect(one.count > 50 && one == other)
    }

    @Test func `perf script text of ours is read again with its totals`() throws {
        let samples = randomSamples(seed: 6)
        let text = PerfScript.text(of: samples, symbolizer: names, remark: "x")
        #expect(ImportFormat.of(text) == .perfScript)
        let read = try ForeignSamples(perfScript: text, facts: facts)
        let one = Folded(of: NamedProfile(samples, symbolizer: names), measure: .unit, isPlain: true).bytes
        #expect(folded(read, measure: .unit, isPlain: true) == String(decoding: one, as: UTF8.self))
    }

    @Test func `perf script text as perf prints it`() throws {
        let text = """
            # ========
            my prog  4711/4712 [001]  100.000100:   10101010 cpu-clock:ppp:\u{20}
            \t    55d0c0ffee01 inner+0x1 (inlined)
            \t    55d0c0ffee01 outer(int, char)+0x21 (/usr/bin/my prog (deleted))
              file.c:12
            \tffffffff81000010 [unknown] (/lib/libc.so)

            swapper     0 [000]  112.5: cycles:  ffffffff810000 native_halt+0x1 ([kernel.kallsyms])
            """
        let read = try ForeignSamples(perfScript: bytes(text), facts: facts)
        let set = read.sampleSet(at: moment)
        #expect(set.slices.map { $0.window.start.nanoseconds - moment.nanoseconds } == [0, 10_000_000_000])
        #expect(set.keys.map(\.type.name) == ["cpu", "cycles"])
        #expect(set.totalWeight == 10_101_011 && set.sampleCount == 2)
        var chosen = facts
        chosen.type = "cpu"
        for (event, stack) in [
            ("cpu-clock", "my prog;[unknown libc.so+0xffffffff81000010];outer(int, char);inner_[i] 1\n"),
            ("cycles", "swapper;native_halt_[k] 1\n"),
        ] {
            chosen.event = event
            let one = try ForeignSamples(perfScript: bytes(text), facts: chosen)
            #expect(folded(one) == stack)
        }
    }

    @Test func `V8's profile has its functions, lines and times`() throws {
        let text = """
            {"nodes":[{"id":1,"callFrame":{"functionName":"(root)","url":"","lineNumber":-1},"children":[2,4]},
            {"id":2,"callFrame":{"functionName":"main","url":"file:///a.js","lineNumber":9},"children":[3]},
            {"id":3,"callFrame":{"functionName":"","url":"file:///a.js","lineNumber":19}},
            {"id":4,"callFrame":{"functionName":"(idle)","url":"","lineNumber":-1}}],
            "startTime":5,"endTime":9000,"samples":[3,3,4,2],"timeDeltas":[1000,2000,500,250]}
            """
        let read = try ForeignSamples(v8Profile: bytes(text), facts: facts)
        #expect(folded(read) == "web;main 1\nweb;main;(anonymous) 2\n")
        #expect(profile(read).totalValue == 3_250_000)
        #expect(read.notes.count == 1)
        #expect(ImportFormat.of(bytes(text)) == .cpuprofile)
    }

    @Test func `node's own profile is read`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("v8-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let program = "function spin(n){let s=0;for(let i=0;i<n;i++)s+=Math.sqrt(i);return s} spin(2e8)"
        _ = output(of: "cd \(folder.path) && node --cpu-prof --cpu-prof-name=p.cpuprofile -e '\(program)' 2>&1")
        let read = try ForeignSamples(
            v8Profile: contents(folder.appendingPathComponent("p.cpuprofile").path), facts: facts)
        let top = try #require(profile(read).ranking(by: .function).rows.first)
        #expect(top.name == "spin")
    }

    @Test func `Python's statistics have exact self times`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("py-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let program = """
            import cProfile, pstats
            def inner(): return sum(range(200000))
            def outer():
                for _ in range(30): inner()
            def other():
                for _ in range(10): inner()
            p = cProfile.Profile(); p.enable(); outer(); other(); p.disable(); p.dump_stats("p.prof")
            s = pstats.Stats("p.prof").stats
            for (f, l, n), v in s.items(): print(n, int(v[2] * 1e9))
            """
        let text = output(of: "cd \(folder.path) && python3 -c '\(program)'")
        let data = contents(folder.appendingPathComponent("p.prof").path)
        #expect(ImportFormat.of(data) == .pstats)
        let read = try ForeignSamples(pythonStats: data, facts: facts)
        let rows = profile(read).ranking(by: .function, limit: .max).rows
        for line in text.split(separator: "\n")
        where line.hasPrefix("inner ") || line.hasPrefix("<built-in method builtins.sum") {
            let space = try #require(line.lastIndex(of: " "))
            let own = try #require(UInt64(line[line.index(after: space)...]))
            let row = try #require(rows.first { $0.name == line[..<space] }, "\(line)")
            // Of each caller's part the fraction of a nanosecond is lost.
            #expect(row.selfValue + 10 >= own && row.selfValue <= own + 10, "\(line): \(row.selfValue)")
        }
        let sum = try #require(rows.first { $0.name.contains("builtins.sum") })
        #expect(sum.selfShare.value > 0.5)
    }

    @Test(arguments: [
        ("p;f 3\nno value\n", "line 2"), ("p;f x\n", "line 1"), ("p;f -1\n", "line 1"), ("p\u{0};f", "line 1"),
    ])
    func `a broken line of folded stacks is named`(text: String, place: String) {
        let error = #expect(throws: FormatError.self) { try ForeignSamples(folded: bytes(text), facts: facts) }
        #expect(error?.description.hasPrefix(place) == true)
    }

    @Test(arguments: [
        ("\tffff f (x)\n", "line 1"), ("prog 1 1.0: cpu-clock:\n\tzz f (x)\n", "line 2"), ("hello\n", "line 1"),
        ("prog 1 1.0: 7\n", "line 1"),
    ])
    func `a broken line of perf script is named`(text: String, place: String) {
        let error = #expect(throws: FormatError.self) { try ForeignSamples(perfScript: bytes(text), facts: facts) }
        #expect(error?.description.hasPrefix(place) == true)
    }

    @Test func `every cut of a pprof file is refused, and no changed byte does harm`() throws {
        var builder = SampleBuilder()
        builder.add(["p/t;0x30@m;0x10@m": 3, "p/t;k:read": 1])
        let message = Pprof(of: builder.samples, symbolizer: names).message()
        var refused = 0
        for length in 0..<message.count {
            if (try? Pprof(file: Array(message[..<length]))) == nil { refused += 1 }
        }
        // Some cuts lie between two fields and leave a whole message.
        #expect(refused > message.count / 2)
        for index in message.indices {
            for bit in [1, 0x80] as [UInt8] {
                var damaged = message
                damaged[index] ^= bit
                if let read = try? Pprof(file: damaged) { _ = try? ForeignSamples(read, facts: facts) }
            }
        }
        let error = #expect(throws: FormatError.self) { try Pprof(file: Array(message[..<40])) }
        #expect(error?.description.hasPrefix("offset ") == true)
    }

    @Test func `what pprof refuses is refused`() throws {
        var builder = SampleBuilder()
        builder.add(["p/t;0x30@m;0x10@m": 3])
        let good = Pprof(of: builder.samples, symbolizer: names)
        var two = good
        two.samples[0].values.removeLast()
        var unknown = good
        unknown.samples[0].locations.append(99)
        var negative = good
        negative.samples[0].values = [-1, -1]
        #expect(throws: FormatError.self) { try Pprof(file: two.file()) }
        #expect(throws: FormatError.self) { try Pprof(file: unknown.file()) }
        #expect(throws: FormatError.self) { try Pprof(file: []) }
        #expect(throws: FormatError.self) { try Pprof(file: good.message() + good.message()) }
        #expect(throws: FormatError.self) { try ForeignSamples(negative, facts: facts) }
    }

    @Test func `long names, deep stacks and odd characters lose nothing`() throws {
        let long = String(repeating: "template<x>", count: 9_500)
        let odd = "a\nb\u{1B}[31m<script>\u{202E}"
        let deep = (0..<2_000).map { "f\($0)" }.joined(separator: ";")
        var builder = SampleBuilder()
        builder.add(stacks: [("p/t;" + deep, 1), ("p/t;\(long)", 2), ("p/t;j:\(odd)", 3)])
        let first = Pprof(of: builder.samples, symbolizer: names)
        let samples = try ForeignSamples(Pprof(file: first.file()), facts: ImportFacts())
        #expect(content(Pprof(of: samples.sampleSet(at: moment), symbolizer: names)) == content(first))
        // Deeper ones are cut at the root, and say so.
        let deeper = "p;" + (0..<3_000).map { "f\($0)" }.joined(separator: ";") + " 5"
        let cut = profile(try ForeignSamples(folded: bytes(deeper), facts: facts))
        #expect(cut.quality.cut == 5 && cut.sampleCount == 5)
        #expect(cut.ranking(by: .function).rows[0].name == "f2999")
    }

    @Test(arguments: [1, 59, 60, 61, 601, 7_200] as [Int64])
    func `samples without times are spread evenly over the time that a file tells`(seconds: Int64) throws {
        var pprof = Pprof(of: randomSamples(seed: 8), symbolizer: names)
        pprof.durationNanoseconds = seconds * 1_000_000_000
        let set = try ForeignSamples(pprof, facts: ImportFacts()).sampleSet(at: moment)
        #expect(set.sampleCount == UInt64(pprof.samples.reduce(0) { $0 + $1.values[0] }))
        #expect(set.totalWeight == UInt64(pprof.samples.reduce(0) { $0 + $1.values[1] }))
        let range = try #require(set.range)
        #expect(range.start == moment && abs(range.seconds - Double(seconds)) < 0.001)
        #expect(set.slices.allSatisfy { $0.window.seconds <= 60.001 })
    }

    @Test func `labels give host and service, and one with too many values is left away and told`() throws {
        var builder = SampleBuilder()
        builder.add(["p/t;f": 200])
        var pprof = Pprof(of: builder.samples, symbolizer: names)
        let one = pprof.samples[0]
        pprof.samples = (0..<150).map { number in
            var sample = one
            sample.values = [1, 10]
            sample.labels.append(Pprof.Label(key: "span_id", text: "s\(number)"))
            sample.labels.append(Pprof.Label(key: "zone", text: "a"))
            return sample
        }
        let samples = try ForeignSamples(pprof, facts: ImportFacts())
        let set = samples.sampleSet(at: moment)
        #expect(set.keys.map(\.service) == ["web"] && set.hosts.map(\.name) == ["h1"])
        #expect(set.keys[0].labels == [Label(name: "zone", value: "a")])
        #expect(set.sampleCount == 150 && samples.notes.count == 1)
    }
}
