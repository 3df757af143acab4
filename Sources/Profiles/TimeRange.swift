/// A moment of the wall clock: nanoseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Hashable, Sendable, Comparable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    public init(seconds: Int64) {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        nanoseconds = overflow ? (seconds < 0 ? .min : .max) : product
    }

    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Saturates instead of overflowing.
    public static func + (moment: Timestamp, nanoseconds: Int64) -> Timestamp {
        let (sum, overflow) = moment.nanoseconds.addingReportingOverflow(nanoseconds)
        return Timestamp(nanoseconds: overflow ? (nanoseconds < 0 ? .min : .max) : sum)
    }

    /// Days since 1970-01-01 in UTC: the partition that a window belongs to.
    public var utcDay: Int64 {
        let day: Int64 = 86_400_000_000_000
        return nanoseconds >= 0 ? nanoseconds / day : (nanoseconds + 1) / day - 1
    }
}

/// A span of the wall clock, from its start up to, not including, its end.
public struct TimeRange: Hashable, Sendable {
    public var start: Timestamp
    public var end: Timestamp

    public init(start: Timestamp, end: Timestamp) {
        self.start = start
        self.end = end
    }

    /// Length in seconds; 0 where the end does not lie after the start.
    public var seconds: Double {
        let (difference, overflow) = end.nanoseconds.subtractingReportingOverflow(start.nanoseconds)
        return overflow ? Double.greatestFiniteMagnitude : max(0, Double(difference) / 1e9)
    }

    public func overlaps(_ other: TimeRange) -> Bool {
        start < other.end && other.start < end
    }

    /// The smallest range that holds both.
    public func union(_ other: TimeRange) -> TimeRange {
        TimeRange(start: min(start, other.start), end: max(end, other.end))
    }
}
