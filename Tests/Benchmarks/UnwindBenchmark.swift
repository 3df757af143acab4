import Foundation
import Unwinding

/// What it takes to follow stacks of real programs, recorded once and followed again and again; beside `perf script` on
/// a recording of perf's own of the same program.
func unwindBenchmark(_ report: inout Report) throws {
    let length = report.isSmoke ? 1.0 : 3.0
    for program in RealProgram.timed {
        let folder: TemporaryFolder
        switch try program.prepared() {
        case .success(let made): folder = made
        case .failure(let absence):
            report.absent(program.name, because: absence.reason)
            continue
        }
        let command = program.command(in: folder, seconds: Int(length) + 2)
        let recording: StackRecording
        do { recording = try StackRecording(command, seconds: length, rate: 500, copying: 16 << 10) } catch {
            report.absent(program.name, because: "\(error)")
            continue
        }
        guard !recording.samples.isEmpty else {
            report.absent(program.name, because: "no samples")
            continue
        }
        let count = Double(recording.samples.count)
        var unwinder = recording.unwinder()
        var tally = StackTally()
        let cold = threadSeconds { tally = recording.followAll(&unwinder) }
        let warm = leastThreadSeconds(of: report.size(20, smoke: 2)) { _ = recording.followAll(&unwinder) }
        let depth = Double(tally.frames) / count
        report.line(
            "\(program.name): first pass, nothing cached", text(cold / count * 1e9, "ns a sample"),
            "\(text(cold / Double(tally.frames) * 1e9, "ns")) a frame; \(recording.samples.count) samples, "
                + "mean depth \(text(depth, "")), \(text(tally.wholeShare * 100, "%")) whole")
        report.line(
            "\(program.name): later passes", text(warm / count * 1e9, "ns a sample"),
            "\(text(warm / Double(tally.frames) * 1e9, "ns")) a frame; "
                + ofLimit(warm / count * 1e6, 3, "µs"))
        report.line(
            "\(program.name): unwind tables of \(recording.tables.lazy.compactMap(\.self).count) files",
            text(recording.tableSeconds * 1e3, "ms"), text(Double(recording.tableBytes) / 1e6, "MB"))
        guard let theirs = try PerfRecording(command, in: folder, ["--call-graph", "dwarf,16384"], rate: 500) else {
            report.absent("perf script", because: "perf is not there or may not sample")
            continue
        }
        let times = report.size(3, smoke: 1)
        let reading = try theirs.cheapestScript(["-F", "time"], of: times)
        let unwinding = try theirs.cheapestScript(["-F", "ip"], of: times)
        guard let reading, let unwinding, reading.sampleCount > 0 else {
            report.absent("perf script", because: "it took longer than two minutes")
            continue
        }
        let mine = (unwinding.cpuSeconds - reading.cpuSeconds) / Double(reading.sampleCount)
        report.line(
            "\(program.name): perf script -F ip, less -F time", text(mine * 1e6, "µs a sample"),
            "\(text(mine / (warm / count), "")) times ours; \(reading.sampleCount) samples, "
                + "\(text(reading.cpuSeconds / Double(reading.sampleCount) * 1e6, "µs")) more to read each")
    }
}

/// How stacks ended.
struct StackTally {
    var samples = 0
    var frames = 0
    var whole = 0
    var cut = 0

    var wholeShare: Double { Double(whole) / Double(max(1, samples)) }
    var cutShare: Double { Double(cut) / Double(max(1, samples)) }
}

extension StackRecording {
    /// Follows each stack, as if no more than `limit` bytes of it had been copied.
    func followAll(_ unwinder: inout Unwinder, limit: Int = .max) -> StackTally {
        var tally = StackTally()
        for sample in samples {
            let space = spaces[sample.space]
            let bytes = unsafe sample.stack.span.bytes
            let outcome = unwinder.unwind(
                sample.registers, stack: bytes.extracting(first: min(limit, bytes.byteCount)), mappings: space.span)
            tally.samples += 1
            tally.frames += unwinder.frames.count
            switch outcome {
            case .whole: tally.whole += 1
            case .cut, .tooDeep: tally.cut += 1
            case .broken, .waiting: break
            }
        }
        return tally
    }
}
