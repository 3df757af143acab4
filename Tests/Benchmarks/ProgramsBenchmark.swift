import Foundation

/// The share of whole stacks of programs as they are shipped: ours, and perf's by frame pointers and by stack copies.
/// A stack of perf's is whole when its root is the start of a program or of a thread.
func programsBenchmark(_ report: inout Report) throws {
    let agent = ".build/release/perf-agent"
    guard FileManager.default.isExecutableFile(atPath: agent) else {
        return report.absent("perf-agent", because: "\(agent) is not built")
    }
    let length = report.isSmoke ? 1 : 5
    for program in RealProgram.all {
        let folder: TemporaryFolder
        switch try program.prepared() {
        case .success(let made): folder = made
        case .failure(let absence):
            report.absent(program.name, because: absence.reason)
            continue
        }
        let command = program.command(in: folder, seconds: length)
        let answer = folder.path("answer.json")
        try Command(agent, ["profile", "--format", "json", "--output", answer, "--"] + command).wait()
        guard let ours = ProfileCoverage(path: answer) else {
            report.absent(program.name, because: "perf-agent profile gave no answer")
            continue
        }
        var beside: [String] = []
        for (name, options) in [("perf -g", ["-g"]), ("perf dwarf", ["--call-graph", "dwarf,16384"])] {
            guard let recording = try PerfRecording(command, in: folder, options, rate: 100),
                let theirs = try recording.tally(limit: 100)
            else {
                beside.append("\(name): absent")
                continue
            }
            beside.append("\(name): \(text(theirs.wholeShare * 100, "%")) of \(theirs.samples)")
        }
        report.line(
            "\(program.name): whole stacks", "\(text(ours.share * 100, "%")) of \(ours.samples)",
            beside.joined(separator: "; ") + (ours.remark.isEmpty ? "" : "; ours: \(ours.remark)"))
    }
}

/// Of the JSON of `perf-agent profile`.
private struct ProfileCoverage {
    var samples: Int
    var share: Double
    /// Why others are not whole.
    var remark: String

    init?(path: String) {
        struct Answer: Decodable {
            struct Coverage: Decodable {
                struct Depths: Decodable { var median: Int }
                var wholeStacks: Int?
                var cutStacks: Int?
                var brokenStacks: Int?
                var cutDepths: Depths?
                var brokenReasons: [String: Int]?
            }
            var coverage: Coverage
        }
        guard let data = FileManager.default.contents(atPath: path),
            let coverage = (try? JSONDecoder().decode(Answer.self, from: data))?.coverage,
            let whole = coverage.wholeStacks
        else { return nil }
        let cut = coverage.cutStacks ?? 0
        let broken = coverage.brokenStacks ?? 0
        samples = whole + cut + broken
        share = Double(whole) / Double(max(1, samples))
        var parts: [String] = []
        if cut > 0 { parts.append("\(cut) cut, at a depth of \(coverage.cutDepths?.median ?? 0)") }
        for (reason, count) in (coverage.brokenReasons ?? [:]).sorted(by: { $0.value > $1.value }) {
            parts.append("\(count) \(reason)")
        }
        remark = parts.joined(separator: ", ")
    }
}

/// The share of whole native stacks by how much of a stack is copied: the same samples, cut off at each size.
func copySizeBenchmark(_ report: inout Report) throws {
    let sizes = [4, 8, 16, 32, 63]
    let length = report.isSmoke ? 1.0 : 5.0
    for program in RealProgram.all {
        let folder: TemporaryFolder
        switch try program.prepared() {
        case .success(let made): folder = made
        case .failure(let absence):
            report.absent(program.name, because: absence.reason)
            continue
        }
        do {
            let recording = try StackRecording(
                program.command(in: folder, seconds: Int(length) + 2), seconds: length, rate: 250,
                copying: 63 << 10)
            var unwinder = recording.unwinder()
            let tallies = sizes.map { recording.followAll(&unwinder, limit: $0 << 10) }
            let figures = zip(sizes, tallies).map { "\($0) KiB: \(text($1.wholeShare * 100, "%"))" }
            let cut = tallies.map { text($0.cutShare * 100, "%") }
            report.line(
                "\(program.name): whole stacks by copy", figures.joined(separator: ", "),
                "cut: \(cut.joined(separator: ", ")); \(recording.samples.count) samples, mean depth "
                    + text(Double(tallies.last?.frames ?? 0) / Double(max(1, recording.samples.count)), ""))
        } catch { report.absent(program.name, because: "\(error)") }
    }
}
