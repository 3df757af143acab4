internal import Yams

/// What a YAML file says, with lines: text, lists and mappings and nothing else (no tags, no types).
indirect enum SettingsTree: Sendable {
    case text(String, line: Int)
    case list([SettingsTree], line: Int)
    case mapping([Entry], line: Int)
    /// A key without a value, or `~`: as if the key were not there.
    case nothing(line: Int)

    struct Entry: Sendable {
        var key: String
        var line: Int
        var value: SettingsTree
    }

    var line: Int {
        switch self {
        case .text(_, let line), .list(_, let line), .mapping(_, let line), .nothing(let line): line
        }
    }

    /// What an error shows of a value.
    var summary: String {
        switch self {
        case .text(let text, _): text
        case .list: "a list"
        case .mapping: "a mapping"
        case .nothing: ""
        }
    }

    /// Reads one YAML document. Lists and mappings nest at most 8 deep, with at most 10,000 values, which also bounds
    /// what aliases can expand to.
    static func parse(_ yaml: String, path: String) throws(SettingsError) -> SettingsTree {
        let node: Node?
        do {
            node = try Yams.compose(yaml: yaml)
        } catch let error as YamlError {
            throw located(error, path: path)
        } catch {
            throw .malformed(.file(path: path, line: 1), reason: "not YAML: \(error)")
        }
        guard let node else { return .mapping([], line: 1) }
        var remaining = 10_000
        return try convert(node, parentLine: 1, depth: 0, remaining: &remaining, path: path)
    }

    private static func convert(
        _ node: Node, parentLine: Int, depth: Int, remaining: inout Int, path: String
    ) throws(SettingsError) -> SettingsTree {
        let line = node.mark?.line ?? parentLine
        remaining -= 1
        guard depth < 8, remaining > 0 else {
            throw .malformed(.file(path: path, line: line), reason: "nested too deep, or too many values")
        }
        switch node {
        case .scalar(let scalar):
            let isPlain = scalar.style == .plain || scalar.style == .any
            if isPlain, ["", "~", "null", "Null", "NULL"].contains(scalar.string) { return .nothing(line: line) }
            return .text(scalar.string, line: line)
        case .sequence(let sequence):
            var items: [SettingsTree] = []
            for item in sequence {
                items.append(
                    try convert(item, parentLine: line, depth: depth + 1, remaining: &remaining, path: path))
            }
            return .list(items, line: line)
        case .mapping(let mapping):
            var entries: [Entry] = []
            for (key, value) in mapping {
                let keyLine = key.mark?.line ?? line
                guard case .scalar(let name) = key else {
                    throw .malformed(.file(path: path, line: keyLine), reason: "a key must be a word")
                }
                let value = try convert(
                    value, parentLine: keyLine, depth: depth + 1, remaining: &remaining, path: path)
                entries.append(Entry(key: name.string, line: keyLine, value: value))
            }
            return .mapping(entries, line: line)
        case .alias:
            throw .malformed(.file(path: path, line: line), reason: "an alias that refers to nothing")
        }
    }

    private static func located(_ error: YamlError, path: String) -> SettingsError {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let around = context.map { ", \($0.text)" } ?? ""
            return .malformed(.file(path: path, line: mark.line), reason: "not YAML: \(problem)\(around)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            return .malformed(
                .file(path: path, line: context.mark.line),
                reason: "the key '\(duplicates.joined(separator: "', '"))' stands here twice")
        default:
            return .malformed(.file(path: path, line: 1), reason: "not YAML: \(error)")
        }
    }
}
