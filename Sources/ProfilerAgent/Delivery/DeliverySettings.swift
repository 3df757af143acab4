public import Profiles

/// Where the aggregator listens.
public struct AggregatorAddress: Hashable, Sendable, CustomStringConvertible {
    /// A name or an IP address, IPv6 without brackets.
    public var host: String
    public var port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// When a written record is forced to the disk.
public enum SpoolSynchronisation: Hashable, Sendable {
    /// After each window: a power failure loses the open window only.
    case everyWindow
    /// Left to the kernel: a kill loses nothing, a power failure up to about 30 s.
    case never
}

/// Everything that the delivery of windows is told from outside.
public struct DeliverySettings: Sendable {
    public var spoolDirectory: String
    /// All segments together; the oldest batches go when it would be passed.
    public var spoolLimitBytes: Int
    public var synchronisation: SpoolSynchronisation
    /// Without one, windows stay in the spool.
    public var aggregator: AggregatorAddress?
    /// Over this span the agents of a fleet spread the sending of windows that end at the same moment.
    public var sendSpread: Duration
    /// Where the ledger's file is kept if it can be: on tmpfs, so that no disk delays the sampling thread. If it can't
    /// be written, the file lies in the spool.
    public var runtimeDirectory: String
    /// The file that names this machine; a spool on a copied disk is known by it.
    public var machineIDPath: String
    var times = SenderTimes()

    public init(
        spoolDirectory: String, spoolLimitBytes: Int = 256 << 20, synchronisation: SpoolSynchronisation = .everyWindow,
        aggregator: AggregatorAddress?, sendSpread: Duration = .seconds(10),
        runtimeDirectory: String = "/run/perf-fleet", machineIDPath: String = "/etc/machine-id"
    ) {
        self.spoolDirectory = spoolDirectory
        self.spoolLimitBytes = spoolLimitBytes
        self.synchronisation = synchronisation
        self.aggregator = aggregator
        self.sendSpread = sendSpread
        self.runtimeDirectory = runtimeDirectory
        self.machineIDPath = machineIDPath
    }
}

/// What `perf-agent status` shows of the delivery.
public struct DeliveryStatus: Sendable {
    public enum Aggregator: String, Sendable {
        /// No address is configured.
        case none
        case connecting
        /// Connected; versions and credit are being agreed.
        case greeting
        case connected
        /// Waiting before the next attempt.
        case waiting
        /// The aggregator said that it will not serve this agent; tried again after a long pause.
        case turnedAway
        case stopped
    }

    public var agent: Identifier
    public var epoch: Identifier
    /// This epoch's account. taken = stored + pending + the sum of dropped.
    public var ledger: Ledger
    /// Samples of this epoch that the aggregator has acknowledged.
    public var stored: UInt64
    /// Samples of this epoch that are in the spool or in the open window.
    public var pending: UInt64
    public var spooledBatches: Int
    public var spooledSamples: UInt64
    public var spooledBytes: Int
    public var address: AggregatorAddress?
    public var state: Aggregator
    /// Since when the state has held.
    public var since: Timestamp
    /// Why the last connection ended or could not be made; nil where none has.
    public var lastError: String?
}
