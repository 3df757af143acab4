import ArgumentParser
import ProfilerAggregator

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Reads the whole store, says what is in it and whether it is sound (exit 1 where it is not).",
        discussion: """
            The aggregator must not run on it meanwhile.

            EXAMPLES
              perf-aggregator check --data /var/lib/perf-fleet/aggregator
              perf-aggregator check --data /tmp/profiles && echo sound
            """)

    @Option(help: "Directory of the store.")
    var data: String

    func run() throws {
        let report: StoreReport
        do {
            report = try checkStore(directory: data)
        } catch {
            throw failure("\(error)")
        }
        for line in report.contents { print(line) }
        for problem in report.problems { print("PROBLEM \(problem)") }
        print(
            report.problems.isEmpty ? "the store is sound" : "the store is not sound: \(report.problems.count) problems"
        )
        if !report.problems.isEmpty { throw ExitCode(1) }
    }
}
