internal import Unwinding

/// The executable mappings of one process, sorted, without overlaps. A copy shares its storage until one changes.
///
/// `file` of a range is a number in the `MappedFileTable`.
struct AddressSpace: Hashable, Sendable {
    private(set) var ranges: [CodeMapping] = []

    /// More ranges than this are not kept: a runtime that maps code in tiny pieces must not eat the agent's memory.
    static let maximumRanges = 16_384

    /// A new mapping takes the place of what lay in its range before, as mmap(2) has it. False where there is no room.
    mutating func map(_ new: CodeMapping) -> Bool {
        guard new.start < new.end else { return true }
        let lower = firstIndex { $0.end > new.start }
        var upper = lower
        while upper < ranges.count, ranges[upper].start < new.end { upper += 1 }
        if lower == upper {
            guard ranges.count < Self.maximumRanges else { return false }
            ranges.insert(new, at: lower)
            return true
        }
        var pieces: [CodeMapping] = []
        if ranges[lower].start < new.start {
            var left = ranges[lower]
            left.end = new.start
            pieces.append(left)
        }
        pieces.append(new)
        let last = ranges[upper - 1]
        if last.end > new.end {
            var right = last
            right.start = new.end
            right.fileOffset &+= new.end - last.start
            pieces.append(right)
        }
        guard ranges.count - (upper - lower) + pieces.count <= Self.maximumRanges else { return false }
        ranges.replaceSubrange(lower..<upper, with: pieces)
        return true
    }

    /// The range that holds an address, by binary search.
    func range(holding address: UInt64) -> CodeMapping? {
        let index = firstIndex { $0.end > address }
        guard index < ranges.count, ranges[index].start <= address else { return nil }
        return ranges[index]
    }

    mutating func renumberFiles(_ numbers: [UInt32]) {
        for index in ranges.indices { ranges[index].file = numbers[Int(ranges[index].file)] }
    }

    @inline(__always)
    private func firstIndex(where isBehind: (CodeMapping) -> Bool) -> Int {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if isBehind(ranges[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
