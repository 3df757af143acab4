// Precedence in one place: flag, else environment, else file, else default. Every layer holds text, so that each
// value is read and checked by one rule however it came in, and an error can say where from.

/// One setting's names in the three layers.
struct Setting: Sendable {
    /// In the file: keys joined by dots, `spool.size`.
    var key: String
    var environment: String
    /// With its dashes; nil where there is no flag.
    var flag: String?

    init(_ key: String, _ environment: String, flag: String? = nil) {
        self.key = key
        self.environment = environment
        self.flag = flag
    }
}

struct LocatedText: Sendable {
    var text: String
    var origin: SettingOrigin
}

struct SettingsLayers: Sendable {
    private let entries: [SettingsTree.Entry]
    private let path: String
    private let environment: [String: String]
    private let flags: [String: String]

    /// `flags` by flag name, with dashes.
    init(file: SettingsFile?, environment: [String: String], flags: [String: String]) throws(SettingsError) {
        self.environment = environment
        self.flags = flags
        path = file?.path ?? ""
        switch try file.map({ file throws(SettingsError) in try SettingsTree.parse(file.text, path: file.path) }) {
        case .mapping(let entries, _): self.entries = entries
        case nil, .nothing: entries = []
        case let other?:
            throw .malformed(
                .file(path: path, line: other.line), reason: "expected settings as 'key: value', found \(other.summary)"
            )
        }
    }

    /// Fails for the first key of the file that is none of `known` (full keys, joined by dots) and not above one.
    func checkKeys(_ known: [String]) throws(SettingsError) {
        try check(entries, prefix: "", known: known)
    }

    private func check(
        _ entries: [SettingsTree.Entry], prefix: String, known: [String]
    ) throws(SettingsError) {
        for entry in entries {
            let key = prefix + entry.key
            if known.contains(key) { continue }
            guard known.contains(where: { $0.hasPrefix(key + ".") }) else {
                throw unknownKey(entry, prefix: prefix, known: known)
            }
            switch entry.value {
            case .mapping(let inner, _): try check(inner, prefix: key + ".", known: known)
            case .nothing: continue
            default:
                let inner = Self.siblings(prefix: key + ".", known: known)
                throw .unusableValue(
                    .file(path: path, line: entry.value.line), setting: key, value: entry.value.summary,
                    expected: "the settings \(inner.joined(separator: ", ")) below it")
            }
        }
    }

    private func unknownKey(_ entry: SettingsTree.Entry, prefix: String, known: [String]) -> SettingsError {
        let siblings = Self.siblings(prefix: prefix, known: known)
        // A key that would be right elsewhere in the file: `size` at the top, or `spool_size` for `spool.size`.
        let elsewhere =
            known.first { $0.hasSuffix("." + entry.key) }
            ?? nearestName(to: prefix + entry.key, among: known)
        let nearest = nearestName(to: entry.key, among: siblings).map { prefix + $0 } ?? elsewhere
        return .unknownKey(
            .file(path: path, line: entry.line), key: prefix + entry.key, nearest: nearest,
            known: siblings.map { prefix + $0 })
    }

    private static func siblings(prefix: String, known: [String]) -> [String] {
        var names: [String] = []
        for key in known where key.hasPrefix(prefix) {
            let name = String(key.dropFirst(prefix.count).prefix { $0 != "." })
            if !names.contains(name) { names.append(name) }
        }
        return names
    }

    /// The file's value at a dotted key; nil where it isn't there or is empty.
    func fileValue(_ key: String) -> SettingsTree? {
        var entries = entries
        var found: SettingsTree?
        for part in key.split(separator: ".") {
            guard let entry = entries.first(where: { $0.key == part }) else { return nil }
            found = entry.value
            if case .mapping(let inner, _) = entry.value { entries = inner } else { entries = [] }
        }
        if case .nothing = found { return nil }
        return found
    }

    func fileOrigin(_ line: Int) -> SettingOrigin {
        .file(path: path, line: line)
    }

    func environmentText(_ setting: Setting) -> LocatedText? {
        // An empty variable counts as unset, as in a unit file's `Environment=PERF_AGENT_HOST=`.
        guard let text = environment[setting.environment], !text.isEmpty else { return nil }
        return LocatedText(text: text, origin: .environment(name: setting.environment))
    }

    /// The text of a setting from the layer that wins; nil where none gives it.
    func text(_ setting: Setting) throws(SettingsError) -> LocatedText? {
        if let flag = setting.flag, let text = flags[flag] {
            return LocatedText(text: text, origin: .flag(name: flag))
        }
        if let text = environmentText(setting) { return text }
        switch fileValue(setting.key) {
        case nil, .nothing: return nil
        case .text(let text, let line): return LocatedText(text: text, origin: fileOrigin(line))
        case let other?:
            throw .unusableValue(
                fileOrigin(other.line), setting: setting.key, value: other.summary, expected: "one value")
        }
    }

    /// The setting, read by `parse`, or `fallback`. `parse` returns nil for what can't be used; `expected` says what can.
    func value<Value>(
        _ setting: Setting, _ fallback: Value, expected: String, _ parse: (String) -> Value?
    ) throws(SettingsError) -> Value {
        guard let found = try text(setting) else { return fallback }
        guard let value = parse(found.text) else {
            throw .unusableValue(found.origin, setting: setting.key, value: found.text, expected: expected)
        }
        return value
    }
}

/// One warning for each variable of `environment` that begins with `prefix` and is none of `known`.
func unknownVariables(in environment: [String: String], prefix: String, known: [String]) -> [String] {
    // Compared without what all have in common, which would make all of them near.
    let endings = known.map { String($0.dropFirst(prefix.count)) }
    return environment.keys.filter { $0.hasPrefix(prefix) && !known.contains($0) }.sorted().map { name in
        let nearest = nearestName(to: String(name.dropFirst(prefix.count)), among: endings)
        let hint = nearest.map { "; did you mean \(prefix)\($0)?" } ?? ""
        return "environment variable \(name) means nothing\(hint)"
    }
}
