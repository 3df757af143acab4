internal import Profiles

/// One counter of a window: a stack of one process.
struct WindowCell: Hashable, Sendable {
    /// Slot of the `ProcessTable`.
    var process: UInt32
    /// Leaf node of the window's stacks.
    var node: UInt32
    var count: UInt64
    var weight: UInt64
}

/// One sample of a window, where each is kept.
struct WindowMoment: Hashable, Sendable {
    /// CLOCK_MONOTONIC nanoseconds.
    var time: UInt64
    var weight: UInt64
    /// Index into the window's cells.
    var cell: UInt32
}

/// The samples of a window, added up by process and stack, before anything has a name.
///
/// Its frames hold numbers of the process table: `name` of a process or thread frame is one of its names, the others
/// are those of `SampledStack`. What is interned once costs no allocation again, and a window keeps the memory of the
/// one before it.
struct WindowTable: Sendable {
    private(set) var stacks = StackTable()
    private(set) var cells: [WindowCell] = []
    private var slots: [UInt32]
    /// How the stacks ended, by slot of the process table.
    private(set) var tallies: [StackTally] = []
    private(set) var samples: UInt64 = 0
    private(set) var weight: UInt64 = 0
    /// Samples that found no room.
    private(set) var refused: UInt64 = 0
    /// Each sample by itself, where that is asked for and as far as there is room.
    private(set) var moments: [WindowMoment] = []
    let maximumMoments: Int
    private(set) var refusedMoments: UInt64 = 0
    let maximumNodes: Int
    /// Frames kept of a stack, counted from the leaf.
    let maximumDepth: Int

    private static let empty = UInt32.max
    /// What a node costs, with its part of frames, cells and the open tables, at their fullest: for turning a limit in
    /// bytes into one in nodes.
    static let bytesPerNode = 96

    /// - Parameter maximumMoments: samples that are kept one by one; 0 for none.
    init(maximumNodes: Int, maximumDepth: Int, maximumMoments: Int = 0) {
        self.maximumNodes = maximumNodes
        self.maximumDepth = maximumDepth
        self.maximumMoments = maximumMoments
        slots = Array(repeating: Self.empty, count: 4096)
    }

    mutating func removeAll() {
        stacks.removeAll()
        cells.removeAll(keepingCapacity: true)
        for index in slots.indices { slots[index] = Self.empty }
        for index in tallies.indices { tallies[index] = StackTally() }
        moments.removeAll(keepingCapacity: true)
        refusedMoments = 0
        samples = 0
        weight = 0
        refused = 0
    }

    /// Counts a sample whose frames stand leaf first. False where the window has no room for its stack; the sample is
    /// then counted in `refused`.
    ///
    /// - Parameter time: CLOCK_MONOTONIC nanoseconds.
    mutating func add(
        slot: UInt32, processName: UInt32, threadName: UInt32, stack: borrowing SampledStack,
        weight sampleWeight: UInt64, time: UInt64 = 0
    ) -> Bool {
        let kept = min(stack.frames.count, maximumDepth)
        let end = stack.frames.count > maximumDepth ? .cut : stack.end
        guard stacks.nodes.count + kept + 3 <= maximumNodes else {
            refused &+= 1
            return false
        }
        var node = StackTable.root
        descend(&node, Frame(kind: .process, name: processName))
        descend(&node, Frame(kind: .thread, name: threadName))
        if let marker = StackMarker(end) { descend(&node, Frame(kind: .marker, address: marker.code)) }
        var index = kept
        while index > 0 {
            index -= 1
            descend(&node, stack.frames[index])
        }
        let cell = count(slot: slot, node: node, weight: sampleWeight)
        if maximumMoments > 0 {
            if moments.count < maximumMoments {
                moments.append(WindowMoment(time: time, weight: sampleWeight, cell: cell))
            } else {
                refusedMoments &+= 1
            }
        }
        samples &+= 1
        weight &+= sampleWeight
        while tallies.count <= Int(slot) { tallies.append(StackTally()) }
        tallies[Int(slot)].count(end)
        return true
    }

    @inline(__always)
    private mutating func descend(_ node: inout UInt32, _ frame: Frame) {
        node = stacks.intern(parent: node, frame: stacks.intern(frame))
    }

    private static func mix(_ process: UInt32, _ node: UInt32) -> Int {
        var bits = (UInt64(process) << 32 | UInt64(node)) &* 0x9E37_79B9_7F4A_7C15
        bits = (bits ^ bits >> 32) &* 0xD6E8_FEB8_6659_FD93
        return Int(truncatingIfNeeded: bits ^ bits >> 32)
    }

    /// The number of the cell.
    private mutating func count(slot: UInt32, node: UInt32, weight: UInt64) -> UInt32 {
        var place = Self.mix(slot, node) & (slots.count - 1)
        while slots[place] != Self.empty {
            let index = Int(slots[place])
            if cells[index].process == slot, cells[index].node == node {
                cells[index].count &+= 1
                cells[index].weight &+= weight
                return UInt32(index)
            }
            place = (place + 1) & (slots.count - 1)
        }
        slots[place] = UInt32(cells.count)
        cells.append(WindowCell(process: slot, node: node, count: 1, weight: weight))
        if cells.count * 2 > slots.count { growSlots() }
        return UInt32(cells.count - 1)
    }

    private mutating func growSlots() {
        let size = slots.count * 2
        slots = Array(repeating: Self.empty, count: size)
        for (index, cell) in cells.enumerated() {
            var place = Self.mix(cell.process, cell.node) & (size - 1)
            while slots[place] != Self.empty { place = (place + 1) & (size - 1) }
            slots[place] = UInt32(index)
        }
    }
}
