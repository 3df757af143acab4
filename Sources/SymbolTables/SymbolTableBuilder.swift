public import Profiles

/// Collects functions in ascending order of address into a `SymbolTable`.
public struct SymbolTableBuilder: Sendable {
    private let quality: SymbolQuality
    private let loadSegments: [LoadSegment]
    private var starts: [UInt64] = []
    private var ends: [UInt64] = []
    private var nameIndices: [UInt32] = []
    private var nameEnds: [UInt32] = []
    private var namePool: [UInt8] = []
    private var indexOfName: [[UInt8]: UInt32] = [:]

    public init(quality: SymbolQuality, loadSegments: [LoadSegment]) {
        self.quality = quality
        self.loadSegments = loadSegments
    }

    /// The index of a name in UTF-8; the same name has the same index. nil when the table's limits are reached.
    public mutating func index(ofName name: [UInt8]) -> UInt32? {
        if let known = indexOfName[name] { return known }
        guard nameEnds.count < SymbolTable.Limits().names, namePool.count + name.count <= SymbolTable.Limits().nameBytes
        else { return nil }
        let index = UInt32(nameEnds.count)
        namePool += name
        nameEnds.append(UInt32(namePool.count))
        indexOfName[name] = index
        return index
    }

    /// Adds a range that begins where all before it have ended; false, and nothing added, where it does not, or is
    /// empty, or the limits are reached.
    @discardableResult
    public mutating func add(_ start: UInt64, _ end: UInt64, name: UInt32) -> Bool {
        guard start < end, start >= ends.last ?? 0, Int(name) < nameEnds.count,
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

    public func finish() -> SymbolTable {
        SymbolTable(
            quality: quality, loadSegments: loadSegments, starts: starts, ends: ends, nameIndices: nameIndices,
            nameEnds: nameEnds, namePool: namePool)
    }
}
