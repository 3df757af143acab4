internal import ArgumentParser
internal import CFoundationEssentials
internal import Dispatch
internal import Glibc
internal import ProfilerAgent

let programVersion = "0.1.0"

@main
enum Program {
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        // Before there is any other thread: rights are given up thread by thread.
        if arguments.first == "helper" { runHelper() }
        if arguments.first == "fetch" { runFetcher() }
        Task {
            await PerfAgent.main(ProfileArguments.rewritten(arguments))
            exit(0)
        }
        dispatchMain()
    }
}

struct PerfAgent: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perf-agent",
        abstract: "Samples what the CPUs of this host run: for the fleet, or for you, now.",
        discussion: """
            EXAMPLES:
              perf-agent profile -- ./program its arguments
              perf-agent run --aggregator 127.0.0.1:7171

            EXIT CODES: 0 done; 1 could not be done; 2 nothing matches; 64 bad usage.
            """,
        version: programVersion,
        subcommands: [
            RunVerb.self, ProfileVerb.self, DoctorVerb.self, StatusVerb.self, SpoolVerb.self,
        ])
}
