internal import ArgumentParser

@main
enum Program {
    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if let refusal = laterWord(in: arguments) {
            PerfQuery.exit(withError: ValidationError(refusal))
        }
        // Not by ArgumentParser, which would offer its own --version to the verbs, where it is a service's.
        if arguments == ["--version"] {
            Terminal.standardOutput.writeLine(programVersion)
            return
        }
        await PerfQuery.main(joiningTimes(arguments))
    }
}

struct PerfQuery: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perf-query",
        abstract: "Asks an aggregator what the fleet's CPU time went to.",
        discussion: """
            EXAMPLES:
              perf-query services
              perf-query flamegraph --service web --since 1h --output web.svg

            EXIT CODES: 0 done; 1 could not be done; 2 no data matches; \
            3 a limit that diff was asked to hold is broken; 64 bad usage.
            The aggregator's URL is --server, else the environment variable PERF_SERVER, else \
            http://127.0.0.1:7172. 'perf-query --version' prints this program's version.
            """,
        subcommands: [
            FlameGraphVerb.self, TopVerb.self, TimelineVerb.self, ServicesVerb.self, HostsVerb.self, LabelsVerb.self,
            TypesVerb.self, AgentsVerb.self, DiffVerb.self, CompareHostsVerb.self, RegressionsVerb.self,
            ImportVerb.self, ExportVerb.self,
        ])
}

let programVersion = "0.1.0"

private let laterVerbs = ["profile"]
private let laterFlags = ["--token-file", "--ca"]

/// `--from -2h` as `--from=-2h`: ArgumentParser would find the flag -h in a value that stands alone.
private func joiningTimes(_ arguments: [String]) -> [String] {
    var joined: [String] = []
    for argument in arguments {
        if argument.hasPrefix("-"), !argument.hasPrefix("--"), let flag = joined.last,
            flag == "--from" || flag == "--to" || flag == "--at"
        {
            joined[joined.count - 1] = "\(flag)=\(argument)"
        } else {
            joined.append(argument)
        }
    }
    return joined
}

/// What to say where the arguments ask for something of the documented interface that isn't there yet; nil where they
/// don't.
private func laterWord(in arguments: [String]) -> String? {
    let verbs = PerfQuery.configuration.subcommands.compactMap { $0.configuration.commandName }.joined(separator: ", ")
    guard let verb = arguments.first else { return nil }
    if laterVerbs.contains(verb) { return "'\(verb)' comes later; there are: \(verbs)" }
    guard !verb.hasPrefix("-") else { return nil }
    for argument in arguments.dropFirst() {
        if argument == "--" { return nil }
        let flag = String(argument.prefix { $0 != "=" })
        if laterFlags.contains(flag) { return "\(flag) comes later; 'perf-query \(verb) --help' lists what there is" }
    }
    return nil
}
