internal import Profiles
private import SwiftProtobuf

#if canImport(FoundationEssentials)
private import FoundationEssentials
#else
private import Foundation
#endif

/// A window as columns.
///
/// Frames are sorted, so that addresses become small differences; nodes are put in depth-first order, so that nearly
/// every parent is the node just before; weights become indices of the few distinct ones. What no series refers to is
/// left out.
enum BatchColumns {
    static func encode(_ profile: WindowProfile) -> PBBatchContent {
        var columns = PBBatchContent()
        columns.host = PBHostFacts(profile.host)
        columns.windowStartNanoseconds = profile.window.start.nanoseconds
        columns.windowEndNanoseconds = profile.window.end.nanoseconds
        columns.ledger = PBLedger(profile.ledger)

        let stacks = profile.stacks
        let order = StackOrder(stacks, leaves: profile.series.map(\.stacks.nodes))
        var strings = IndexColumn()
        var modules = IndexColumn()
        columns.frames = frameColumns(order.frames.map { stacks.frames[Int($0)] }, &strings, &modules)
        columns.modules = moduleColumns(modules.entries.map { stacks.modules[Int($0)] }, stacks, &strings)
        columns.strings = strings.entries.map { stacks.strings[Int($0)] } + strings.additional
        columns.nodes.parentDistances = order.nodes.enumerated().map { position, node in
            let parent = order.nodePosition[Int(stacks.nodes[Int(node)].parent)]
            return UInt32(position + 1) - parent - 1
        }
        columns.nodes.frames = order.nodes.map { order.framePosition[Int(stacks.nodes[Int($0)].frame)] }
        columns.series = profile.series.map { seriesColumns($0, order) }
        return columns
    }

    private static func frameColumns(
        _ frames: [Frame], _ strings: inout IndexColumn, _ modules: inout IndexColumn
    ) -> PBFrameColumns {
        var columns = PBFrameColumns()
        // Kinds that are newer than the format are said only where there are such frames.
        let last = frames.reduce(Frame.Kind.marker.rawValue) { max($0, $1.kind.rawValue) }
        columns.kindCounts = Array(repeating: 0, count: Int(last))
        var before: (module: UInt32, address: UInt64) = (Frame.none, 0)
        for frame in frames {
            columns.kindCounts[Int(frame.kind.rawValue) - 1] += 1
            columns.modules.append(modules.position(of: frame.module))
            if frame.kind != .native { columns.names.append(strings.position(of: frame.name)) }
            if frame.kind.hasSource {
                columns.files.append(strings.position(of: frame.file))
                columns.lines.append(frame.line)
            }
            guard frame.kind.hasAddress else { continue }
            let base = frame.module == before.module ? before.address : 0
            columns.addresses.append(Int64(bitPattern: frame.address &- base))
            before = (frame.module, frame.address)
        }
        return columns
    }

    private static func moduleColumns(
        _ modules: [Module], _ stacks: StackTable, _ strings: inout IndexColumn
    ) -> PBModuleColumns {
        var columns = PBModuleColumns()
        for module in modules {
            columns.kinds.append(UInt32(module.identity.kind.rawValue))
            columns.identityLengths.append(UInt32(module.identity.bytes.count))
            columns.identities.append(contentsOf: module.identity.bytes)
            columns.names.append(strings.add(module.name))
        }
        return columns
    }

    private static func seriesColumns(_ series: Series, _ order: StackOrder) -> PBSeries {
        var columns = PBSeries()
        columns.service = series.key.service
        columns.version = series.key.version
        columns.labels = series.key.labels.map(PBLabel.init)
        columns.typeName = series.key.type.name
        columns.typeUnit = series.key.type.unit
        columns.samplesPerSecond = series.samplesPerSecond
        if let whole = series.quality.whole { columns.wholeStacks = whole }
        if let cut = series.quality.cut { columns.cutStacks = cut }
        if let broken = series.quality.broken { columns.brokenStacks = broken }

        let rows = series.stacks.nodes.indices.sorted {
            order.nodePosition[Int(series.stacks.nodes[$0])] < order.nodePosition[Int(series.stacks.nodes[$1])]
        }
        var before: UInt32 = 0
        var weightIndex: [UInt64: UInt32] = [:]
        for row in rows {
            let node = order.nodePosition[Int(series.stacks.nodes[row])]
            columns.nodeDeltas.append(node - before)
            before = node
            columns.counts.append(series.stacks.counts[row])
            let weight = series.stacks.weights[row]
            let index = weightIndex[weight] ?? UInt32(columns.weightValues.count)
            if index == UInt32(columns.weightValues.count) {
                columns.weightValues.append(weight)
                weightIndex[weight] = index
            }
            columns.weightIndices.append(index)
        }
        return columns
    }
}

