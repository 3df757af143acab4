public import Profiles

/// Collects functions in ascending order of address, and lines likewise, into a `SymbolTable`.
public struct SymbolTableBuilder: Sendable {
    /// Known only when all sources have been read.
    public var quality: SymbolQuality
    private let loadSegments: [LoadSegment]
    /// Said in the table.
    public var gaps: TableGaps = []
    private var starts: [UInt64] = []
    private var ends: [UInt64] = []
    private var nameIndices: [UInt32] = []
    private var names = StringDictionary(
        maximumCount: SymbolTable.Limits().names, maximumBytes: SymbolTable.Limits().nameBytes)
    private var files = StringDictionary(
        maximumCount: SymbolTable.Limits().files, maximumBytes: SymbolTable.Limits().nameBytes)
    private var calls: [InlinedCall] = []
    private var depths: [UInt8] = []
    private var rows = LineRows()

    public init(quality: SymbolQuality, loadSegments: [LoadSegment]) {
        self.quality = quality
        self.loadSegments = loadSegments
    }

    /// The index of a name in UTF-8; the same name has the same index. nil when the table's limits are reached.
    public mutating func index(ofName name: [UInt8]) -> UInt32? {
        names.index(of: name)
    }

    /// Adds a range that begins where all before it have ended; false, and nothing added, where it does not, or is
    /// empty, or the limits are reached.
    @discardableResult
    public mutating func add(_ start: UInt64, _ end: UInt64, name: UInt32) -> Bool {
        guard start < end, start >= ends.last ?? 0, Int(name) < names.pool.count,
            starts.count < SymbolTable.Limits().ranges
        else { return false }
        if let last = starts.indices.last, ends[last] == start, nameIndices[last] == name {
            ends[last] = end
            return true
        }
        starts.append(start)
        ends.append(end)
        nameIndices.append(name)
        return true
    }

    /// One more than the index of a file; 0 for an empty path, and when the table's limits are reached.
    public mutating func index(ofFile path: [UInt8]) -> UInt32 {
        guard !path.isEmpty, let index = files.index(of: path) else { return 0 }
        return index + 1
    }

    /// A place where the function `name` is inlined at a line of a file, inside the body of the call `parent` (0: in no
    /// inlined body). Returns the number to give to rows and further calls; `parent` where the limits are reached.
    /// `file` and `name` are what the two functions above gave.
    public mutating func addCall(parent: UInt32, name: UInt32, file: UInt32, line: UInt32) -> UInt32 {
        let depth = parent == 0 ? 1 : Int(depths[Int(parent) - 1]) + 1
        guard depth <= InlinedCall.maximumDepth, calls.count < SymbolTable.Limits().calls else { return parent }
        calls.append(InlinedCall(parent: parent, name: name, file: file, line: line))
        depths.append(UInt8(depth))
        return UInt32(calls.count)
    }

    public var callCount: Int { calls.count }

    /// From `start` on code stands at a line of a file (0: nothing is known from here on), in the body of the call
    /// `inlined` (0: of none). False, and nothing added, where it does not start behind all others, or no room is left.
    @discardableResult
    public mutating func addRow(_ start: UInt64, inlined: UInt32, file: UInt32, line: UInt32) -> Bool {
        guard rows.count < SymbolTable.Limits().lines, Int(inlined) <= calls.count, Int(file) <= files.pool.count
        else { return false }
        return rows.append(LineRows.Row(start: start, inlined: inlined, file: file, line: line))
    }

    public func finish() -> SymbolTable {
        SymbolTable(
            quality: quality, loadSegments: loadSegments, gaps: gaps, starts: starts, ends: ends,
            nameIndices: nameIndices, names: names.pool, files: files.pool, calls: calls, rows: rows)
    }
}
