import Analysis
import FlameGraphs
import Formats
import Profiles
import SymbolTables

/// From the samples of 20 hosts to an answer: tables merged, addresses named, functions ranked, a picture drawn.
func queryBenchmark(_ report: inout Report) throws {
    for count in [report.size(10_000, smoke: 500), report.size(100_000, smoke: 1000)] {
        let load = SyntheticLoad.compilers(samples: count)
        let symbolizer = load.program.symbolizer()
        let parts = (0..<20).map { host in
            var part = load
            part.samples = load.samples.filter { $0 % 20 == host }
            return part.windowProfile(host: host)
        }
        let repetitions = report.size(3, smoke: 1)
        var samples = SampleSet()
        let merging = leastThreadSeconds(of: repetitions) { samples = merged(parts) }
        var profile = NamedProfile(SampleSet(), symbolizer: symbolizer)
        let naming = leastThreadSeconds(of: repetitions) { profile = NamedProfile(samples, symbolizer: symbolizer) }
        var rows: [RankedRow] = []
        let ranking = leastThreadSeconds(of: repetitions) { rows = profile.ranking(by: .function).rows }
        var tree = profile.callTree()
        let folding = leastThreadSeconds(of: repetitions) { tree = profile.callTree() }
        var picture: [UInt8] = []
        let drawing = leastThreadSeconds(of: repetitions) { picture = FlameGraph(tree).svg(title: "benchmark") }
        for row in rows { report.keep(row.selfValue) }
        report.keep(picture)
        let name = "\(count) stacks in \(samples.stacks.nodes.count) nodes"
        report.line("\(name): merge 20 hosts", text(merging * 1e3, "ms"))
        report.line("\(name): name", text(naming * 1e3, "ms"))
        report.line("\(name): rank functions with intervals", text(ranking * 1e3, "ms"))
        report.line("\(name): call tree", text(folding * 1e3, "ms"))
        report.line("\(name): draw", text(drawing * 1e3, "ms"), "\(picture.count >> 10) KiB of SVG")
        let total = merging + naming + folding + drawing
        report.line("\(name): all of a flame graph", text(total * 1e3, "ms"), ofLimit(total, 1, "s"))
    }
}

private func merged(_ parts: [WindowProfile]) -> SampleSet {
    var samples = SampleSet()
    var keys: [SeriesKey: UInt32] = [:]
    for (host, part) in parts.enumerated() {
        samples.hosts.append(Host(name: part.host.name, agent: Identifier(high: 1, low: UInt64(host))))
        let map = samples.stacks.merge(part.stacks)
        for series in part.series {
            let key = keys[series.key] ?? UInt32(samples.keys.count)
            if key == samples.keys.count {
                samples.keys.append(series.key)
                keys[series.key] = key
            }
            let order = series.stacks.nodes.indices.sorted {
                map[Int(series.stacks.nodes[$0])] < map[Int(series.stacks.nodes[$1])]
            }
            samples.slices.append(
                SampleSlice(
                    host: UInt32(host), key: key, window: part.window, samplesPerSecond: series.samplesPerSecond,
                    stacks: StackCounts(
                        nodes: order.map { map[Int(series.stacks.nodes[$0])] },
                        counts: order.map { series.stacks.counts[$0] },
                        weights: order.map { series.stacks.weights[$0] }),
                    quality: series.quality))
        }
    }
    return samples
}
