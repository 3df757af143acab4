/// A name and a value that describe where samples come from: `zone=a`, `container=3f2a…`.
public struct Label: Hashable, Sendable, Comparable {
    public var name: String
    public var value: String

    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }

    public static func < (left: Label, right: Label) -> Bool {
        (left.name, left.value) < (right.name, right.value)
    }
}

/// Whose samples these are: what a service's samples are grouped by within one host.
public struct SeriesKey: Hashable, Sendable {
    public var service: String
    /// The service's version; empty where unknown.
    public var version: String
    /// Sorted by name, each name once.
    public var labels: [Label]
    public var type: ProfileType

    public init(service: String, version: String, labels: [Label], type: ProfileType) {
        self.service = service
        self.version = version
        self.labels = labels
        self.type = type
    }
}

/// How many of some samples had stacks that are whole, cut at a limit, or broken.
///
/// nil means not measured: frame pointers alone can't tell a whole stack from a short one.
public struct StackQuality: Hashable, Sendable {
    public var whole: UInt64?
    public var cut: UInt64?
    public var broken: UInt64?

    public init(whole: UInt64?, cut: UInt64?, broken: UInt64?) {
        self.whole = whole
        self.cut = cut
        self.broken = broken
    }

    /// What was not measured on one side is not measured in the sum.
    public static func + (left: StackQuality, right: StackQuality) -> StackQuality {
        func sum(_ one: UInt64?, _ other: UInt64?) -> UInt64? {
            guard let one, let other else { return nil }
            return one &+ other
        }
        return StackQuality(
            whole: sum(left.whole, right.whole), cut: sum(left.cut, right.cut),
            broken: sum(left.broken, right.broken))
    }
}

/// Samples added up by stack: three columns of equal length, nodes ascending and each once.
public struct StackCounts: Hashable, Sendable {
    /// Leaf nodes of a `StackTable`.
    public var nodes: [UInt32]
    /// Number of samples.
    public var counts: [UInt64]
    /// What the samples stand for, in the type's unit.
    public var weights: [UInt64]

    public init(nodes: [UInt32] = [], counts: [UInt64] = [], weights: [UInt64] = []) {
        self.nodes = nodes
        self.counts = counts
        self.weights = weights
    }

    public var sampleCount: UInt64 { counts.reduce(0, &+) }
    public var totalWeight: UInt64 { weights.reduce(0, &+) }
}

/// The samples of one series in one window of one host.
public struct Series: Sendable {
    public var key: SeriesKey
    /// Nominal samples per second and CPU.
    public var samplesPerSecond: Double
    public var stacks: StackCounts
    public var quality: StackQuality

    public init(key: SeriesKey, samplesPerSecond: Double, stacks: StackCounts, quality: StackQuality) {
        self.key = key
        self.samplesPerSecond = samplesPerSecond
        self.stacks = stacks
        self.quality = quality
    }
}
