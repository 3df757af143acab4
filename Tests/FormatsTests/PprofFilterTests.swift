import Analysis
import Formats
import Patterns
import Profiles
import SampleBuilder
import Testing

/// Addresses 0x10, 0x20 …: every second has functions inlined into it, some of them out of line elsewhere.
private let names: NamesByAddress = {
    var table: [UInt64: [NamedFrame]] = [:]
    for number in 1...40 {
        var frames = [
            NamedFrame(kind: .native, name: "ns::f\(number)", file: "/s/f\(number % 7).cc", line: UInt32(number))
        ]
        if number % 2 == 0 {
            frames.append(NamedFrame(kind: .inlined, name: "small\(number % 5)", file: "/s/small.h", line: 7))
            frames.append(NamedFrame(kind: .inlined, name: "tiny\(number % 3)", file: "/s/tiny.h", line: 90))
        }
        table[UInt64(number) * 16] = frames
    }
    return NamesByAddress(table)
}()

/// Self and total of each function, as `go tool pprof -top` prints them.
private func rows(_ text: String) -> [String: [UInt64]] {
    var rows: [String: [UInt64]] = [:]
    for line in text.split(separator: "\n") {
        let parts = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
        func number(_ part: Substring) -> UInt64? { UInt64(part.hasSuffix("ns") ? part.dropLast(2) : part) }
        guard parts.count == 6, let own = number(parts[0]), let total = number(parts[3]) else { continue }
        var name = String(parts[5].drop { $0 == " " })
        for ending in [" (inline)", " (partial-inline)"] where name.hasSuffix(ending) { name.removeLast(ending.count) }
        rows[name] = [own, total]
    }
    return rows
}

private let filters: [(String?, String?, String?, String?)] = [
    ("f1", nil, nil, nil), ("^small2$", nil, nil, nil), ("f3.cc", nil, nil, nil), ("vfs|app.py", nil, nil, nil),
    ("kernel", nil, nil, nil), (nil, "f1[0-9]", nil, nil), (nil, "tiny.h", nil, nil), ("f2", "small", nil, nil),
    (nil, nil, "small", nil), (nil, nil, "tiny|vfs", nil), (nil, nil, "f[1-9]", nil), (nil, nil, "^app$", nil),
    (nil, nil, nil, "f2"), (nil, nil, nil, "small"), (nil, nil, nil, "tiny0|f7$"), (nil, nil, nil, "^app$"),
    (nil, nil, "small", "tiny"), ("f3", "f4$", "tiny1", "f[12]"), (nil, nil, "^ns", "s"), ("none", nil, nil, nil),
]

@Test(arguments: filters) func `filters leave what go tool pprof leaves`(
    focus: String?, ignore: String?, hide: String?, showFrom: String?
) throws {
    func expression(_ text: String?) throws -> RegularExpression? { try text.map { try RegularExpression($0) } }
    let filter = FrameFilter(
        focus: try expression(focus), ignore: try expression(ignore), hide: try expression(hide),
        showFrom: try expression(showFrom))
    var left = 0
    for seed in [11, 12] as [UInt64] {
        let samples = randomSamples(seed: seed, withUnknown: false)
        let tool = try GoPprof(Pprof(of: samples, symbolizer: names).file())
        defer { tool.remove() }
        var flags = ""
        for (flag, value) in [("focus", focus), ("ignore", ignore), ("hide", hide), ("show_from", showFrom)] {
            if let value { flags += " '-\(flag)=\(value)'" }
        }
        let profile = NamedProfile(samples, symbolizer: names, filter: filter)
        var expected: [String: [UInt64]] = [:]
        for row in profile.ranking(by: .function, limit: .max).rows {
            expected[row.name] = [row.selfValue, row.totalValue]
        }
        #expect(rows(tool.text("-top -functions -unit=ns" + flags)) == expected, "\(flags), seed \(seed)")
        left += expected.count
    }
    let isEmpty = left == 0
    #expect(isEmpty == (focus == "none"))
}
