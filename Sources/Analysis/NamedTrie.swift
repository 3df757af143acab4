import Profiles

/// A trie of stacks by named frame: node 0 is the root, and a parent's index is smaller than its children's.
struct NamedTrie: Sendable {
    private(set) var parent: [UInt32] = [Frame.none]
    /// Index of the node's frame; `Frame.none` for the root.
    private(set) var frame: [UInt32] = [Frame.none]
    /// Open table with linear probing, at most half full; 0 marks an empty slot, since the root is never looked up.
    private var slots = [UInt32](repeating: 0, count: 256)

    init() {}

    init(reserving count: Int) {
        var size = slots.count
        while size < count * 2 + 2 { size *= 2 }
        slots = Array(repeating: 0, count: size)
        parent.reserveCapacity(count)
        frame.reserveCapacity(count)
    }

    var count: Int { parent.count }

    mutating func intern(parent above: UInt32, frame name: UInt32) -> UInt32 {
        let mask = slots.count - 1
        var slot = Self.mix(above, name) & mask
        while slots[slot] != 0 {
            let index = Int(slots[slot])
            if parent[index] == above && frame[index] == name { return UInt32(truncatingIfNeeded: index) }
            slot = (slot + 1) & mask
        }
        let index = UInt32(parent.count)
        parent.append(above)
        frame.append(name)
        slots[slot] = index
        if parent.count * 2 > slots.count { grow() }
        return index
    }

    /// By node, the sum of `values` over the node and everything below it.
    func subtreeSums(_ values: [UInt64]) -> [UInt64] {
        var sums = values
        for node in sums.indices.dropFirst().reversed() { sums[Int(parent[node])] &+= sums[node] }
        return sums
    }

    private mutating func grow() {
        var larger = [UInt32](repeating: 0, count: slots.count * 2)
        let mask = larger.count - 1
        for index in 1..<parent.count {
            var slot = Self.mix(parent[index], frame[index]) & mask
            while larger[slot] != 0 { slot = (slot + 1) & mask }
            larger[slot] = UInt32(truncatingIfNeeded: index)
        }
        slots = larger
    }

    private static func mix(_ above: UInt32, _ name: UInt32) -> Int {
        var bits = (UInt64(above) << 32 | UInt64(name)) &* 0x9E37_79B9_7F4A_7C15
        bits = (bits ^ bits >> 32) &* 0xD6E8_FEB8_6659_FD93
        return Int(truncatingIfNeeded: (bits ^ bits >> 32) & 0x7FFF_FFFF_FFFF_FFFF)
    }
}
