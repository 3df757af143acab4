internal import Profiles
internal import SymbolSources

/// A mapped file as a module of the profile, and how to place an offset of the file in the module's own addresses.
struct ResolvedModule: Hashable, Sendable {
    var module: Module
    /// Empty where the file could not be read; its frames keep offsets of the file as addresses then.
    var loadSegments: [LoadSegment] = []
}

/// A window in the words of `Profiles`.
struct NamedWindow: Sendable {
    var stacks: StackTable
    var series: [Series]
    /// Where single samples are kept: when each was taken; its key is a number of `series`.
    var moments: [SampleMoments.Moment] = []
    var refusedMoments: UInt64 = 0
}

/// Turns a raw window into the words of `Profiles`: names in place of numbers, modules in place of files, addresses of
/// the file's own space in place of offsets. Pure: everything that must be looked up is passed in.
struct WindowNaming {
    /// By number of the window's file; what isn't there is known by its path alone.
    var modules: [UInt32: ResolvedModule]
    /// By slot of the window's processes.
    var services: [UInt32: ServiceNames.Answer]
    var kernel: KernelSymbols?
    /// Functions in code made at run time.
    var runtimes: RuntimeNaming.Names = [:]
    /// Of the host, from the configuration: on every series.
    var hostLabels: [Label]

    static let unknownKernelFunction = "[unknown]"

    func name(_ raw: RawWindow) -> NamedWindow {
        var stacks = StackTable()
        let source = raw.table.stacks
        stacks.reserve(frames: source.frames.count, nodes: source.nodes.count)
        var moduleNumbers: [UInt32: UInt32] = [:]
        var frameMap: [UInt32] = []
        frameMap.reserveCapacity(source.frames.count)
        // Where a frame stands for several: those below the last one, outermost first.
        var callers: [UInt32: [UInt32]] = [:]
        for (index, frame) in source.frames.enumerated() {
            if let place = RuntimeCodeAddress(frame), let chain = runtimes[place], let last = chain.last {
                let inner = stacks.intern(Self.frame(last, &stacks))
                if chain.count > 1 {
                    callers[UInt32(index)] = chain.dropLast().map { stacks.intern(Self.frame($0, &stacks)) }
                }
                frameMap.append(inner)
            } else {
                frameMap.append(stacks.intern(named(frame, raw, &stacks, &moduleNumbers)))
            }
        }
        var nodeMap: [UInt32] = [StackTable.root]
        nodeMap.reserveCapacity(source.nodes.count)
        for node in source.nodes.dropFirst() {
            var parent = nodeMap[Int(node.parent)]
            if !callers.isEmpty, let outer = callers[node.frame] {
                for frame in outer { parent = stacks.intern(parent: parent, frame: frame) }
            }
            nodeMap.append(stacks.intern(parent: parent, frame: frameMap[Int(node.frame)]))
        }
        let (series, seriesOfSlot) = series(raw, nodeMap)
        var named = NamedWindow(stacks: stacks, series: series)
        named.refusedMoments = raw.table.refusedMoments
        named.moments = raw.table.moments.map { moment in
            let cell = raw.table.cells[Int(moment.cell)]
            // What lies behind the window's end on the monotonic clock lies as far behind it on the wall clock.
            let distance = Int64(clamping: moment.time) - Int64(clamping: raw.monotonicEnd)
            return SampleMoments.Moment(
                time: raw.range.end + distance, key: seriesOfSlot[cell.process] ?? 0, node: nodeMap[Int(cell.node)],
                weight: moment.weight)
        }
        return named
    }

    private static func frame(_ name: RuntimeCodeName, _ stacks: inout StackTable) -> Frame {
        Frame(
            kind: name.kind, name: stacks.intern(name.function),
            file: name.file.isEmpty ? Frame.none : stacks.intern(name.file), line: name.file.isEmpty ? 0 : name.line)
    }

