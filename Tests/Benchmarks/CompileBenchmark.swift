import Foundation
import PerfEvents
import Profiles
import WireProtocol

@testable import ProfilerAgent

/// The batch of a real window: compilers on every core, sampled by the agent's own thread and named by its own rules.
func compileBenchmark(_ report: inout Report) async throws {
    guard
        let compiler = ["/usr/bin/cc", "/usr/bin/gcc", "/usr/bin/clang"].first(where: {
            FileManager.default.isExecutableFile(atPath: $0)
        })
    else { return report.absent("a parallel compile", because: "no C compiler") }
    let length: Duration = report.isSmoke ? .seconds(1) : .seconds(10)
    let sampling = SamplingThread(
        SamplingPlan(
            options: SamplingOptions(
                samplesPerSecond: 100, userStack: StackUnwinding.stackCopy(byteCount: 16 << 10)),
            rule: WindowRule(length: length, isAligned: false)))
    let folder = try TemporaryFolder()
    let source = folder.path("work.c")
    try Data(sourceText().utf8).write(to: URL(filePath: source))
    let loop = "while :; do \(compiler) -O2 -c \(source) -o /dev/null; done"
    let compilers = try (0..<ProcessInfo.processInfo.activeProcessorCount).map { _ in
        try Command("/bin/sh", ["-c", loop])
    }
    defer { for command in compilers { command.end(SIGKILL) } }
    do { try await sampling.start() } catch {
        return report.absent("a parallel compile", because: "\(error)")
    }
    let reader = ObjectReader()
    let finisher = WindowFinisher(
        resolver: ModuleResolver(identities: reader, tables: reader),
        inspector: ProcessInspector(wantsCommandLine: false), names: ServiceNames(), hostLabels: [])
    let answering = Task { await finisher.answer(sampling.questions, from: sampling) }
    var window: WindowProfile?
    for await raw in sampling.windows {
        let named = await finisher.finish(raw)
        let (stacks, series) = (named.stacks, named.series)
        window = WindowProfile(
            host: HostFacts(name: "host", agentVersion: "0.1", kernelRelease: "6.1", onlineCPUs: 2, labels: []),
            window: raw.range, stacks: stacks, series: series, ledger: raw.ledger)
        break
    }
    sampling.stop()
    await sampling.ended()
    await answering.value
    guard let window, window.sampleCount > 0 else {
        return report.absent("a parallel compile", because: "no samples")
    }
    let stacks = window.series.reduce(0) { $0 + $1.stacks.nodes.count }
    var frames = 0
    for series in window.series {
        for (node, count) in zip(series.stacks.nodes, series.stacks.counts) {
            frames += max(0, window.stacks.stack(of: node).count - 2) * Int(count)
        }
    }
    let depth = Double(frames) / Double(window.sampleCount)
    try tell(
        "real compile, \(window.sampleCount) samples, \(stacks) stacks, mean depth \(text(depth, ""))", window,
        limit: 35, &report)
}

/// A C file that keeps an optimiser busy for a second or so.
private func sourceText() -> String {
    var text = ""
    for function in 0..<400 {
        text += "int f\(function)(int a, int *b) { int s = a;\n"
        for line in 0..<12 {
            text +=
                "  for (int i = 0; i < (b[\(line)] & 31); i++) s = s * \(line + 3) + b[(s ^ i) & 63] % \(function + 2);\n"
        }
        text += "  return s; }\n"
    }
    return text
}
