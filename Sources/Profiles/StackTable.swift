/// A trie of stacks with the strings, modules and frames that it is made of; each value is held once and named by a
/// dense index.
///
/// A node is (parent, frame), so a stack is the index of its leaf's node. Node 0 is the root of all stacks and has no
/// frame. A parent's index is always smaller than its children's. Interning costs one probe of an open table and, once
/// the tables have grown to their working size, allocates nothing.
public struct StackTable: Sendable {
    public struct Node: Hashable, Sendable {
        public var parent: UInt32
        public var frame: UInt32

        public init(parent: UInt32, frame: UInt32) {
            self.parent = parent
            self.frame = frame
        }
    }

    /// The node that every stack begins at.
    public static let root: UInt32 = 0

    public private(set) var strings: [String] = []
    public private(set) var modules: [Module] = []
    public private(set) var frames: [Frame] = []
    /// `nodes[0]` is the root, whose parent and frame are `Frame.none`.
    public private(set) var nodes: [Node] = [Node(parent: Frame.none, frame: Frame.none)]

    private var stringIndex: [String: UInt32] = [:]
    private var moduleIndex: [Module: UInt32] = [:]
    private var frameSlots = IndexSlots()
    private var nodeSlots = IndexSlots()

    public init() {}

    /// Grows the tables for so many distinct frames and nodes, so that interning up to there allocates nothing.
    public mutating func reserve(frames frameCount: Int, nodes nodeCount: Int) {
        frames.reserveCapacity(frameCount)
        nodes.reserveCapacity(nodeCount)
        frameSlots.reserve(frameCount, hash: { self.frames[Int($0)].mixedBits })
        nodeSlots.reserve(nodeCount, hash: { Self.mix(self.nodes[Int($0)]) })
    }

    /// Forgets everything and keeps the memory.
    public mutating func removeAll() {
        strings.removeAll(keepingCapacity: true)
        modules.removeAll(keepingCapacity: true)
        frames.removeAll(keepingCapacity: true)
        nodes.removeAll(keepingCapacity: true)
        nodes.append(Node(parent: Frame.none, frame: Frame.none))
        stringIndex.removeAll(keepingCapacity: true)
        moduleIndex.removeAll(keepingCapacity: true)
        frameSlots.removeAll()
        nodeSlots.removeAll()
    }

    public mutating func intern(_ string: String) -> UInt32 {
        if let known = stringIndex[string] { return known }
        let index = UInt32(strings.count)
        strings.append(string)
        stringIndex[string] = index
        return index
    }

    public mutating func intern(_ module: Module) -> UInt32 {
        if let known = moduleIndex[module] { return known }
        let index = UInt32(modules.count)
        modules.append(module)
        moduleIndex[module] = index
        return index
    }

    /// The frame's `name`, `file` and `module` must be indices of this table, or `Frame.none`.
    public mutating func intern(_ frame: Frame) -> UInt32 {
        let hash = frame.mixedBits
        var slot = frameSlots.first(hash)
        while let index = frameSlots.index(at: slot) {
            if frames[Int(index)] == frame { return index }
            slot = frameSlots.next(slot)
        }
        let index = UInt32(frames.count)
        frames.append(frame)
        if frameSlots.occupy(slot, with: index) {
            frameSlots.grow { self.frames[Int($0)].mixedBits }
        }
        return index
    }

    /// The child of `parent` for `frame`, both indices of this table.
    public mutating func intern(parent: UInt32, frame: UInt32) -> UInt32 {
        let node = Node(parent: parent, frame: frame)
        let hash = Self.mix(node)
        var slot = nodeSlots.first(hash)
        while let index = nodeSlots.index(at: slot) {
            if nodes[Int(index)] == node { return index }
            slot = nodeSlots.next(slot)
        }
        let index = UInt32(nodes.count)
        nodes.append(node)
        if nodeSlots.occupy(slot, with: index) {
            nodeSlots.grow { Self.mix(self.nodes[Int($0)]) }
        }
        return index
    }

    /// Interns every node of `other`; the answer gives for each node of `other` its index here.
    public mutating func merge(_ other: StackTable) -> [UInt32] {
        let stringMap = other.strings.map { intern($0) }
        let moduleMap = other.modules.map { intern($0) }
        func translate(_ index: UInt32, _ map: [UInt32]) -> UInt32 {
            index == Frame.none ? Frame.none : map[Int(index)]
        }
        var frameMap: [UInt32] = []
        frameMap.reserveCapacity(other.frames.count)
        for var frame in other.frames {
            frame.name = translate(frame.name, stringMap)
            frame.file = translate(frame.file, stringMap)
            frame.module = translate(frame.module, moduleMap)
            frameMap.append(intern(frame))
        }
        var nodeMap: [UInt32] = [Self.root]
        nodeMap.reserveCapacity(other.nodes.count)
        for node in other.nodes.dropFirst() {
            nodeMap.append(intern(parent: nodeMap[Int(node.parent)], frame: frameMap[Int(node.frame)]))
        }
        return nodeMap
    }

    /// The frames of the stack that ends at `node`, root first.
    public func stack(of node: UInt32) -> [Frame] {
        var path: [Frame] = []
        var node = node
        while node != Self.root {
            path.append(frames[Int(nodes[Int(node)].frame)])
            node = nodes[Int(node)].parent
        }
        return path.reversed()
    }

    private static func mix(_ node: Node) -> UInt64 {
        var bits = (UInt64(node.parent) << 32 | UInt64(node.frame)) &* 0x9E37_79B9_7F4A_7C15
        bits = (bits ^ bits >> 32) &* 0xD6E8_FEB8_6659_FD93
        return bits ^ bits >> 32
    }
}

/// The slots of an open hash table (linear probing, at most half full) whose values live in an array of the owner.
struct IndexSlots: Sendable {
    private var slots: [UInt32]
    private var used = 0

    private static let empty = UInt32.max

    init() {
        slots = Array(repeating: Self.empty, count: 64)
    }

    func first(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (slots.count - 1) }
    func next(_ slot: Int) -> Int { (slot + 1) & (slots.count - 1) }

    func index(at slot: Int) -> UInt32? {
        let index = slots[slot]
        return index == Self.empty ? nil : index
    }

    /// Takes an empty slot; true when the table should grow now.
    mutating func occupy(_ slot: Int, with index: UInt32) -> Bool {
        slots[slot] = index
        used += 1
        return used * 2 > slots.count
    }

    mutating func grow(hash: (UInt32) -> UInt64) {
        resize(to: slots.count * 2, hash: hash)
    }

    mutating func reserve(_ count: Int, hash: (UInt32) -> UInt64) {
        var size = slots.count
        while size < count * 2 + 2 { size *= 2 }
        if size > slots.count { resize(to: size, hash: hash) }
    }

    mutating func removeAll() {
        used = 0
        for slot in slots.indices { slots[slot] = Self.empty }
    }

    private mutating func resize(to size: Int, hash: (UInt32) -> UInt64) {
        let old = slots
        slots = Array(repeating: Self.empty, count: size)
        for index in old where index != Self.empty {
            var slot = first(hash(index))
            while slots[slot] != Self.empty { slot = next(slot) }
            slots[slot] = index
        }
    }
}
