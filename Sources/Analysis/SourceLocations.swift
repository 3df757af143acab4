public import Profiles

/// The code that samples stand on, by address: mappings, locations and the functions at each of them, in the order that
/// pprof's profile.proto wants (Location.line: the last entry is the caller into which the ones before were inlined).
///
/// Beside it stand the samples' own table and counts: a sample's locations are those of its stack's frames.
public struct SourceLocations: Sendable {
    /// A function as it is told apart in rankings, without its module.
    public struct Function: Hashable, Sendable {
        public var name: String
        /// Empty where unknown.
        public var file: String
    }

    public struct Line: Hashable, Sendable {
        /// Index into `functions`.
        public var function: UInt32
        /// From 1; 0 where unknown.
        public var line: UInt32
        public var isInlined: Bool
    }

    public struct Location: Hashable, Sendable {
        public var kind: Frame.Kind
        /// Index into `mappings`; `Frame.none` where code belongs to no file.
        public var mapping: UInt32
        /// In the mapping's own address space; 0 where the frame has a name in place of an address.
        public var address: UInt64
        /// The innermost inlined function first, the one whose code it is last; empty where only the address is known.
        public var lines: [Line]
    }

    /// Files with the build IDs that tell them apart.
    public private(set) var mappings: [Module] = []
    public private(set) var functions: [Function] = []
    public private(set) var locations: [Location] = []
    /// By node of the samples' table, where a location ends; `Frame.none` elsewhere.
    private var locationOfNode: [UInt32]
    private let stacks: StackTable

    /// Asks the symbolizer once for each frame that some sample has.
    public init(_ samples: SampleSet, symbolizer: some Symbolizer) {
        stacks = samples.stacks
        locationOfNode = Array(repeating: Frame.none, count: stacks.nodes.count)
        var tables = LocationTables(stacks)
        for index in Self.ends(samples) {
            locationOfNode[index] = tables.location(
                of: Self.chain(of: UInt32(index), in: stacks).map {
                    stacks.nodes[Int($0)].frame
                }, symbolizer: symbolizer)
        }
        (mappings, functions, locations) = (tables.mappings, tables.functions, tables.locations)
    }

    /// Nodes at which a location ends: leaves, and what calls a frame that is not inlined into it.
    private static func ends(_ samples: SampleSet) -> [Int] {
        let stacks = samples.stacks
        var isUsed = [Bool](repeating: false, count: stacks.nodes.count)
        for slice in samples.slices { for node in slice.stacks.nodes { isUsed[Int(node)] = true } }
        var isEnd = isUsed
        for index in isUsed.indices.dropFirst().reversed() where isUsed[index] {
            let parent = Int(stacks.nodes[index].parent)
            isUsed[parent] = true
            if !isInlined(UInt32(index), in: stacks) { isEnd[parent] = true }
        }
        return isEnd.indices.dropFirst().filter { index in
            let kind = stacks.frames[Int(stacks.nodes[index].frame)].kind
            return isEnd[index] && kind != .process && kind != .thread
        }
    }

    /// Whether the node belongs to the location of its parent.
    private static func isInlined(_ node: UInt32, in stacks: StackTable) -> Bool {
        let parent = stacks.nodes[Int(node)].parent
        guard parent != StackTable.root, stacks.frames[Int(stacks.nodes[Int(node)].frame)].kind == .inlined else {
            return false
        }
        return ![.process, .thread, .marker].contains(stacks.frames[Int(stacks.nodes[Int(parent)].frame)].kind)
    }

    /// The nodes of the location that ends at `node`, the innermost first.
    private static func chain(of node: UInt32, in stacks: StackTable) -> [UInt32] {
        var chain = [node]
        while let last = chain.last, isInlined(last, in: stacks) { chain.append(stacks.nodes[Int(last)].parent) }
        return chain
    }

    /// Indices into `locations` of the stack that ends at `node` of the samples' table, leaf first.
    public func locations(of node: UInt32) -> [UInt32] {
        var found: [UInt32] = []
        var node = node
        while node != StackTable.root {
            let location = locationOfNode[Int(node)]
            if location != Frame.none { found.append(location) }
            while Self.isInlined(node, in: stacks) { node = stacks.nodes[Int(node)].parent }
            node = stacks.nodes[Int(node)].parent
        }
        return found
    }
}

/// What the locations of a table are made of.
private struct LocationTables {
    private(set) var mappings: [Module] = []
    private(set) var functions: [SourceLocations.Function] = []
    private(set) var locations: [SourceLocations.Location] = []
    private let stacks: StackTable
    private let naming = FrameNaming()
    private var functionIndex: [SourceLocations.Function: UInt32] = [:]
    private var mappingOfModule: [UInt32]
    private var locationOfFrame: [UInt32]
    /// Of frames with others inlined into them.
    private var locationOfFrames: [[UInt32]: UInt32] = [:]

    init(_ stacks: StackTable) {
        self.stacks = stacks
        mappingOfModule = Array(repeating: Frame.none, count: stacks.modules.count)
        locationOfFrame = Array(repeating: Frame.none, count: stacks.frames.count)
    }

    /// - Parameter chain: frames, the innermost first; the last is the one whose code it is.
    mutating func location(of chain: [UInt32], symbolizer: some Symbolizer) -> UInt32 {
        let known = chain.count == 1 ? locationOfFrame[Int(chain[0])] : locationOfFrames[chain] ?? Frame.none
        if known != Frame.none { return known }
        let outer = stacks.frames[Int(chain[chain.count - 1])]
        var mapping = Frame.none
        if outer.module != Frame.none {
            if mappingOfModule[Int(outer.module)] == Frame.none {
                mappingOfModule[Int(outer.module)] = UInt32(mappings.count)
                mappings.append(stacks.modules[Int(outer.module)])
            }
            mapping = mappingOfModule[Int(outer.module)]
        }
        var lines: [SourceLocations.Line] = []
        for number in chain {
            let frame = stacks.frames[Int(number)]
            for named in naming.named(frame, of: stacks, symbolizer: symbolizer).reversed()
            where frame.kind != .native || !FrameNaming.isUnknown(named) {
                let function = SourceLocations.Function(name: named.name, file: named.file)
                let known = functionIndex[function] ?? UInt32(functions.count)
                if Int(known) == functions.count {
                    functionIndex[function] = known
                    functions.append(function)
                }
                lines.append(
                    SourceLocations.Line(function: known, line: named.line, isInlined: named.kind == .inlined))
            }
        }
        let index = UInt32(locations.count)
        if chain.count == 1 { locationOfFrame[Int(chain[0])] = index } else { locationOfFrames[chain] = index }
        locations.append(
            SourceLocations.Location(kind: outer.kind, mapping: mapping, address: outer.address, lines: lines))
        return index
    }
}
