internal import LinuxSystem
internal import Patterns
internal import Profiles
internal import Settings

/// What is known of a process beside its samples: what its service is named by.
struct ProcessFacts: Hashable, Sendable {
    /// Of `ServiceNames.variables` those that it has.
    var environment: [String: String] = [:]
    var controlGroup: String?
    /// Path of the program.
    var program: String?
    /// Arguments joined by spaces; only read where a rule asks for it.
    var commandLine: String?
}

/// Names the service of a process by the contract's rules: a rule of the configuration, the environment, the systemd
/// unit, the program's name. The IDs of container and pod are labels, never a service.
struct ServiceNames: Sendable {
    struct Answer: Hashable, Sendable {
        var service: String
        /// Empty where neither a rule nor the environment has one.
        var version: String
        var labels: [Label]
    }

    static let variables = [
        "PERF_SERVICE", "OTEL_SERVICE_NAME", "DD_SERVICE", "PERF_VERSION", "OTEL_RESOURCE_ATTRIBUTES", "DD_VERSION",
    ]
    /// The service of the kernel's own threads, which have no program.
    static let kernelService = "kernel"

    private struct Rule: Sendable {
        var program: Glob?
        var controlGroup: Glob?
        var command: Glob?
        var service: String
        var version: String?
    }

    private let rules: [Rule]
    /// Whether any rule wants the command line.
    let needsCommandLine: Bool

    init(rules: [ServiceRule] = []) {
        self.rules = rules.map { rule in
            Rule(
                program: rule.program.map { Glob($0) }, controlGroup: rule.cgroup.map { Glob($0) },
                command: rule.command.map { Glob($0) }, service: rule.service, version: rule.version)
        }
        needsCommandLine = rules.contains { $0.command != nil }
    }

    /// `name` is the main thread's name, which stands in where the program isn't known.
    func answer(for facts: ProcessFacts, name: String, isKernelThread: Bool) -> Answer {
        let program = facts.program.flatMap(Self.fileName) ?? name
        let group = facts.controlGroup.map { ControlGroup(path: $0) }
        var labels: [Label] = []
        if let container = group?.containerID { labels.append(Label(name: "container", value: container)) }
        if let pod = group?.podUID { labels.append(Label(name: "pod", value: pod)) }
        let version = Self.version(facts.environment)
        for rule in rules where Self.matches(rule, facts, program: program) {
            return Answer(service: rule.service, version: rule.version ?? version, labels: labels)
        }
        let service =
            Self.variables.prefix(3).lazy.compactMap { facts.environment[$0] }.first { !$0.isEmpty }
            ?? group?.systemdService
            ?? (isKernelThread ? Self.kernelService : program)
        return Answer(service: service, version: version, labels: labels)
    }

    private static func matches(_ rule: Rule, _ facts: ProcessFacts, program: String) -> Bool {
        func matches(_ glob: Glob?, _ text: String?) -> Bool {
            guard let glob else { return true }
            return text.map { glob.matches($0) } ?? false
        }
        return matches(rule.program, program) && matches(rule.controlGroup, facts.controlGroup)
            && matches(rule.command, facts.commandLine)
    }

    private static func version(_ environment: [String: String]) -> String {
        if let version = environment["PERF_VERSION"], !version.isEmpty { return version }
        // OTEL_RESOURCE_ATTRIBUTES: `key=value,key=value` (OpenTelemetry, resource SDK).
        for pair in environment["OTEL_RESOURCE_ATTRIBUTES"]?.split(separator: ",") ?? [] {
            let parts = pair.split(separator: "=", maxSplits: 1)
            if parts.count == 2, parts[0].drop(while: { $0 == " " }) == "service.version" { return String(parts[1]) }
        }
        return environment["DD_VERSION"] ?? ""
    }

    private static func fileName(_ path: String) -> String? {
        path.split(separator: "/").last.map(String.init)
    }

}
