internal import Glibc

/// Defaults that a project sets for `perf-agent profile`: the settings of `<command name="/perf profile">` in
/// PROJECT_CONFIG.xml. nil means that the file says nothing.
public struct ProjectConfiguration: Hashable, Sendable {
    public var path: String
    /// `default_profiling_type`; several with commas.
    public var types: [String]?
    /// `default_sampling_rate`: samples per second and CPU, 1 to 10,000.
    public var samplesPerSecond: Double?
    /// `default_depth`: frames kept per stack, 1 to 65,535.
    public var depth: Int?
    /// `default_duration`; zero means until interrupted.
    public var duration: Duration?
    /// What is in the file and means nothing: settings that don't exist. Each names file and line.
    public var warnings: [String] = []

    public static let fileName = "PROJECT_CONFIG.xml"
    public static let commandName = "/perf profile"
    static let settingNames = [
        "default_profiling_type", "default_sampling_rate", "default_depth", "default_duration",
    ]

    public init(path: String) {
        self.path = path
    }

    /// The file that was asked for with `--config`, else the nearest one from `directory` (absolute) upward, else nil.
    /// - Parameter types: what can be measured; another type is an error.
    public static func find(
        asked path: String?, from directory: String, types: [String]
    ) throws(SettingsError) -> ProjectConfiguration? {
        if let path { return try parse(SettingsFile.read(path), types: types) }
        guard let nearest = nearestPath(from: directory) else { return nil }
        return try parse(SettingsFile.read(nearest), types: types)
    }

    static func nearestPath(from directory: String) -> String? {
        var parts = directory.split(separator: "/")
        while true {
            let candidate = "/" + (parts + [fileName[...]]).joined(separator: "/")
            if unsafe access(candidate, F_OK) == 0 { return candidate }
            if parts.isEmpty { return nil }
            parts.removeLast()
        }
    }

    /// Reads the text of a file.
    public static func parse(_ file: SettingsFile, types: [String]) throws(SettingsError) -> ProjectConfiguration {
        var configuration = ProjectConfiguration(path: file.path)
        var seen: Set<String> = []
        // The depth of the command element that we are in.
        var commandDepth: Int?
        for element in try scanXML(file.text, path: file.path) {
            if let depth = commandDepth, element.depth <= depth { commandDepth = nil }
            if commandDepth == nil {
                let name = element.attributes.first { $0.name == "name" }?.value
                if element.name == "command", name.map(normalized) == commandName { commandDepth = element.depth }
                continue
            }
            let origin = SettingOrigin.file(path: file.path, line: element.line)
            guard element.name == "setting" else {
                configuration.warnings.append("\(origin): <\(element.name)> means nothing here; only <setting> does")
                continue
            }
            guard let name = element.attributes.first(where: { $0.name == "name" })?.value,
                let value = element.attributes.first(where: { $0.name == "value" })?.value
            else {
                throw .malformed(origin, reason: "<setting> needs the attributes name and value")
            }
            if !seen.insert(name).inserted {
                configuration.warnings.append("\(origin): '\(name)' stands here a second time; this one counts")
            }
            try configuration.set(name, to: value.trimmingSpaces, origin: origin, types: types)
        }
        return configuration
    }

    private mutating func set(
        _ name: String, to value: String, origin: SettingOrigin, types available: [String]
    ) throws(SettingsError) {
        func unusable(_ expected: String) -> SettingsError {
            .unusableValue(origin, setting: name, value: value, expected: expected)
        }
        switch name {
        case "default_profiling_type":
            let names = value.split(separator: ",", omittingEmptySubsequences: false).map {
                String($0).trimmingSpaces
            }
            guard names.allSatisfy(available.contains) else {
                throw unusable(available.joined(separator: ", ") + " (that is what can be measured so far)")
            }
            types = names
        case "default_sampling_rate":
            guard let rate = SettingText.number(value), (1...10_000).contains(rate) else {
                throw unusable("samples per second and CPU, 1 to 10000")
            }
            samplesPerSecond = rate
        case "default_depth":
            guard let count = SettingText.integer(value, within: 1...65_535) else {
                throw unusable("a number of frames, 1 to 65535")
            }
            depth = count
        case "default_duration":
            guard let time = SettingText.duration(value) else {
                throw unusable("seconds, or a time as in 10s or 2m; 0 means until interrupted")
            }
            duration = time
        default:
            let hint = nearestName(to: name, among: Self.settingNames).map { "; did you mean '\($0)'?" } ?? ""
            warnings.append("\(origin): there is no setting '\(name)' of \(Self.commandName)\(hint)")
        }
    }

    /// White space at the ends taken off, and each run of it made one space.
    private static func normalized(_ text: String) -> String {
        text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        var rest = self[...]
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }
}
