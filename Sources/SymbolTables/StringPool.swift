/// Strings by index, their UTF-8 in one piece.
struct StringPool: Sendable {
    /// Where each string ends; it begins where the one before ends.
    var ends: [UInt32] = []
    var bytes: [UInt8] = []

    var count: Int { ends.count }
    var memoryBytes: Int { ends.count * 4 + bytes.count }

    func range(_ index: Int) -> Range<Int> {
        (index == 0 ? 0 : Int(ends[index - 1]))..<Int(ends[index])
    }

    func string(_ index: Int) -> String {
        String(decoding: bytes[range(index)], as: UTF8.self)
    }

    mutating func append(_ string: [UInt8]) {
        bytes += string
        ends.append(UInt32(bytes.count))
    }
}

/// Gives equal strings the same index.
///
/// An open hash table of indices: a dictionary of byte arrays took 150 bytes a name for 400,000 names; this takes 12 and
/// no allocation of its own for each.
struct StringDictionary: Sendable {
    private(set) var pool = StringPool()
    private let maximumCount: Int
    private let maximumBytes: Int
    private var slots = [UInt32](repeating: 0, count: 1024)
    private var hashes: [UInt32] = []

    init(maximumCount: Int, maximumBytes: Int) {
        self.maximumCount = maximumCount
        self.maximumBytes = maximumBytes
    }

    /// nil when there is no more room.
    mutating func index(of string: [UInt8]) -> UInt32? {
        let hash = Self.hash(string)
        var slot = Int(hash) & (slots.count - 1)
        while slots[slot] != 0 {
            let index = slots[slot] - 1
            if hashes[Int(index)] == hash, pool.bytes[pool.range(Int(index))].elementsEqual(string) { return index }
            slot = (slot + 1) & (slots.count - 1)
        }
        guard pool.count < maximumCount, string.count <= maximumBytes - pool.bytes.count else { return nil }
        let index = UInt32(pool.count)
        pool.append(string)
        hashes.append(hash)
        if hashes.count * 2 > slots.count {
            slots = [UInt32](repeating: 0, count: slots.count * 2)
            for (old, hash) in hashes.enumerated() { place(UInt32(old), hash) }
        } else {
            place(index, hash)
        }
        return index
    }

    private mutating func place(_ index: UInt32, _ hash: UInt32) {
        var slot = Int(hash) & (slots.count - 1)
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = index + 1
    }

    /// FNV-1a, 64 bits, folded.
    private static func hash(_ string: [UInt8]) -> UInt32 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in string { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
    }
}