/// The used nodes and frames of a table in the order in which they are written.
private struct StackOrder {
    /// Old indices in the new order; the root is not among the nodes.
    var nodes: [UInt32] = []
    var frames: [UInt32]
    /// New index of each used old one; for nodes counted from 1, the root being 0.
    var nodePosition: [UInt32]
    var framePosition: [UInt32]

    init(_ stacks: StackTable, leaves: [[UInt32]]) {
        var isUsed = [Bool](repeating: false, count: stacks.nodes.count)
        for leaf in leaves.joined() { isUsed[Int(leaf)] = true }
        // A parent's index is below its children's, so one pass downwards marks all ancestors.
        for node in stacks.nodes.indices.reversed() where node > 0 && isUsed[node] {
            isUsed[Int(stacks.nodes[node].parent)] = true
        }
        let used = stacks.nodes.indices.dropFirst().filter { isUsed[$0] }

        var isFrameUsed = [Bool](repeating: false, count: stacks.frames.count)
        for node in used { isFrameUsed[Int(stacks.nodes[node].frame)] = true }
        frames = stacks.frames.indices.filter { isFrameUsed[$0] }.map { UInt32($0) }
        frames.sort { left, right in
            let (one, other) = (stacks.frames[Int(left)], stacks.frames[Int(right)])
            return (one.kind.rawValue, one.module, one.address, one.name, one.line)
                < (other.kind.rawValue, other.module, other.address, other.name, other.line)
        }
        var framePosition = [UInt32](repeating: Frame.none, count: stacks.frames.count)
        for (position, frame) in frames.enumerated() { framePosition[Int(frame)] = UInt32(position) }
        self.framePosition = framePosition

        // Children of each node end to end, by frame from the last to the first: nodes are dealt out by frame, then by
        // parent, in two passes. An array for each node and a sort of it took half of the time of a batch.
        let byFrame = Self.dealt(used.map { UInt32($0) }, into: frames.count) { [framePosition] in
            framePosition[Int(stacks.nodes[Int($0)].frame)]
        }
        let byParent = Self.dealt(byFrame.items.reversed(), into: stacks.nodes.count) {
            stacks.nodes[Int($0)].parent
        }
        nodePosition = [UInt32](repeating: Frame.none, count: stacks.nodes.count)
        nodePosition[Int(StackTable.root)] = 0
        var pending = [StackTable.root]
        while let node = pending.popLast() {
            if node != StackTable.root {
                nodes.append(node)
                nodePosition[Int(node)] = UInt32(nodes.count)
            }
            pending += byParent.items[byParent.starts[Int(node)]..<byParent.starts[Int(node) + 1]]
        }
    }

    /// The items by their key, each key's in the order given; the items of key k stand from `starts[k]` on.
    private static func dealt(
        _ items: [UInt32], into keyCount: Int, by key: (UInt32) -> UInt32
    ) -> (items: [UInt32], starts: [Int]) {
        var starts = [Int](repeating: 0, count: keyCount + 1)
        for item in items { starts[Int(key(item)) + 1] += 1 }
        for index in 0..<keyCount { starts[index + 1] += starts[index] }
        var next = starts
        var dealt = [UInt32](repeating: 0, count: items.count)
        for item in items {
            let place = Int(key(item))
            dealt[next[place]] = item
            next[place] += 1
        }
        return (dealt, starts)
    }
}

/// Old indices renumbered in the order of their first use. In columns, an index is written plus 1, and 0 for none.
private struct IndexColumn {
    private(set) var entries: [UInt32] = []
    /// Values that come after `entries` and have no old index.
    private(set) var additional: [String] = []
    private var positions: [UInt32: UInt32] = [:]

    mutating func position(of index: UInt32) -> UInt32 {
        guard index != Frame.none else { return 0 }
        if let known = positions[index] { return known }
        entries.append(index)
        positions[index] = UInt32(entries.count)
        return UInt32(entries.count)
    }

    /// Adds a value after all `entries`, which are complete by then.
    mutating func add(_ value: String) -> UInt32 {
        additional.append(value)
        return UInt32(entries.count + additional.count)
    }
}

extension PBLedger {
    init(_ ledger: Ledger) {
        self.init()
        taken = ledger.taken
        lateRecords = ledger.lateRecords
        missedTicks = ledger.missedTicks
        throttledTicks = ledger.throttledTicks
        dropped = DropReason.allCases.compactMap { reason in
            guard let samples = ledger.dropped[reason], samples > 0 else { return nil }
            return PBDroppedCount.with {
                $0.reason = reason.rawValue
                $0.samples = samples
            }
        }
    }
}
