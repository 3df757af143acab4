/// Code made at run time whose frames have a known size, as HotSpot's compiled methods have.
public struct RuntimeCode: Sendable {
    public struct Range: Hashable, Sendable, BitwiseCopyable {
        /// First address, in the process.
        public var start: UInt64
        /// One past the last address.
        public var end: UInt64
        /// From the stack pointer to the call frame's address; 0: the code keeps a frame pointer.
        public var frameBytes: UInt32
        /// Before `start` plus this many bytes the frame is not built yet: the return address lies at the stack pointer.
        public var completeOffset: UInt32
        /// HotSpot's interpreter: a frame pointer, but the caller's stack pointer is the word below what it points to,
        /// since adapters move the stack between a compiled caller and an interpreted function.
        public var isInterpreter: Bool
        /// The caller's frame pointer is saved 16 bytes below the call frame's address; else it is still in its register.
        public var savesFramePointer: Bool

        public init(
            start: UInt64, end: UInt64, frameBytes: UInt32, completeOffset: UInt32, isInterpreter: Bool = false,
            savesFramePointer: Bool = true
        ) {
            self.start = start
            self.end = end
            self.frameBytes = frameBytes
            self.completeOffset = completeOffset
            self.isInterpreter = isInterpreter
            self.savesFramePointer = savesFramePointer
        }
    }

    public let ranges: [Range]

    /// `ranges` by `start`, without overlaps; what is out of order or empty is left out.
    public init(_ ranges: [Range]) {
        var kept: [Range] = []
        kept.reserveCapacity(ranges.count)
        for range in ranges where range.start < range.end && range.start >= kept.last?.end ?? 0 { kept.append(range) }
        self.ranges = kept
    }

    /// The range that holds an address, by binary search.
    public func range(holding address: UInt64) -> Range? {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].end <= address { low = middle + 1 } else { high = middle }
        }
        guard low < ranges.count, ranges[low].start <= address else { return nil }
        return ranges[low]
    }
}
