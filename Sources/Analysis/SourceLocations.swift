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
    /// By frame of the samples' table; `Frame.none` for processes, threads and frames that no sample has.
    private var locationOfFrame: [UInt32]
    private let stacks: StackTable

    /// Asks the symbolizer once for each frame that some sample has.
    public init(_ samples: SampleSet, symbolizer: some Symbolizer) {
        stacks = samples.stacks
        locationOfFrame = Array(repeating: Frame.none, count: stacks.frames.count)
        var isUsed = [Bool](repeating: false, count: stacks.nodes.count)
        for slice in samples.slices { for node in slice.stacks.nodes { isUsed[Int(node)] = true } }
        for index in isUsed.indices.dropFirst().reversed() where isUsed[index] {
            isUsed[Int(stacks.nodes[index].parent)] = true
        }
        let naming = FrameNaming()
        var functionIndex: [Function: UInt32] = [:]
        var mappingOfModule = [UInt32](repeating: Frame.none, count: stacks.modules.count)
        for index in isUsed.indices.dropFirst() where isUsed[index] {
            let number = Int(stacks.nodes[index].frame)
            let frame = stacks.frames[number]
            guard locationOfFrame[number] == Frame.none, frame.kind != .process, frame.kind != .thread
            else { continue }
            var mapping = Frame.none
            if frame.module != Frame.none {
                if mappingOfModule[Int(frame.module)] == Frame.none {
                    mappingOfModule[Int(frame.module)] = UInt32(mappings.count)
                    mappings.append(stacks.modules[Int(frame.module)])
                }
                mapping = mappingOfModule[Int(frame.module)]
            }
            var lines: [Line] = []
            for named in naming.named(frame, of: stacks, symbolizer: symbolizer).reversed()
            where frame.kind != .native || !FrameNaming.isUnknown(named) {
                let function = Function(name: named.name, file: named.file)
                let known = functionIndex[function] ?? UInt32(functions.count)
                if Int(known) == functions.count {
                    functionIndex[function] = known
                    functions.append(function)
                }
                lines.append(Line(function: known, line: named.line, isInlined: named.kind == .inlined))
            }
            locationOfFrame[number] = UInt32(locations.count)
            locations.append(Location(kind: frame.kind, mapping: mapping, address: frame.address, lines: lines))
        }
    }

    /// Indices into `locations` of the stack that ends at `node` of the samples' table, leaf first.
    public func locations(of node: UInt32) -> [UInt32] {
        var found: [UInt32] = []
        var node = node
        while node != StackTable.root {
            let location = locationOfFrame[Int(stacks.nodes[Int(node)].frame)]
            if location != Frame.none { found.append(location) }
            node = stacks.nodes[Int(node)].parent
        }
        return found
    }
}
