/// How much a daemon writes to standard error. The words are swift-log's.
public enum LogLevel: String, Hashable, Sendable, CaseIterable {
    case trace, debug, info, notice, warning, error, critical

    static let expected = "one of \(allCases.map(\.rawValue).joined(separator: ", "))"
}
