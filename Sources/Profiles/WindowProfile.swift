/// What the sender of a window is: carried in every batch, so that a batch needs nothing else to be understood.
public struct HostFacts: Hashable, Sendable {
    /// The host's name as configured, else as the kernel has it.
    public var name: String
    public var agentVersion: String
    public var kernelRelease: String
    /// CPUs online at the window's end.
    public var onlineCPUs: UInt32
    /// Labels of the host from the agent's configuration, sorted.
    public var labels: [Label]

    public init(name: String, agentVersion: String, kernelRelease: String, onlineCPUs: UInt32, labels: [Label]) {
        self.name = name
        self.agentVersion = agentVersion
        self.kernelRelease = kernelRelease
        self.onlineCPUs = onlineCPUs
        self.labels = labels
    }
}

/// Everything that one agent saw in one window: the content of a batch.
public struct WindowProfile: Sendable {
    public var host: HostFacts
    public var window: TimeRange
    public var stacks: StackTable
    public var series: [Series]
    /// The epoch's account as of the window's end, this window's samples taken.
    public var ledger: Ledger

    public init(host: HostFacts, window: TimeRange, stacks: StackTable, series: [Series], ledger: Ledger) {
        self.host = host
        self.window = window
        self.stacks = stacks
        self.series = series
        self.ledger = ledger
    }

    public var sampleCount: UInt64 { series.reduce(0) { $0 &+ $1.stacks.sampleCount } }
}

/// The name of a batch: writing it again under the same name and digest changes nothing.
public struct BatchName: Hashable, Sendable {
    public var agent: Identifier
    /// Drawn at each start of the agent.
    public var epoch: Identifier
    /// From 1, without gaps, within an epoch.
    public var sequence: UInt64
    /// The first 128 bits of SHA-256 over the batch's compressed body.
    public var digest: Identifier

    public init(agent: Identifier, epoch: Identifier, sequence: UInt64, digest: Identifier) {
        self.agent = agent
        self.epoch = epoch
        self.sequence = sequence
        self.digest = digest
    }
}
