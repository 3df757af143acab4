import ByteCoding
import Profiles

/// Every format of the store's own, for the fuzz target: what comes back from a disk is not to be believed.
package enum StoredFormats {
    /// Reads bytes as each format. What can be read must come out the same when it is written and read again.
    ///
    /// - Returns: a sentence on the first format of which that is not true; nil where it is.
    package static func problem(reading bytes: [UInt8]) -> String? {
        if let heads = try? Block.decodeHeads(bytes) {
            var block = Block()
            block.heads = heads
            guard let again = try? Block.decodeHeads(block.encodedHeads), again.count == heads.count else {
                return "heads of slices don't read back"
            }
            // Rates may be any bits, also those of no number, which equals nothing.
            for (one, other) in zip(heads, again) where one.window != other.window || one.samples != other.samples {
                return "a slice's head reads back as another"
            }
        }
        // Two slices of a few rows each, so that the rest is judged by its own bytes.
        let head = SliceHead(
            host: 0, series: 0,
            window: TimeRange(start: Timestamp(nanoseconds: 0), end: Timestamp(nanoseconds: 1)),
            samplesPerSecond: 1, quality: StackQuality(whole: nil, cut: nil, broken: nil), rows: 3, samples: 0,
            weight: 0)
        if let block = try? Block(heads: [head, head], rows: bytes, nodeLimit: 100) {
            guard block.nodes.allSatisfy({ $0 < 100 }) else { return "a node that is not there" }
            guard (try? Block(heads: [head, head], rows: block.encodedRows, nodeLimit: 100)) == block else {
                return "rows don't read back"
            }
        }
        var table = StackTable()
        if (try? DictionarySegment.decode(bytes, into: &table)) != nil {
            var again = StackTable()
            let written = DictionarySegment.encode(table, after: TableExtent())
            guard (try? DictionarySegment.decode(written, into: &again)) != nil, again.nodes == table.nodes,
                again.frames == table.frames, again.strings == table.strings
            else { return "a dictionary doesn't read back" }
        }
        if let ranges = try? SequenceRanges(decoding: bytes) {
            guard (try? SequenceRanges(decoding: ranges.encoded)) == ranges else { return "sequences don't read back" }
        }
        if let ledger = try? Ledger(decoding: bytes) {
            guard (try? Ledger(decoding: ledger.encoded))?.taken == ledger.taken else {
                return "a ledger doesn't read back"
            }
        }
        if let labels = decodeLabels(bytes), decodeLabels(encodeLabels(labels)) != labels {
            return "labels don't read back"
        }
        _ = try? decodeWindows(bytes)
        return nil
    }
}
