public import Profiles

/// The functions of one module, with lines and inlined calls where the source knew them: looks up an address of the
/// file's own address space.
///
/// Flat and sorted: ranges that never overlap, each with the index of its name, and all names in one pool. A look-up is
/// one binary search, for lines (`SourceFrame.swift`) a second one. The encoded form is in `SymbolTable+Coding.swift`.
public struct SymbolTable: Sendable {
    public let quality: SymbolQuality
    public let loadSegments: [LoadSegment]

    /// What could have been here and is not.
    public let gaps: TableGaps

    /// Ascending; the three columns are of equal length.
    let starts: [UInt64]
    /// Exclusive, and never beyond the next start.
    let ends: [UInt64]
    /// Index of each range's name.
    let nameIndices: [UInt32]
    let names: StringPool
    let files: StringPool
    /// A call comes behind those around it.
    let calls: [InlinedCall]
    let rows: LineRows

    /// What is known of an address.
    public struct Match: Hashable, Sendable {
        /// The function's demangled name.
        public var name: String
        /// The part of the function that holds the address.
        public var range: Range<UInt64>
    }

    /// Number of address ranges: one for each function, more where others lie inside it.
    public var rangeCount: Int { starts.count }
    public var nameCount: Int { names.count }
    /// Number of source files, of places where a function is inlined, and of rows of the line table.
    public var fileCount: Int { files.count }
    public var inlinedCallCount: Int { calls.count }
    public var lineCount: Int { rows.count }
    /// Bytes that the table takes in memory.
    public var memoryBytes: Int {
        starts.count * 20 + names.memoryBytes + files.memoryBytes + calls.count * 16 + rows.memoryBytes
    }

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
        names.string(index)
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
        quality: SymbolQuality, loadSegments: [LoadSegment], gaps: TableGaps = [], starts: [UInt64], ends: [UInt64],
        nameIndices: [UInt32], names: StringPool, files: StringPool = StringPool(), calls: [InlinedCall] = [],
        rows: LineRows = LineRows()
    ) {
        self.quality = quality
        self.loadSegments = loadSegments
        self.gaps = gaps
        self.starts = starts
        self.ends = ends
        self.nameIndices = nameIndices
        self.names = names
        self.files = files
        self.calls = calls
        self.rows = rows
    }
}
