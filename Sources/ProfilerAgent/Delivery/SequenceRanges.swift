/// A set of sequence numbers as few ranges, ascending and apart: the fates of batches come almost in order.
struct SequenceRanges: Hashable, Sendable {
    private(set) var ranges: [ClosedRange<UInt64>] = []

    func contains(_ number: UInt64) -> Bool { ranges.contains { $0.contains(number) } }

    mutating func insert(_ number: UInt64) { insert(number...number) }

    /// - Parameter range: below `UInt64.max`, as every sequence number is.
    mutating func insert(_ range: ClosedRange<UInt64>) {
        var merged = range
        var kept: [ClosedRange<UInt64>] = []
        for other in ranges {
            if other.upperBound + 1 < merged.lowerBound || merged.upperBound + 1 < other.lowerBound {
                kept.append(other)
            } else {
                merged = min(merged.lowerBound, other.lowerBound)...max(merged.upperBound, other.upperBound)
            }
        }
        kept.insert(merged, at: kept.firstIndex { $0.lowerBound > merged.lowerBound } ?? kept.count)
        ranges = kept
    }

    /// Takes out every number up to `last`.
    mutating func removeThrough(_ last: UInt64) {
        ranges = ranges.compactMap { range in
            if range.upperBound <= last { return nil }
            return max(range.lowerBound, last + 1)...range.upperBound
        }
    }
}
