internal import Profiles

#if canImport(FoundationEssentials)
private import FoundationEssentials
#else
private import Foundation
#endif

// Every rule of the format that a hostile batch could break is checked here, before anything is built from it.
extension BatchColumns {
    static func decode(_ columns: PBBatchContent) throws(WireError) -> WindowProfile {
        let window = try timeRange(
            start: columns.windowStartNanoseconds, end: columns.windowEndNanoseconds, of: "BatchContent")
        try limit(columns.strings.count, WireLimits.tableEntries, "strings")
        for string in columns.strings { _ = try checked(string, of: "BatchContent", "strings") }

        var stacks = StackTable()
        let strings = columns.strings.map { stacks.intern($0) }
        let modules = try decodeModules(columns.modules, columns.strings, into: &stacks)
        let frames = try decodeFrames(columns.frames, strings: strings, modules: modules, into: &stacks)
        let nodes = try decodeNodes(columns.nodes, frames: frames, into: &stacks)
        try limit(columns.series.count, WireLimits.series, "series")
        var series: [Series] = []
        var keys = Set<SeriesKey>()
        for one in columns.series {
            let decoded = try decodeSeries(one, nodes: nodes)
            guard keys.insert(decoded.key).inserted else { throw .badContent("a series is there twice") }
            series.append(decoded)
        }
        var samples: UInt64 = 0
        for one in series {
            let (sum, overflow) = samples.addingReportingOverflow(one.stacks.sampleCount)
            guard !overflow else { throw .badContent("sample counts overflow") }
            samples = sum
        }
        return WindowProfile(
            host: try HostFacts(columns.host), window: window, stacks: stacks, series: series,
            ledger: try Ledger(columns.ledger))
    }

    private static func decodeModules(
        _ columns: PBModuleColumns, _ strings: [String], into stacks: inout StackTable
    ) throws(WireError) -> [UInt32] {
        let count = columns.kinds.count
        try limit(count, WireLimits.tableEntries, "modules")
        guard columns.identityLengths.count == count, columns.names.count == count else {
            throw .badContent("columns of modules differ in length")
        }
        var modules: [UInt32] = []
        var offset = columns.identities.startIndex
        for index in 0..<count {
            let length = Int(columns.identityLengths[index])
            guard length <= ModuleIdentity.maximumBytes, length <= columns.identities.endIndex - offset else {
                throw .badContent("identity of module \(index) has \(length) bytes")
            }
            let bytes = [UInt8](columns.identities[offset..<offset + length])
            offset += length
            let identity = try moduleIdentity(kind: columns.kinds[index], bytes: bytes, of: "BatchContent")
            guard columns.names[index] >= 1, columns.names[index] <= strings.count else {
                throw .badContent("name of module \(index) is not among the strings")
            }
            modules.append(
                stacks.intern(Module(identity: identity, name: strings[Int(columns.names[index]) - 1])))
        }
        return modules
    }

    private static func decodeFrames(
        _ columns: PBFrameColumns, strings: [UInt32], modules: [UInt32], into stacks: inout StackTable
    ) throws(WireError) -> [UInt32] {
        let count = columns.modules.count
        try limit(count, WireLimits.tableEntries, "frames")
        guard columns.kindCounts.count <= Int(Frame.Kind.last.rawValue),
            columns.kindCounts.reduce(UInt64(0), { $0 + UInt64($1) }) == UInt64(count)
        else { throw .badContent("frames are not as many as their kinds say") }

        func look(up index: UInt32, in table: [UInt32], _ name: String) throws(WireError) -> UInt32 {
            if index == 0 { return Frame.none }
            guard index <= table.count else { throw .badContent("a frame's \(name) is out of range") }
            return table[Int(index) - 1]
        }
        var frames: [UInt32] = []
        frames.reserveCapacity(count)
        var names = columns.names.makeIterator()
        var addresses = columns.addresses.makeIterator()
        var sources = zip(columns.files, columns.lines).makeIterator()
        var before: (module: UInt32, address: UInt64) = (0, 0)
        for (kindIndex, kindCount) in columns.kindCounts.enumerated() {
            guard let kind = Frame.Kind(rawValue: UInt8(kindIndex + 1)) else { throw .badContent("unknown frame kind") }
            for _ in 0..<kindCount {
                let module = columns.modules[frames.count]
                var frame = Frame(kind: kind, module: try look(up: module, in: modules, "module"))
                if kind.hasAddress {
                    guard let difference = addresses.next() else { throw .badContent("addresses are missing") }
                    let base = module == before.module ? before.address : 0
                    frame.address = base &+ UInt64(bitPattern: difference)
                    before = (module, frame.address)
                }
                if kind != .native {
                    guard let name = names.next() else { throw .badContent("names are missing") }
                    frame.name = try look(up: name, in: strings, "name")
                }
                if kind.hasSource {
                    guard let (file, line) = sources.next() else { throw .badContent("files or lines are missing") }
                    frame.file = try look(up: file, in: strings, "file")
                    frame.line = line
                }
                if kind == .process || kind == .thread || kind == .marker, frame.name == Frame.none {
                    throw .badContent("a process, thread or marker has no name")
                }
                frames.append(stacks.intern(frame))
            }
        }
        guard names.next() == nil, addresses.next() == nil, sources.next() == nil,
            columns.files.count == columns.lines.count
        else { throw .badContent("columns of frames are longer than the frames") }
        return frames
    }

