import Patterns
public import Profiles

/// The series that a selection means, by their service, version and labels.
public struct SeriesPatterns: Sendable {
    private let services: NamePatterns
    private let version: OptionalPatterns
    private let labels: [(name: String, patterns: OptionalPatterns)]

    public init(_ selection: Selection) {
        services = NamePatterns(selection.services)
        version = OptionalPatterns(selection.versions)
        let names = Set(selection.labels.map(\.name)).sorted()
        labels = names.map { name in
            (name, OptionalPatterns(selection.labels.filter { $0.name == name }.map(\.value)))
        }
    }

    public func matches(_ key: SeriesKey) -> Bool {
        guard services.matches(key.service), version.matches(key.version.isEmpty ? nil : key.version) else {
            return false
        }
        return labels.allSatisfy { name, patterns in
            patterns.matches(key.labels.first { $0.name == name }?.value)
        }
    }
}

/// Patterns for what may be missing: only the empty pattern stands for that.
private struct OptionalPatterns: Sendable {
    private let patterns: NamePatterns
    private let acceptsMissing: Bool

    init(_ patterns: [NamePattern]) {
        self.patterns = NamePatterns(patterns)
        let positive = patterns.filter { !$0.isNegated }
        acceptsMissing =
            (positive.isEmpty || positive.contains { $0.glob.isEmpty })
            && !patterns.contains { $0.isNegated && $0.glob.isEmpty }
    }

    func matches(_ text: String?) -> Bool { text.map { patterns.matches($0) } ?? acceptsMissing }
}
