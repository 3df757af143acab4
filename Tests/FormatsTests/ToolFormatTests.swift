import Analysis
import Formats
import Foundation
import Profiles
import SampleBuilder
import Testing
import ToolOutput

private let names = NamesByAddress(
    Dictionary(
        uniqueKeysWithValues: (1...40).map { number in
            var frames = [NamedFrame(kind: .native, name: "f\(number)", file: "/s/f.cc", line: UInt32(number))]
            if number % 3 == 0 {
                frames.append(NamedFrame(kind: .inlined, name: "small\(number % 5)", file: "/s/h.h", line: 7))
            }
            return (UInt64(number) * 16, frames)
        }))

private func json(_ bytes: [UInt8]) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
}

/// Folded stacks with threads, by their text; values in nanoseconds.
private func folded(_ profile: NamedProfile, withThreads: Bool) -> [String: Int] {
    let text = String(
        decoding: Folded(of: profile, withThreads: withThreads, measure: .unit, isPlain: true).bytes, as: UTF8.self)
    var stacks: [String: Int] = [:]
    for line in text.split(separator: "\n") {
        let space = line.lastIndex(of: " ") ?? line.startIndex
        stacks[String(line[..<space])] = (Int(line[line.index(after: space)...]) ?? 0) * 1000
    }
    return stacks
}

@Suite struct ToolFormatTests {
    @Test(arguments: [4, 5] as [UInt64])
    func `speedscope files keep the rules of their schema and every stack`(seed: UInt64) throws {
        let samples = randomSamples(seed: seed, withUnknown: false)
        let profile = NamedProfile(samples, symbolizer: names)
        let file = try json(Speedscope.file(of: profile, name: "a \"title\"\n"))
        #expect(file["$schema"] as? String == "https://www.speedscope.app/file-format-schema.json")
        #expect(file["name"] as? String == "a \"title\"\n")
        let allowed: Set = ["$schema", "name", "exporter", "activeProfileIndex", "shared", "profiles"]
        #expect(Set(file.keys).isSubset(of: allowed))
        let frames = try #require((file["shared"] as? [String: Any])?["frames"] as? [[String: Any]])
        for frame in frames {
            #expect(frame["name"] is String)
            #expect(Set(frame.keys).isSubset(of: ["name", "file", "line", "col"]))
        }
        let one = try #require((file["profiles"] as? [[String: Any]])?.first)
        #expect(Set(one.keys) == ["type", "name", "unit", "startValue", "endValue", "samples", "weights"])
        #expect(one["type"] as? String == "sampled" && one["unit"] as? String == "nanoseconds")
        let stacks = try #require(one["samples"] as? [[Int]])
        let weights = try #require(one["weights"] as? [Int])
        #expect(stacks.count == weights.count && one["startValue"] as? Int == 0)
        #expect(one["endValue"] as? Int == weights.reduce(0, +))
        #expect(weights.reduce(0, +) == Int(profile.totalValue))
        var found: [String: Int] = [:]
        for (stack, weight) in zip(stacks, weights) {
            let text = try stack.map { index in
                try #require(frames.indices.contains(index))
                return frames[index]["name"] as? String ?? ""
            }.joined(separator: ";")
            found[text, default: 0] += weight
        }
        #expect(found == folded(profile, withThreads: true))
    }

