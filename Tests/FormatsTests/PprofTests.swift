import Analysis
import Compression
import Formats
import Foundation
import Profiles
import SampleBuilder
import Testing
import ToolOutput

/// Addresses 0x10, 0x20 …: every third has functions inlined into it.
private let names: NamesByAddress = {
    var table: [UInt64: [NamedFrame]] = [:]
    for number in 1...40 {
        let address = UInt64(number) * 16
        var frames = [
            NamedFrame(kind: .native, name: "ns::f\(number)<int, 2>", file: "/s/f\(number).cc", line: UInt32(number))
        ]
        if number % 3 == 0 {
            frames.append(NamedFrame(kind: .inlined, name: "small\(number % 5)", file: "/s/small.h", line: 7))
            frames.append(NamedFrame(kind: .inlined, name: "tiny\(number % 2)", file: "/s/small.h", line: 90))
        }
        table[address] = frames
    }
    return NamesByAddress(table)
}()

/// Random stacks of two hosts over three windows, with recursion, kernel, JIT-compiled and interpreted frames.
func randomSamples(seed: UInt64, withUnknown: Bool = true) -> SampleSet {
    var random = SeededGenerator(seed: seed)
    var builder = SampleBuilder()
    for window in 0..<3 {
        for host in ["h1", "h 2"] {
            let stacks = (0..<60).map { _ in
                var stack = "app/worker-\(Int.random(in: 1...12, using: &random) % 3 == 0 ? "x" : "9")"
                for _ in 0..<Int.random(in: 1...14, using: &random) {
                    stack += ";0x\(String(Int.random(in: 1...40, using: &random) * 16, radix: 16))@app"
                }
                switch Int.random(in: 0..<8, using: &random) {
                case 0: stack += ";k:do_syscall;k:vfs_read"
                case 1: stack += ";j:lambda$run$0"
                case 2: stack += ";i:handle@/srv/app.py:\(Int.random(in: 10...14, using: &random))"
                case 3 where withUnknown: stack += ";0x99999@other"
                default: break
                }
                return (stack, UInt64.random(in: 1...50, using: &random))
            }
            builder.add(host: host, labels: [Label(name: "zone", value: "a;b")], window: window, stacks: stacks)
        }
    }
    return builder.samples
}

private struct Row: Hashable {
    var own: Int64
    var total: Int64
}

/// What `go tool pprof` says of a profile.
struct GoPprof {
    let folder: URL
    let path: String

    init(_ bytes: [UInt8]) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("pprof-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.appendingPathComponent("profile.pb.gz").path
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }

    func text(_ arguments: String) -> String {
        output(
            of: "PPROF_TMPDIR=\(folder.path) HOME=\(folder.path) go tool pprof -symbolize=none -nodecount=1000000"
                + " -nodefraction=0 -edgefraction=0 \(arguments) \(path) 2>&1")
    }
}

/// Rows of -top by name; inlined and out-of-line copies are one, as with us.
private func rows(_ text: String) -> [String: Row] {
    var rows: [String: Row] = [:]
    for line in text.split(separator: "\n") {
        let parts = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
        func number(_ part: Substring) -> Int64? { Int64(part.hasSuffix("ns") ? part.dropLast(2) : part) }
        guard parts.count == 6, let own = number(parts[0]), let total = number(parts[3]) else { continue }
        var name = String(parts[5]).trimmingCharacters(in: .whitespaces)
        for ending in [" (inline)", " (partial-inline)"] where name.hasSuffix(ending) {
            name.removeLast(ending.count)
        }
        rows[name] = Row(own: own, total: total)
    }
    return rows
}

/// What -tree says of a function: its own row, and what its callers and callees count for.
private struct Calls: Equatable {
    var row = Row(own: 0, total: 0)
    var callers: [String: Int64] = [:]
    var callees: [String: Int64] = [:]
}

