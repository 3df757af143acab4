/// A host behind some samples. Two agents that share a name stay two hosts.
public struct Host: Hashable, Sendable {
    public var name: String
    public var agent: Identifier

    public init(name: String, agent: Identifier) {
        self.name = name
        self.agent = agent
    }
}

/// The samples of one series of one host in one window.
public struct SampleSlice: Sendable {
    /// Index into `SampleSet.hosts`.
    public var host: UInt32
    /// Index into `SampleSet.keys`.
    public var key: UInt32
    public var window: TimeRange
    public var samplesPerSecond: Double
    public var stacks: StackCounts
    public var quality: StackQuality

    public init(
        host: UInt32, key: UInt32, window: TimeRange, samplesPerSecond: Double, stacks: StackCounts,
        quality: StackQuality
    ) {
        self.host = host
        self.key = key
        self.window = window
        self.samplesPerSecond = samplesPerSecond
        self.stacks = stacks
        self.quality = quality
    }
}

/// Samples of any number of hosts and windows over one table of stacks: what a store answers with, what one-host
/// profiling ends in, and what every analysis starts from.
public struct SampleSet: Sendable {
    public var stacks: StackTable
    public var hosts: [Host]
    public var keys: [SeriesKey]
    public var slices: [SampleSlice]

    public init(
        stacks: StackTable = StackTable(), hosts: [Host] = [], keys: [SeriesKey] = [], slices: [SampleSlice] = []
    ) {
        self.stacks = stacks
        self.hosts = hosts
        self.keys = keys
        self.slices = slices
    }

    /// From the first window's start to the last one's end; nil without samples.
    public var range: TimeRange? {
        guard let first = slices.first else { return nil }
        return slices.dropFirst().reduce(first.window) { $0.union($1.window) }
    }

    public var sampleCount: UInt64 { slices.reduce(0) { $0 &+ $1.stacks.sampleCount } }
    public var totalWeight: UInt64 { slices.reduce(0) { $0 &+ $1.stacks.totalWeight } }
}
