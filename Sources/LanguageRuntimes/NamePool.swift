/// Each distinct name once, one after the other in one array. Control characters become question marks.
struct NamePool: Sendable {
    private let limit: Int
    private var bytes: [UInt8] = []
    /// Where each name begins; its end is the next one's beginning.
    private var starts: [UInt32] = [0]
    /// Open addressing; index + 1, 0 where free. A power of two.
    private var slots: [UInt32] = [UInt32](repeating: 0, count: 64)

    init(limit: Int) {
        self.limit = min(limit, Int(UInt32.max) - 1)
    }

    var count: Int { starts.count - 1 }
    var memoryBytes: Int { bytes.capacity + (starts.capacity + slots.count) * 4 }

    /// nil where the pool is full.
    mutating func intern(_ name: ArraySlice<UInt8>) -> UInt32? {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name { hash = (hash ^ UInt64(Self.clean(byte))) &* 0x0000_0100_0000_01B3 }
        hash ^= hash >> 29
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        // FNV is no keyed hash, so a hostile file may make chains; they end here, and the name is stored twice.
        var steps = 0
        while slots[slot] != 0, steps < 64 {
            let index = slots[slot] - 1
            if isEqual(index, name) { return index }
            slot = (slot + 1) & (slots.count - 1)
            steps += 1
        }
        guard bytes.count + name.count <= limit else { return nil }
        bytes.append(contentsOf: name.lazy.map(Self.clean))
        starts.append(UInt32(bytes.count))
        let index = UInt32(count - 1)
        if slots[slot] == 0 { slots[slot] = index + 1 }
        if count * 2 > slots.count { grow() }
        return index
    }

    func bytes(_ index: UInt32) -> ArraySlice<UInt8> {
        bytes[Int(starts[Int(index)])..<Int(starts[Int(index) + 1])]
    }

    func string(_ index: UInt32) -> String { String(decoding: bytes(index), as: UTF8.self) }

    private static func clean(_ byte: UInt8) -> UInt8 { byte < 0x20 || byte == 0x7F ? 0x3F : byte }

    private func isEqual(_ index: UInt32, _ name: ArraySlice<UInt8>) -> Bool {
        let start = Int(starts[Int(index)])
        guard Int(starts[Int(index) + 1]) - start == name.count else { return false }
        var position = start
        for byte in name {
            if bytes[position] != Self.clean(byte) { return false }
            position += 1
        }
        return true
    }

    private mutating func grow() {
        slots = [UInt32](repeating: 0, count: slots.count * 2)
        for index in 0..<count {
            var hash: UInt64 = 0xCBF2_9CE4_8422_2325
            for byte in bytes[Int(starts[index])..<Int(starts[index + 1])] {
                hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
            }
            hash ^= hash >> 29
            var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
            var steps = 0
            while slots[slot] != 0, steps < 64 {
                slot = (slot + 1) & (slots.count - 1)
                steps += 1
            }
            if slots[slot] == 0 { slots[slot] = UInt32(index) + 1 }
        }
    }
}
