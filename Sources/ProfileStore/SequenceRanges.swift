import ByteCoding

/// A set of batch sequences as disjoint, ascending, closed ranges. Mostly it is one: what is stored has few gaps.
struct SequenceRanges: Equatable, Sendable {
    private(set) var ranges: [ClosedRange<UInt64>] = []

    /// Beyond so many ranges the highest are forgotten: a sequence that is not known here is looked up on disk.
    static let maximumRanges = 64

    /// The greatest sequence without a gap below it; 0 for none.
    var contiguous: UInt64 {
        guard let first = ranges.first, first.lowerBound <= 1 else { return 0 }
        return first.upperBound
    }

    func contains(_ sequence: UInt64) -> Bool {
        ranges.contains { $0.contains(sequence) }
    }

    mutating func insert(_ sequence: UInt64) {
        insert(sequence...sequence)
    }

    mutating func formUnion(_ other: SequenceRanges) {
        for range in other.ranges { insert(range) }
    }

    mutating func insert(_ added: ClosedRange<UInt64>) {
        // The common case first: the sequence after the last.
        if let last = ranges.last, last.upperBound < .max, added.lowerBound == last.upperBound + 1 {
            ranges[ranges.count - 1] = last.lowerBound...added.upperBound
            return
        }
        var lower = added.lowerBound
        var upper = added.upperBound
        var kept: [ClosedRange<UInt64>] = []
        for range in ranges {
            let touches =
                range.lowerBound <= (upper == .max ? upper : upper + 1)
                && lower <= (range.upperBound == .max ? .max : range.upperBound + 1)
            if touches {
                lower = min(lower, range.lowerBound)
                upper = max(upper, range.upperBound)
            } else {
                kept.append(range)
            }
        }
        let place = kept.firstIndex { $0.lowerBound > upper } ?? kept.count
        kept.insert(lower...upper, at: place)
        if kept.count > Self.maximumRanges { kept.removeLast(kept.count - Self.maximumRanges) }
        ranges = kept
    }

    /// Count, then for each range the distance from the end of the one before, and its length less 1.
    var encoded: [UInt8] {
        var writer = ByteWriter()
        writer.writeVarint(UInt64(ranges.count))
        var end: UInt64 = 0
        for range in ranges {
            writer.writeVarint(range.lowerBound - end)
            writer.writeVarint(range.upperBound - range.lowerBound)
            end = range.upperBound
        }
        return writer.bytes
    }

    init() {}

    init(decoding bytes: [UInt8]) throws(ByteCodingError) {
        var reader = unsafe ByteReader(bytes.span.bytes)
        let count = try reader.readVarint()
        guard count <= UInt64(Self.maximumRanges) else {
            throw .lengthOverLimit(offset: 0, length: count, limit: Self.maximumRanges)
        }
        var end: UInt64 = 0
        for _ in 0..<count {
            let (lower, overflowsBelow) = end.addingReportingOverflow(try reader.readVarint())
            let (upper, overflowsAbove) = lower.addingReportingOverflow(try reader.readVarint())
            guard !overflowsBelow, !overflowsAbove else { throw .varintTooLong(offset: reader.offset) }
            insert(lower...upper)
            end = upper
        }
    }
}