    private func named(
        _ frame: Frame, _ raw: RawWindow, _ stacks: inout StackTable, _ moduleNumbers: inout [UInt32: UInt32]
    ) -> Frame {
        switch frame.kind {
        case .process, .thread: return Frame(kind: frame.kind, name: stacks.intern(raw.names[frame.name]))
        case .kernel:
            guard let index = kernel?.index(at: frame.address), let kernel else {
                return Frame(
                    kind: .kernel, name: stacks.intern(Self.unknownKernelFunction), module: stacks.intern(Module.kernel)
                )
            }
            let module = kernel.module(index).map { Module(identity: .name, name: "[\($0)]") } ?? .kernel
            return Frame(kind: .kernel, name: stacks.intern(kernel.name(index)), module: stacks.intern(module))
        case .native:
            guard frame.module != Frame.none else { return Frame(kind: .native, address: frame.address) }
            let resolved = module(frame.module, raw)
            let number: UInt32
            if let known = moduleNumbers[frame.module] {
                number = known
            } else {
                number = stacks.intern(resolved.module)
                moduleNumbers[frame.module] = number
            }
            return Frame(
                kind: .native, module: number,
                address: resolved.loadSegments.address(ofFileOffset: frame.address) ?? frame.address)
        case .marker: return Frame(kind: .marker, name: stacks.intern(StackMarker(code: frame.address).text))
        case .jit where frame.address != SampledStack.namedAddress:
            if RuntimeCodeAddress(frame)?.bytecodePointers != nil { return Self.frame(.interpreter, &stacks) }
            // Nobody has named it.
            let module = Module(identity: .name, name: MappedFile.anonymous.path)
            return Frame(kind: .native, module: stacks.intern(module), address: frame.address)
        // The last two come with imports alone.
        case .jit, .interpreted, .function, .inlined:
            return Frame(
                kind: frame.kind, name: stacks.intern(raw.names[frame.name]),
                file: frame.file == Frame.none ? Frame.none : stacks.intern(raw.names[frame.file]), line: frame.line)
        }
    }

    private func module(_ file: UInt32, _ raw: RawWindow) -> ResolvedModule {
        if let resolved = modules[file] { return resolved }
        let path = raw.files.files.indices.contains(Int(file)) ? raw.files.files[Int(file)].path : "?"
        return ResolvedModule(module: Module(identity: .name, name: path))
    }

    private struct Sum {
        var nodes: [UInt32: (count: UInt64, weight: UInt64)] = [:]
        var tally = StackTally()
    }

    /// The series, and by slot of a process which of them its samples are in.
    private func series(_ raw: RawWindow, _ nodeMap: [UInt32]) -> ([Series], [UInt32: UInt32]) {
        var keys: [UInt32: SeriesKey] = [:]
        var sums: [SeriesKey: Sum] = [:]
        for cell in raw.table.cells {
            let key: SeriesKey
            if let known = keys[cell.process] {
                key = known
            } else {
                key = seriesKey(cell.process, raw)
                keys[cell.process] = key
                let tallies = raw.table.tallies
                if tallies.indices.contains(Int(cell.process)) {
                    let tally = sums[key, default: Sum()].tally + tallies[Int(cell.process)]
                    sums[key, default: Sum()].tally = tally
                }
            }
            let node = nodeMap[Int(cell.node)]
            sums[key, default: Sum()].nodes[node, default: (0, 0)].count &+= cell.count
            sums[key, default: Sum()].nodes[node, default: (0, 0)].weight &+= cell.weight
        }
        let series = sums.map { key, sum in
            let sorted = sum.nodes.sorted { $0.key < $1.key }
            return Series(
                key: key, samplesPerSecond: raw.samplesPerSecond,
                stacks: StackCounts(
                    nodes: sorted.map(\.key), counts: sorted.map(\.value.count), weights: sorted.map(\.value.weight)),
                quality: sum.tally.quality)
        }.sorted { left, right in
            (left.key.service, left.key.version) != (right.key.service, right.key.version)
                ? (left.key.service, left.key.version) < (right.key.service, right.key.version)
                : left.key.labels.lexicographicallyPrecedes(right.key.labels)
        }
        var numbers: [SeriesKey: UInt32] = [:]
        for (number, one) in series.enumerated() { numbers[one.key] = UInt32(number) }
        return (series, keys.compactMapValues { numbers[$0] })
    }

    private func seriesKey(_ slot: UInt32, _ raw: RawWindow) -> SeriesKey {
        guard let process = raw.processes[slot] else {
            return SeriesKey(service: "?", version: "", labels: hostLabels, type: .cpu)
        }
        let answer =
            services[slot]
            ?? ServiceNames.Answer(service: raw.names[process.name], version: "", labels: [])
        var version = answer.version
        if version.isEmpty, process.program != ProcessEntry.unknownName {
            let identity = module(process.program, raw).module.identity
            if identity.kind == .buildID { version = Hexadecimal.text(identity.bytes) }
        }
        let names = Set(answer.labels.map(\.name))
        let labels = (answer.labels + hostLabels.filter { !names.contains($0.name) }).sorted()
        return SeriesKey(service: answer.service, version: version, labels: labels, type: .cpu)
    }
}
