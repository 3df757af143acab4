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
    private var nameSlots = NameSlots()

    public init(quality: SymbolQuality, loadSegments: [LoadSegment]) {
        self.quality = quality
        self.loadSegments = loadSegments
    }

    /// The index of a name in UTF-8; the same name has the same index. nil when the table's limits are reached.
    public mutating func index(ofName name: [UInt8]) -> UInt32? {
        let hash = NameSlots.hash(name)
        if let known = nameSlots.find(hash, where: { isName($0, name) }) { return known }
        guard nameEnds.count < SymbolTable.Limits().names, name.count <= SymbolTable.Limits().nameBytes - namePool.count
        else { return nil }
        let index = UInt32(nameEnds.count)
        namePool += name
        nameEnds.append(UInt32(namePool.count))
        nameSlots.insert(index, hash)
        return index
    }

    private func isName(_ index: UInt32, _ name: [UInt8]) -> Bool {
        let start = index == 0 ? 0 : Int(nameEnds[Int(index) - 1])
        let end = Int(nameEnds[Int(index)])
        return end - start == name.count && namePool[start..<end].elementsEqual(name)
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

/// An open hash table of name indices. A dictionary of byte arrays took 150 bytes a name for 400,000 names; this takes
/// 12 and no allocation of its own for each.
private struct NameSlots: Sendable {
    private var slots = [UInt32](repeating: 0, count: 1024)
    private var hashes: [UInt32] = []

    /// FNV-1a, 64 bits, folded.
    static func hash(_ name: [UInt8]) -> UInt32 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
    }

    func find(_ hash: UInt32, where isSame: (UInt32) -> Bool) -> UInt32? {
        var slot = Int(hash) & (slots.count - 1)
        while slots[slot] != 0 {
            let index = slots[slot] - 1
            if hashes[Int(index)] == hash, isSame(index) { return index }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    /// Indices come in order from 0.
    mutating func insert(_ index: UInt32, _ hash: UInt32) {
        hashes.append(hash)
        if hashes.count * 2 > slots.count {
            slots = [UInt32](repeating: 0, count: slots.count * 2)
            for (old, hash) in hashes.dropLast().enumerated() { place(UInt32(old), hash) }
        }
        place(index, hash)
    }

    private mutating func place(_ index: UInt32, _ hash: UInt32) {
        var slot = Int(hash) & (slots.count - 1)
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = index + 1
    }
}