    /// Index of each node, the root at 0.
    private static func decodeNodes(
        _ columns: PBNodeColumns, frames: [UInt32], into stacks: inout StackTable
    ) throws(WireError) -> [UInt32] {
        let count = columns.frames.count
        try limit(count, WireLimits.tableEntries, "nodes")
        guard columns.parentDistances.count == count else { throw .badContent("columns of nodes differ in length") }
        var nodes = [StackTable.root]
        var depths: [UInt16] = [0]
        nodes.reserveCapacity(count + 1)
        depths.reserveCapacity(count + 1)
        for index in 0..<count {
            // A node's parent stands before it, so no stack can be its own parent.
            let distance = Int(columns.parentDistances[index]) + 1
            let parent = index + 1 - distance
            guard parent >= 0 else { throw .badContent("the parent of node \(index + 1) is out of range") }
            let frame = Int(columns.frames[index])
            guard frame < frames.count else { throw .badContent("the frame of node \(index + 1) is out of range") }
            let depth = depths[parent] + 1
            guard depth <= WireLimits.stackDepth else {
                throw .badContent("a stack is deeper than \(WireLimits.stackDepth)")
            }
            let kind = stacks.frames[Int(frames[frame])].kind
            guard (depth == 1) == (kind == .process), (depth == 2) == (kind == .thread) else {
                throw .badContent("a stack does not begin with its process and its thread")
            }
            depths.append(depth)
            nodes.append(stacks.intern(parent: nodes[parent], frame: frames[frame]))
        }
        guard stacks.nodes.count == count + 1 else { throw .badContent("a node is there twice") }
        return nodes
    }

    private static func decodeSeries(_ columns: PBSeries, nodes: [UInt32]) throws(WireError) -> Series {
        let count = columns.nodeDeltas.count
        guard columns.counts.count == count, columns.weightIndices.count == count else {
            throw .badContent("columns of a series differ in length")
        }
        guard columns.samplesPerSecond.isFinite, columns.samplesPerSecond > 0 else {
            throw .badContent("a series' rate is \(columns.samplesPerSecond)")
        }
        let key = SeriesKey(
            service: try checked(columns.service, of: "Series", "service"),
            version: try checked(columns.version, of: "Series", "version"),
            labels: try labels(columns.labels, of: "Series"),
            type: ProfileType(
                name: try checked(columns.typeName, of: "Series", "type_name"),
                unit: try checked(columns.typeUnit, of: "Series", "type_unit")))
        guard !key.service.isEmpty, !key.type.name.isEmpty else {
            throw .badContent("a series has no service or no type")
        }

        var rows = StackCounts()
        var node: UInt64 = 0
        var samples: UInt64 = 0
        var total: UInt64 = 0
        for row in 0..<count {
            guard columns.nodeDeltas[row] > 0 else { throw .badContent("rows of a series are not in order") }
            node += UInt64(columns.nodeDeltas[row])
            guard node < UInt64(nodes.count) else { throw .badContent("a row's node is out of range") }
            guard columns.weightIndices[row] < columns.weightValues.count else {
                throw .badContent("a row's weight is out of range")
            }
            let weight = columns.weightValues[Int(columns.weightIndices[row])]
            let (sum, overflow) = samples.addingReportingOverflow(columns.counts[row])
            let (totalSum, totalOverflow) = total.addingReportingOverflow(weight)
            guard columns.counts[row] > 0, !overflow, !totalOverflow else {
                throw .badContent("a row counts nothing, or counts or weights overflow")
            }
            (samples, total) = (sum, totalSum)
            rows.nodes.append(nodes[Int(node)])
            rows.counts.append(columns.counts[row])
            rows.weights.append(weight)
        }
        let quality = StackQuality(
            whole: columns.hasWholeStacks ? columns.wholeStacks : nil,
            cut: columns.hasCutStacks ? columns.cutStacks : nil,
            broken: columns.hasBrokenStacks ? columns.brokenStacks : nil)
        for part in [quality.whole, quality.cut, quality.broken] where part ?? 0 > samples {
            throw .badContent("more stacks are whole, cut or broken than there are")
        }
        return Series(key: key, samplesPerSecond: columns.samplesPerSecond, stacks: rows, quality: quality)
    }

    private static func limit(_ count: Int, _ limit: Int, _ what: String) throws(WireError) {
        guard count <= limit else { throw .badContent("\(count) \(what) are over the limit of \(limit)") }
    }
}

extension Ledger {
    /// Reasons that this build does not know count as `malformed`, so that no dropped sample is forgotten.
    init(_ ledger: PBLedger) throws(WireError) {
        self.init()
        taken = ledger.taken
        lateRecords = ledger.lateRecords
        missedTicks = ledger.missedTicks
        throttledTicks = ledger.throttledTicks
        var total: UInt64 = 0
        for entry in ledger.dropped {
            let (sum, overflow) = total.addingReportingOverflow(entry.samples)
            guard !overflow, sum <= taken else { throw .badContent("more samples are dropped than were taken") }
            total = sum
            dropped[DropReason(rawValue: entry.reason) ?? .malformed, default: 0] += entry.samples
        }
    }
}
