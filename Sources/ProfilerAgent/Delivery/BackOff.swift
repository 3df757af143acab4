/// How long the sender waits for what.
struct SenderTimes: Hashable, Sendable {
    /// For a connection, for a Welcome, and for the answer to a batch. A commit takes well below a second; a peer that
    /// says nothing for this long is dead or as good as dead, and the spool holds what it was sent.
    var answer = Duration.seconds(30)
    /// The bound of the first wait between two attempts: a restarted aggregator is back in about a second.
    var firstWait = Duration.seconds(1)
    /// The bound of all later ones: 10,000 agents that all wait are about 330 connections a second, and news of an
    /// aggregator that is back takes a minute at most.
    var longestWait = Duration.seconds(60)
    /// After being turned away only people can help; asking again costs little and finds an upgraded aggregator.
    var turnedAway = Duration.seconds(600)
    /// A session this long proves that the aggregator works, even when it had nothing to acknowledge.
    var goodSession = Duration.seconds(60)
}

/// The pause before the next attempt to connect: exponential, with full jitter, so that a fleet that lost its
/// aggregator at one moment doesn't come back at one moment.
struct BackOff: Sendable {
    let times: SenderTimes
    private(set) var failures = 0
    private var generator: SplitMix64

    init(times: SenderTimes, seed: UInt64) {
        self.times = times
        generator = SplitMix64(state: seed)
    }

    mutating func succeeded() { failures = 0 }

    /// An overloaded aggregator is given the longest bound at once.
    mutating func overloaded() { failures = max(failures, 6) }

    mutating func next() -> Duration {
        let bound = min(times.longestWait, times.firstWait * (1 << min(failures, 6)))
        failures = min(failures + 1, 1_000)
        return bound * generator.nextFraction()
    }

    /// Between half and all of the long wait.
    mutating func nextAfterTurnedAway() -> Duration {
        times.turnedAway * (0.5 + generator.nextFraction() / 2)
    }
}

/// Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014.
struct SplitMix64: RandomNumberGenerator, Sendable {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// From 0 up to, not including, 1.
    mutating func nextFraction() -> Double { Double(next() >> 11) * 0x1p-53 }
}
