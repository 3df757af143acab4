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
        try YAMLDocument.read(yaml, path: path)
    }
}