    @Test func `Firefox profiles keep the rules of their tables and every stack`() throws {
        let samples = randomSamples(seed: 6, withUnknown: false)
        let profile = NamedProfile(samples, symbolizer: names)
        let file = try json(FirefoxProfile.file(of: profile, name: "title"))
        let meta = try #require(file["meta"] as? [String: Any])
        #expect(meta["preprocessedProfileVersion"] as? Int == 48)
        let categories = try #require(meta["categories"] as? [[String: Any]])
        #expect(categories.contains { $0["name"] as? String == "Other" && $0["color"] as? String == "grey" })
        let libraries = try #require(file["libs"] as? [[String: Any]])
        var found: [String: Double] = [:]
        for thread in try #require(file["threads"] as? [[String: Any]]) {
            let strings = try #require(thread["stringArray"] as? [String])
            #expect(thread["pid"] is String)
            /// Columns of a table, each as long as it says.
            func table(_ name: String) throws -> (columns: [String: [Any]], count: Int) {
                let table = try #require(thread[name] as? [String: Any])
                let count = try #require(table["length"] as? Int)
                var columns: [String: [Any]] = [:]
                for (key, value) in table where key != "length" && key != "weightType" {
                    let column = try #require(value as? [Any], "\(name).\(key)")
                    #expect(column.count == count, "\(name).\(key)")
                    columns[key] = column
                }
                return (columns, count)
            }
            func index(_ value: Any?, below count: Int) throws -> Int {
                let index = try #require(value as? Int)
                try #require(index >= 0 && index < count)
                return index
            }
            let (stacks, stackCount) = try table("stackTable")
            let (frames, frameCount) = try table("frameTable")
            let (functions, functionCount) = try table("funcTable")
            let (resources, resourceCount) = try table("resourceTable")
            let (rows, rowCount) = try table("samples")
            _ = (try table("nativeSymbols"), try table("markers"))
            for column in [stacks["category"], frames["category"]] {
                for value in column ?? [] { _ = try index(value, below: categories.count) }
            }
            for value in resources["lib"] ?? [] { _ = try index(value, below: libraries.count) }
            for value in functions["resource"] ?? [] where value as? Int != -1 {
                _ = try index(value, below: resourceCount)
            }
            var texts: [String] = []
            for stack in 0..<stackCount {
                let frame = try index(stacks["frame"]?[stack], below: frameCount)
                let function = try index(frames["func"]?[frame], below: functionCount)
                let name = strings[try index(functions["name"]?[function], below: strings.count)]
                let prefix = stacks["prefix"]?[stack]
                // Parents stand first.
                texts.append(prefix is NSNull ? name : texts[try index(prefix, below: stack)] + ";" + name)
            }
            let times = (rows["time"] as? [Double]) ?? []
            #expect(times == times.sorted())
            #expect((thread["samples"] as? [String: Any])?["weightType"] as? String == "tracing-ms")
            let head = "\(thread["processName"] as? String ?? "");\(thread["name"] as? String ?? "")"
            for row in 0..<rowCount {
                let stack = rows["stack"]?[row]
                let text = stack is NSNull ? head : head + ";" + texts[try index(stack, below: stackCount)]
                found[text, default: 0] += try #require(rows["weight"]?[row] as? Double)
            }
        }
        #expect(found.mapValues { Int(($0 * 1e6).rounded()) } == folded(profile, withThreads: true))
    }

    /// What stackcollapse-perf.pl does, by periods, in as few lines as it takes.
    @Test func `perf script text collapses into the same folded stacks`() throws {
        let samples = randomSamples(seed: 7, withUnknown: false)
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("script-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(PerfScript.text(of: samples, symbolizer: names, remark: "a\nremark")).write(
            to: URL(fileURLWithPath: path))
        let awk = #"""
            /^#/ { next }
            /^$/ { if (comm != "") { s = comm; for (i = n; i >= 1; i--) s = s ";" f[i]; v[s] += p } comm = ""; n = 0; next }
            /^[^ \t]/ { match($0, / [0-9]+\/[0-9]+ \[/); comm = substr($0, 1, RSTART - 1)
                for (i = 2; i < NF; i++) if ($i ~ /^[0-9.]+:$/) p = $(i + 1)
                next }
            { sub(/^[ \t]+[0-9a-f]+ /, ""); sub(/ \([^()]*\)$/, ""); f[++n] = $0 }
            END { for (s in v) printf "%s %.0f\n", s, v[s] }
            """#
        let text = output(of: "awk '\(awk)' \(path)")
        var found: [String: Int] = [:]
        for line in text.split(separator: "\n") {
            let space = try #require(line.lastIndex(of: " "))
            found[String(line[..<space])] = Int(line[line.index(after: space)...])
        }
        #expect(found == folded(NamedProfile(samples, symbolizer: names), withThreads: false))
    }

    @Test func `each format is known by the names that it gives to files`() {
        for format in ToolFormat.allCases {
            for ending in format.fileExtensions { #expect(ToolFormat(fileName: "A/b.\(ending)") == format) }
        }
        #expect(ToolFormat(fileName: "a.json") == nil)
    }
}

/// The same samples through the scripts of brendangregg/FlameGraph, which RIVALS=DIR names the folder of.
private let rivals: String? = {
    guard let folder = ProcessInfo.processInfo.environment["RIVALS"],
        ["stackcollapse-perf.pl", "difffolded.pl"].allSatisfy({
            FileManager.default.fileExists(atPath: "\(folder)/\($0)")
        })
    else { return nil }
    return folder
}()

@Suite(.enabled(if: rivals != nil, "needs RIVALS=DIR with stackcollapse-perf.pl and difffolded.pl"))
struct FoldedRivalTests {
    private func sorted(_ text: String) -> [Substring] { text.split(separator: "\n").sorted() }

    @Test func `stackcollapse-perf.pl makes our folded stacks of our perf script text`() throws {
        let samples = randomSamples(seed: 11, withUnknown: false)
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("script-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(PerfScript.text(of: samples, symbolizer: names, remark: "x")).write(to: URL(fileURLWithPath: path))
        let theirs = output(of: "perl \(try #require(rivals))/stackcollapse-perf.pl \(path)")
        let profile = NamedProfile(samples, symbolizer: names)
        let ours = folded(profile, withThreads: false).map { "\($0.key) \($0.value)" }.joined(separator: "\n")
        #expect(sorted(theirs).count > 100 && sorted(theirs) == sorted(ours))
    }

    @Test func `difffolded.pl makes our differential folded stacks of the same pair`() throws {
        let (one, other) = (randomSamples(seed: 12), randomSamples(seed: 13))
        let base = FileManager.default.temporaryDirectory.appendingPathComponent("folded-\(UUID())").path
        defer { for name in ["a", "b"] { try? FileManager.default.removeItem(atPath: base + name) } }
        for (name, samples) in [("a", one), ("b", other)] {
            try Data(Folded(of: NamedProfile(samples, symbolizer: names)).bytes).write(
                to: URL(fileURLWithPath: base + name))
        }
        let theirs = output(of: "perl \(try #require(rivals))/difffolded.pl \(base)a \(base)b")
        let pair = ProfilePair(SamplePair(base: one, against: other), symbolizer: names)
        let ours = String(decoding: DifferentialFolded(of: pair).bytes, as: UTF8.self)
        #expect(sorted(theirs).count > 100 && sorted(theirs) == sorted(ours))
    }
}
