/// A rule of agent.yaml that names the service of a process. Globs (`*`); all that are given must match. The first
/// rule that matches wins, before environment, systemd unit and program name are asked.
public struct ServiceRule: Hashable, Sendable {
    /// Matches the program's name: the last part of the executable's path.
    public var program: String?
    /// Matches the path of the cgroup (v2), as in /proc/PID/cgroup: `/system.slice/web-*.service`.
    public var cgroup: String?
    /// Matches the command line, its arguments joined by spaces.
    public var command: String?
    public var service: String
    /// nil: from the process's environment, else its build ID.
    public var version: String?

    public init(program: String?, cgroup: String?, command: String?, service: String, version: String? = nil) {
        self.program = program
        self.cgroup = cgroup
        self.command = command
        self.service = service
        self.version = version
    }

    static let keys = ["program", "cgroup", "command", "service", "version"]

    /// The list under `services`.
    static func read(_ tree: SettingsTree?, layers: SettingsLayers) throws(SettingsError) -> [ServiceRule] {
        guard let tree else { return [] }
        guard case .list(let items, _) = tree else {
            throw .unusableValue(
                layers.fileOrigin(tree.line), setting: "services", value: tree.summary,
                expected: "a list of rules, each '- program: GLOB' with a 'service: NAME'")
        }
        var rules: [ServiceRule] = []
        for item in items { rules.append(try read(rule: item, layers: layers)) }
        return rules
    }

    private static func read(rule: SettingsTree, layers: SettingsLayers) throws(SettingsError) -> ServiceRule {
        guard case .mapping(let entries, let line) = rule else {
            throw .unusableValue(
                layers.fileOrigin(rule.line), setting: "services", value: rule.summary,
                expected: "a rule with \(keys.joined(separator: ", "))")
        }
        var values: [String: String] = [:]
        for entry in entries {
            guard keys.contains(entry.key) else {
                throw .unknownKey(
                    layers.fileOrigin(entry.line), key: "services.\(entry.key)",
                    nearest: nearestName(to: entry.key, among: keys).map { "services.\($0)" },
                    known: keys.map { "services.\($0)" })
            }
            guard case .text(let text, _) = entry.value, SettingText.name(text) != nil else {
                throw .unusableValue(
                    layers.fileOrigin(entry.value.line), setting: "services.\(entry.key)",
                    value: entry.value.summary, expected: "1 to 255 bytes of text")
            }
            values[entry.key] = text
        }
        guard let service = values["service"] else {
            throw .inconsistent(layers.fileOrigin(line), reason: "a rule of 'services' has no 'service: NAME'")
        }
        let parsed = ServiceRule(
            program: values["program"], cgroup: values["cgroup"], command: values["command"], service: service,
            version: values["version"])
        guard parsed.program != nil || parsed.cgroup != nil || parsed.command != nil else {
            throw .inconsistent(
                layers.fileOrigin(line),
                reason: "the rule for service '\(service)' matches by nothing; give program, cgroup or command")
        }
        return parsed
    }
}
