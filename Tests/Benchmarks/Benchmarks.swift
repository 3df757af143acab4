// What the parts cost, each beside a rival or a limit in the same run. Every subject hashes its results and prints the
// hash, so that nothing is optimised away and a changed result shows.
//
//   benchmarks [--smoke] [--only SUBJECT]…      RIVALS=DIR holds stackcollapse-perf.pl and flamegraph.pl
//
// `--smoke` does the same work on small inputs: whether it runs, not what it costs.
import Foundation
import ProfilerAgent

/// The parts whose cost is told, in the order of a sample's way.
enum Subject: String, CaseIterable {
    case decode, unwind, copysize, attribute, symbols, batch, compile, ingest, query, evidence, oddhosts, comparisons,
        flamegraph, pictures
    case agent, programs

    func run(_ report: inout Report) async throws {
        switch self {
        case .decode: try decodeBenchmark(&report)
        case .unwind: try unwindBenchmark(&report)
        case .copysize: try copySizeBenchmark(&report)
        case .attribute: try await attributeBenchmark(&report)
        case .symbols: try symbolsBenchmark(&report)
        case .batch: try batchBenchmark(&report)
        case .compile: try await compileBenchmark(&report)
        case .ingest: try await ingestBenchmark(&report)
        case .query: try queryBenchmark(&report)
        case .evidence: evidenceBenchmark(&report)
        case .oddhosts: oddHostsBenchmark(&report)
        case .comparisons: comparisonsBenchmark(&report)
        case .flamegraph: try flameGraphBenchmark(&report)
        case .pictures: try picturesBenchmark(&report)
        case .agent: try agentBenchmark(&report)
        case .programs: try programsBenchmark(&report)
        }
    }
}

@main
enum Benchmarks {
    static func main() async {
        var arguments = CommandLine.arguments.dropFirst()
        // The helper process of the agent's parts, the load of `agent` and the makers of tables of `symbols` are this
        // program as well.
        if arguments.first == "helper" { runHelper() }
        if arguments.first == "--table" { MeasuredModule.run(Array(arguments.dropFirst())) }
        if arguments.first == "--spin", let seconds = arguments.dropFirst().first.flatMap(Double.init) {
            return BusyLoop.spin(seconds: seconds)
        }
        var report = Report(isSmoke: false, rivals: ProcessInfo.processInfo.environment["RIVALS"])
        var subjects: [Subject] = []
        while let argument = arguments.popFirst() {
            switch argument {
            case "--smoke": report.isSmoke = true
            case "--only":
                guard let subject = arguments.popFirst().flatMap(Subject.init) else { usage() }
                subjects.append(subject)
            default: usage()
            }
        }
        for subject in subjects.isEmpty ? Subject.allCases : subjects {
            report.begin(subject)
            do { try await subject.run(&report) } catch {
                FileHandle.standardError.write(Data("benchmarks: \(subject.rawValue): \(error)\n".utf8))
                exit(1)
            }
            report.end()
        }
    }

    private static func usage() -> Never {
        let names = Subject.allCases.map(\.rawValue).joined(separator: ", ")
        FileHandle.standardError.write(
            Data("usage: benchmarks [--smoke] [--only SUBJECT]…, SUBJECT one of \(names)\n".utf8))
        exit(2)
    }
}
