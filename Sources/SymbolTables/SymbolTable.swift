public import Profiles

/// The functions of one module: looks up an address of the file's own address space.
///
/// Flat and sorted: ranges that never overlap, each with the index of its name, and all names in one pool. A look-up is
/// one binary search. The encoded form is in `SymbolTable+Coding.swift`.
public struct SymbolTable: Sendable {
    public let quality: SymbolQuality
    public let loadSegments: [LoadSegment]

    /// Ascending; the three columns are of equal length.
    let starts: [UInt64]
    /// Exclusive, and never beyond the next start.
    let ends: [UInt64]
    /// Index of each range's name.
    let nameIndices: [UInt32]
    /// Where each name ends in the pool; it begins where the one before ends.
    let nameEnds: [UInt32]
    /// UTF-8.
    let namePool: [UInt8]

    /// What is known of an address.
    public struct Match: Hashable, Sendable {
        /// The function's demangled name.
        public var name: String
        /// The part of the function that holds the address.
        public var range: Range<UInt64>
    }

    /// Number of address ranges: one for each function, more where others lie inside it.
    public var rangeCount: Int { starts.count }
    public var nameCount: Int { nameEnds.count }
    /// Bytes that the table takes in memory.
    public var memoryBytes: Int { starts.count * 20 + nameEnds.count * 4 + namePool.count }

    /// The function at `address`; nil where there is none. Binary search, and the cost of making a string.
    public func lookUp(_ address: UInt64) -> Match? {
        guard let index = rangeIndex(at: address) else { return nil }
        return Match(name: name(Int(nameIndices[index])), range: starts[index]..<ends[index])
    }

    /// The name's index (below `nameCount`) of the function at `address`, for callers that keep strings themselves.
    public func nameIndex(at address: UInt64) -> Int? {
        guard let index = rangeIndex(at: address) else { return nil }
        return Int(nameIndices[index])
    }

    /// The name of an index that `nameIndex(at:)` gave.
    public func name(_ index: Int) -> String {
        let start = index == 0 ? 0 : Int(nameEnds[index - 1])
        return String(decoding: namePool[start..<Int(nameEnds[index])], as: UTF8.self)
    }

    func rangeIndex(at address: UInt64) -> Int? {
        // The last start that is not beyond the address.
        var low = 0
        var high = starts.count
        while low < high {
            let middle = (low + high) / 2
            if starts[middle] <= address { low = middle + 1 } else { high = middle }
        }
        guard low > 0, address < ends[low - 1] else { return nil }
        return low - 1
    }

    init(
        quality: SymbolQuality, loadSegments: [LoadSegment], starts: [UInt64], ends: [UInt64], nameIndices: [UInt32],
        nameEnds: [UInt32], namePool: [UInt8]
    ) {
        self.quality = quality
        self.loadSegments = loadSegments
        self.starts = starts
        self.ends = ends
        self.nameIndices = nameIndices
        self.nameEnds = nameEnds
        self.namePool = namePool
    }
}