/// Blocks of -tree: callers, the function with five columns, callees.
private func calls(_ text: String) -> [String: Calls] {
    var functions: [String: Calls] = [:]
    for block in text.components(separatedBy: String(repeating: "-", count: 58) + "+-------------") {
        var (one, function) = (Calls(), "")
        for line in block.split(separator: "\n") {
            let sides = line.components(separatedBy: " | ")
            let columns = sides[0].split(separator: " ", omittingEmptySubsequences: true)
            func number(_ part: Substring) -> Int64? { Int64(part.hasSuffix("ns") ? part.dropLast(2) : part) }
            guard sides.count == 2, let first = columns.first.flatMap(number) else { continue }
            var name = sides[1].trimmingCharacters(in: .whitespaces)
            for ending in [" (inline)", " (partial-inline)"] where name.hasSuffix(ending) {
                name.removeLast(ending.count)
            }
            if columns.count >= 5, let total = number(columns[3]) {
                (function, one.row) = (name, Row(own: first, total: total))
            } else if function.isEmpty {
                one.callers[name] = first
            } else {
                one.callees[name] = first
            }
        }
        if !function.isEmpty { functions[function] = one }
    }
    return functions
}

@Suite struct PprofTests {
    @Test(arguments: [1, 2, 3] as [UInt64])
    func `functions have the same self and total in go tool pprof as in a ranking`(seed: UInt64) throws {
        let samples = randomSamples(seed: seed, withUnknown: false)
        let pprof = Pprof(of: samples, symbolizer: names)
        let tool = try GoPprof(pprof.file())
        defer { tool.remove() }
        let text = tool.text("-top -functions -unit=ns")
        let profile = NamedProfile(samples, symbolizer: names)
        #expect(text.contains("Type: cpu\n"), "\(text.prefix(500))")
        #expect(text.contains("of \(profile.totalValue)ns total"), "\(text.prefix(500))")
        var expected: [String: Row] = [:]
        for row in profile.ranking(by: .function, limit: .max).rows {
            expected[row.name] = Row(own: Int64(row.selfValue), total: Int64(row.totalValue))
        }
        #expect(expected.count > 40)
        #expect(rows(text) == expected)
        // The other sample type counts samples.
        let counts = rows(tool.text("-top -functions -sample_index=samples"))
        #expect(counts.mapValues { $0.own * 10_000_000 } == expected.mapValues(\.own))
    }

    @Test(arguments: [1, 2] as [UInt64])
    func `every function has the callers and callees of go tool pprof's tree`(seed: UInt64) throws {
        let samples = randomSamples(seed: seed, withUnknown: false)
        let tool = try GoPprof(Pprof(of: samples, symbolizer: names).file())
        defer { tool.remove() }
        let tree = calls(tool.text("-tree -functions -unit=ns"))
        let profile = NamedProfile(samples, symbolizer: names)
        let rows = profile.ranking(by: .function, limit: .max).rows
        #expect(tree.count == rows.count && rows.count > 40)
        for row in rows {
            /// pprof leaves calls of a function by itself away, and we count what nobody called.
            func edges(_ relation: CallRelation) -> [String: Int64] {
                profile.ranking(relation, of: [row.name], limit: .max).rows.reduce(into: [:]) {
                    if $1.name != row.name, $1.name != "[none]" { $0[$1.name] = Int64($1.totalValue) }
                }
            }
            let ours = Calls(
                row: Row(own: Int64(row.selfValue), total: Int64(row.totalValue)), callers: edges(.callers),
                callees: edges(.callees))
            #expect(tree[row.name] == ours, "\(row.name)")
        }
    }

    @Test func `callers and callees are the same in peek`() throws {
        var builder = SampleBuilder()
        builder.add(["p/t;0x10@m;0x20@m": 3, "p/t;0x40@m;0x20@m": 5, "p/t;0x40@m;0x20@m;0x30@m": 7])
        let tool = try GoPprof(Pprof(of: builder.samples, symbolizer: names).file())
        defer { tool.remove() }
        let lines = tool.text("-peek '^ns::f2<' -sample_index=samples").split(separator: "\n").map {
            $0.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
        }
        // The callers above, heaviest first, then the function, then what it calls.
        #expect(lines.contains("12 80.00% | ns::f4<int, 2>"), "\(lines)")
        #expect(lines.contains("3 20.00% | ns::f1<int, 2>"), "\(lines)")
        #expect(lines.contains("8 53.33% 53.33% 15 100% | ns::f2<int, 2>"), "\(lines)")
        #expect(lines.contains { $0.hasPrefix("7 46.67% | ns::f3<int, 2>") }, "\(lines)")
    }

