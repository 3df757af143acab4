import Analysis
import FlameGraphs
import Formats
import Foundation
import Profiles

/// Folding and drawing 50,000 samples, beside the Perl scripts on the same samples. Ours starts from addresses, interns
/// and names them; theirs from the names that `perf script` prints. Both end in the same folded lines, which is checked.
func flameGraphBenchmark(_ report: inout Report) throws {
    let count = report.size(50_000, smoke: 500)
    for (name, load) in [("services", repeatedServices(count)), ("compilers", .compilers(samples: count))] {
        try compare(name, load.withoutKernel, &report)
    }
}

private func repeatedServices(_ count: Int) -> SyntheticLoad {
    var load = SyntheticLoad.services()
    for window in 1..<(count / 500 + 1) where load.samples.count < count {
        load.samples += SyntheticLoad.services(window: window).samples
    }
    return load
}

private func compare(_ name: String, _ load: SyntheticLoad, _ report: inout Report) throws {
    let symbolizer = load.program.symbolizer()
    var folded: [UInt8] = []
    var picture: [UInt8] = []
    let repetitions = report.size(3, smoke: 1)
    let folding = leastThreadSeconds(of: repetitions) {
        folded = Folded(of: NamedProfile(load.sampleSet(), symbolizer: symbolizer), measure: .samples).bytes
    }
    let profile = NamedProfile(load.sampleSet(), symbolizer: symbolizer)
    let drawing = leastThreadSeconds(of: repetitions) {
        picture = FlameGraph(profile.callTree()).svg(title: "benchmark")
    }
    report.keep(folded)
    report.keep(picture)
    report.line("\(name), \(load.samples.count) samples: intern, name, fold", text(folding * 1e3, "ms"))
    report.line("\(name), \(load.samples.count) samples: draw", text(drawing * 1e3, "ms"))
    guard let rivals = report.rivals, FileManager.default.fileExists(atPath: rivals + "/flamegraph.pl"),
        FileManager.default.fileExists(atPath: rivals + "/stackcollapse-perf.pl")
    else {
        return report.absent("\(name): stackcollapse-perf.pl, flamegraph.pl", because: "RIVALS=DIR says where they are")
    }
    let folder = try TemporaryFolder()
    let script = folder.path("script"), lines = folder.path("folded"), drawn = folder.path("svg")
    try Data(load.perfScript()).write(to: URL(filePath: script))
    let theirFolding = try Command("/usr/bin/perl", [rivals + "/stackcollapse-perf.pl", script], output: lines)
        .wait()
    let theirDrawing = try Command("/usr/bin/perl", [rivals + "/flamegraph.pl", lines], output: drawn).wait()
    let theirs = try Data(contentsOf: URL(filePath: lines))
    let isSame = Set(theirs.split(separator: 10)) == Set(Data(folded).split(separator: 10))
    report.keep(isSame ? 1 : 0)
    report.line(
        "\(name): stackcollapse-perf.pl", text(theirFolding * 1e3, "ms"),
        "\(text(theirFolding / folding, "")) times ours, \(isSame ? "the same lines" : "OTHER LINES")")
    report.line(
        "\(name): flamegraph.pl", text(theirDrawing * 1e3, "ms"), "\(text(theirDrawing / drawing, "")) times ours")
}

extension SyntheticLoad {
    /// As `perf script` prints them.
    func perfScript() -> [UInt8] {
        var bytes: [UInt8] = []
        for (number, sample) in samples.enumerated() {
            let stack = stacks[sample]
            let comm = processes[stack.process]
            bytes +=
                "\(comm) \(1000 + stack.process) [00\(number & 1)] \(number / 100).\(100_000 + number % 100): ".utf8
            // Without a period the script counts samples, as we do.
            bytes += "cpu-clock:pppH: \n".utf8
            for (function, address) in zip(stack.functions.reversed(), stack.chain.dropFirst()) {
                let module = program.module(program.functions[function].module).name
                bytes += "\t\(String(address, radix: 16)) \(program.name(ofFunction: function))+0x10 (\(module))\n".utf8
            }
            bytes += "\n".utf8
        }
        return bytes
    }
}
