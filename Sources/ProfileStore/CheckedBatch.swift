public import Profiles
public import WireProtocol

/// A batch whose content was read and found sound, with what the store needs to know of it without reading it again.
public struct CheckedBatch: Sendable {
    public let batch: Batch
    public let host: HostFacts
    public let ledger: Ledger
    /// The highest nominal rate of the batch's series; 0 where it has none.
    public let samplesPerSecond: Double
    /// The sum of all weights; with several types a check sum and no more.
    public let weight: UInt64
    /// The modules of native frames.
    public let modules: [Module]
    /// When it came, by this machine's clock.
    public let received: Timestamp
    /// The agent's clock less this machine's, as far as known.
    public let clockOffsetNanoseconds: Int64

    /// - Parameter profile: the content of `batch`.
    public init(
        _ batch: Batch, profile: WindowProfile, received: Timestamp, clockOffsetNanoseconds: Int64 = 0
    ) {
        self.batch = batch
        host = profile.host
        ledger = profile.ledger
        samplesPerSecond = profile.series.reduce(0) { max($0, $1.samplesPerSecond) }
        weight = profile.series.reduce(0) { $0 &+ $1.stacks.totalWeight }
        modules = profile.stacks.modules
        self.received = received
        self.clockOffsetNanoseconds = clockOffsetNanoseconds
    }
}

/// What became of a batch that was to be stored.
public enum AppendOutcome: Equatable, Sendable {
    /// On disk now.
    case stored
    /// The same name and digest was there already; nothing changed.
    case alreadyStored
    /// The name was there with another digest: on disk now, under a name of its own, and counted.
    case storedAsConflict
    /// Its window lies before what the store still keeps.
    case expired
    /// Its window lies too far ahead of this machine's clock.
    case inFuture
    /// Not stored, because of the disk or the engine; may be tried again later.
    case failed(ProfileStoreError)
}
