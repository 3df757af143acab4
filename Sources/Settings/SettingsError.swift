/// Where a setting's text came from; what an error names first.
public enum SettingOrigin: Hashable, Sendable, CustomStringConvertible {
    /// A line, counted from 1, of a file.
    case file(path: String, line: Int)
    case environment(name: String)
    /// A command-line option, with its dashes.
    case flag(name: String)

    public var description: String {
        switch self {
        case .file(let path, let line): "\(path):\(line)"
        case .environment(let name): "environment variable \(name)"
        case .flag(let name): name
        }
    }
}

/// Why settings can't be used. Each description says where, what, and what would do.
public enum SettingsError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A file that is not there, may not be read, or is too large.
    case unreadable(path: String, reason: String)
    /// Text that is not YAML or XML at all.
    case malformed(SettingOrigin, reason: String)
    /// A key that doesn't exist. `nearest` is the known key that looks most like it, nil where none does.
    case unknownKey(SettingOrigin, key: String, nearest: String?, known: [String])
    /// A value of the wrong type or out of range.
    case unusableValue(SettingOrigin, setting: String, value: String, expected: String)
    /// A setting that others make necessary, or forbid.
    case inconsistent(SettingOrigin?, reason: String)

    public var description: String {
        switch self {
        case .unreadable(let path, let reason):
            "can't read \(path): \(reason)"
        case .malformed(let origin, let reason):
            "\(origin): \(reason)"
        case .unknownKey(let origin, let key, let nearest?, _):
            "\(origin): unknown key '\(key)'; did you mean '\(nearest)'?"
        case .unknownKey(let origin, let key, nil, let known):
            "\(origin): unknown key '\(key)'; known are \(known.joined(separator: ", "))"
        case .unusableValue(let origin, let setting, let value, let expected):
            "\(origin): \(setting): '\(value)' can't be used; expected \(expected)"
        case .inconsistent(let origin?, let reason):
            "\(origin): \(reason)"
        case .inconsistent(nil, let reason):
            reason
        }
    }
}