    @Test func `mappings, build IDs, inlined lines and labels are there in raw`() throws {
        var builder = SampleBuilder()
        builder.add(
            service: "web", version: "v2", labels: [Label(name: "zone", value: "a")],
            ["p q/t-7;0x10@m;0x30@m;k:read": 3, "p q/t-7;0x99@gone": 2, "p q/t-7;m:[broken: no rule];0x10@m": 1])
        let tool = try GoPprof(Pprof(of: builder.samples, symbolizer: names, comments: ["a remark"]).file())
        defer { tool.remove() }
        let raw = tool.text("-raw")
        #expect(raw.contains("PeriodType: cpu nanoseconds\nPeriod: 10000000\n"), "\(raw)")
        #expect(raw.contains("Duration: 10\n") || raw.contains("Duration: 10"), "\(raw)")
        #expect(raw.contains("samples/count cpu/nanoseconds[dflt]"), "\(raw)")
        #expect(raw.contains("[kernel.kallsyms]"), "\(raw)")
        // The module's identity is the byte of its name.
        #expect(raw.contains("m 6d [FN][FL][LN][IN]"), "\(raw)")
        #expect(raw.contains("gone 676f6e65 \n") || raw.contains("gone 676f6e65"), "\(raw)")
        let innermost = try #require(raw.range(of: "tiny1 /s/small.h:90"), "\(raw)")
        let middle = try #require(raw.range(of: "small3 /s/small.h:7"), "\(raw)")
        let outer = try #require(raw.range(of: "ns::f3<int, 2> /s/f3.cc:3"), "\(raw)")
        #expect(innermost.lowerBound < middle.lowerBound && middle.lowerBound < outer.lowerBound)
        for label in ["host:[h1]", "service:[web]", "version:[v2]", "zone:[a]", "process:[p q]", "thread:[t-#]"] {
            #expect(raw.contains(label), "\(label) in \(raw)")
        }
        #expect(raw.contains("[broken: no rule]"), "\(raw)")
        #expect(tool.text("-comments").contains("a remark"))
    }

    @Test func `a depth keeps the frames nearest the leaf and says that it cut`() throws {
        var builder = SampleBuilder()
        builder.add(["p/t;0x10@m;0x20@m;0x30@m;k:read": 3, "p/t;0x10@m": 1])
        let pprof = Pprof(of: builder.samples, symbolizer: names, depth: 2)
        let stacks = pprof.samples.map { sample in
            sample.locations.map { location in pprof.functions[pprof.locations[location].lines[0].function].name }
        }
        #expect(Set(stacks) == [["read", "tiny1", "[truncated]"], ["ns::f1<int, 2>"]])
        #expect(pprof.samples.map(\.values).reduce(0) { $0 + $1[0] } == 4)
    }

    @Test func `names of any kind arrive whole`() throws {
        let long = String(repeating: "template<x> ", count: 9_000)
        let odd = "a;b\nc\u{1B}[31m\"<&'\u{202E}"
        var builder = SampleBuilder()
        let deep = (0..<2_000).map { "f\($0 % 7)" }.joined(separator: ";")
        builder.add(stacks: [("p/t;" + deep, 1), ("p/t;\(long)", 2), ("p/t;x;j:\(odd.replacing(";", with: ","))", 3)])
        let file = Pprof(of: builder.samples, symbolizer: names).file()
        let tool = try GoPprof(file)
        defer { tool.remove() }
        let top = tool.text("-top -sample_index=samples")
        #expect(top.contains("of 6 total"), "\(top.prefix(300))")
        #expect(top.contains(long.trimmingCharacters(in: .whitespaces)))
        let message = try Gzip.decompress(file, limit: 1 << 20)
        #expect(String(decoding: message, as: UTF8.self).contains(odd.replacing(";", with: ",")))
    }
}

@Test(arguments: ["a.pb.gz", "A.PB.GZ", "x/y.pprof", "a.pb"])
func `pprof's files are known by their names`(name: String) { #expect(ToolFormat(fileName: name) == .pprof) }

@Test(arguments: ["pprof", "a.gz", "pb.gz.txt", ""])
func `other names say nothing`(name: String) { #expect(ToolFormat(fileName: name) == nil) }
