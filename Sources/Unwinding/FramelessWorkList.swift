/// Pieces of code that wait to be looked at, each with the state at its beginning. Of fixed size: what finds no room
/// is not looked at.
struct FramelessWorkList {
    struct Entry: BitwiseCopyable {
        var position: Int32
        var state: FramelessState
    }

    private static let capacity = 16
    /// A power of two; at most three quarters are used.
    private static let visitedCapacity = 256

    private var entries: InlineArray<16, Entry>
    private var first = 0
    private(set) var count = 0
    /// A hash table of positions with open addressing; −1 is free.
    private var visited = InlineArray<256, Int32>(repeating: -1)
    private var visitedCount = 0

    init(_ state: FramelessState) {
        entries = InlineArray(repeating: Entry(position: 0, state: state))
    }

    /// Whether a piece begins here that was not looked at before; it counts as looked at from now on.
    mutating func enter(_ position: Int) -> Bool {
        let position = Int32(truncatingIfNeeded: position)
        let hash = UInt32(bitPattern: position) &* 0x9E37_79B1 >> 24
        var slot = Int(hash) & (Self.visitedCapacity - 1)
        while visited[slot] != -1 {
            if visited[slot] == position { return false }
            slot = (slot + 1) & (Self.visitedCapacity - 1)
        }
        guard visitedCount < Self.visitedCapacity * 3 / 4 else { return false }
        visited[slot] = position
        visitedCount += 1
        return true
    }

    mutating func add(_ position: Int, _ state: FramelessState) {
        guard count < Self.capacity else { return }
        entries[(first + count) % Self.capacity] = Entry(position: Int32(truncatingIfNeeded: position), state: state)
        count += 1
    }

    /// Where there is no room, the entry farthest from `target` goes.
    mutating func add(_ position: Int, _ state: FramelessState, towards target: Int) {
        guard count == Self.capacity else { return add(position, state) }
        var worst = 0
        for index in 1..<count where distance(self.position(index), target) > distance(self.position(worst), target) {
            worst = index
        }
        if distance(position, target) < distance(self.position(worst), target) {
            entries[(first + worst) % Self.capacity] = Entry(
                position: Int32(truncatingIfNeeded: position), state: state)
        }
    }

    /// In the order of arrival.
    mutating func takeFirst() -> Entry? {
        guard count > 0 else { return nil }
        defer {
            first = (first + 1) % Self.capacity
            count -= 1
        }
        return entries[first]
    }

    /// The one nearest before `target`, or else the nearest behind it.
    mutating func takeNearest(_ target: Int) -> Entry? {
        guard count > 0 else { return nil }
        var best = 0
        for index in 1..<max(count, 1) where distance(position(index), target) < distance(position(best), target) {
            best = index
        }
        let slot = (first + best) % Self.capacity
        let found = entries[slot]
        count -= 1
        entries[slot] = entries[(first + count) % Self.capacity]
        return found
    }

    private func position(_ index: Int) -> Int { Int(entries[(first + index) % Self.capacity].position) }

    /// What lies behind the target is farther than all before it.
    private func distance(_ position: Int, _ target: Int) -> Int {
        position <= target ? target - position : 1 << 32 + position - target
    }
}
