/// When the samples of a profile of one host were taken, one by one, beside the `SampleSet` that adds them up.
public struct SampleMoments: Sendable {
    public struct Moment: Hashable, Sendable {
        public var time: Timestamp
        /// Index into the set's keys, and leaf node of its table.
        public var key: UInt32
        public var node: UInt32
        /// In the type's unit.
        public var weight: UInt64

        public init(time: Timestamp, key: UInt32, node: UInt32, weight: UInt64) {
            self.time = time
            self.key = key
            self.node = node
            self.weight = weight
        }
    }

    /// A span that was measured without a break.
    public struct Window: Hashable, Sendable {
        public var range: TimeRange
        /// Samples of the host that were lost meanwhile, whosoever.
        public var dropped: UInt64
        /// Samples of it whose times found no room.
        public var refused: UInt64

        public init(range: TimeRange, dropped: UInt64, refused: UInt64 = 0) {
            self.range = range
            self.dropped = dropped
            self.refused = refused
        }
    }

    /// By window; within one in the order in which stacks became known.
    public var moments: [Moment] = []
    public var windows: [Window] = []
    /// Samples whose moments found no room: they are in the set alone.
    public var refused: UInt64 = 0

    public init() {}
}
