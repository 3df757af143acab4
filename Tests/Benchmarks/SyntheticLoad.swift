import PerfEvents
import Profiles

/// Samples of synthetic programs: the stacks there are, and which of them each sample hit.
struct SyntheticLoad {
    struct Stack {
        /// Index into `processes`.
        var process: Int
        /// Root first.
        var functions: [Int]
        /// As the kernel gives it: leaf first, with the markers of `CallChain`.
        var chain: [UInt64]
    }

    let program: SyntheticProgram
    let processes: [String]
    var stacks: [Stack] = []
    /// Indices into `stacks`, in order of time.
    var samples: [Int] = []

    static let period: UInt64 = 10_000_000
    private static let kernelBase: UInt64 = 0xFFFF_FFFF_8100_0000

    var meanDepth: Double {
        Double(samples.reduce(0) { $0 + stacks[$1].chain.count - 1 }) / Double(max(1, samples.count))
    }

    /// A host at its daily work: 10 services with 40 stacks each, of which a window of 10 s sees 15, in 50 samples a
    /// service. The stacks are the same on every host and in every window, what they weigh is not.
    static func services(host: Int = 0, window: Int = 0) -> SyntheticLoad {
        var load = SyntheticLoad(
            program: serviceProgram, processes: (0..<10).map { "service-\($0)" }, stacks: serviceStacks)
        var dice = Dice(state: UInt64(host) << 32 | UInt64(window))
        for service in 0..<10 {
            for sample in 0..<50 {
                let pick = sample < 15 ? sample : min(dice.below(15), dice.below(15))
                load.samples.append(service * 40 + (pick * 7 + window) % 40)
            }
        }
        return load
    }

    private static let serviceProgram = SyntheticProgram(functions: 4000, modules: 12, seed: 1)
    private static let serviceStacks: [Stack] = {
        var dice = Dice(state: 2)
        return (0..<400).map { stack(serviceProgram, process: $0 / 40, root: $0 / 40, depth: 10...22, &dice) }
    }()

    /// Compilers on every core: hardly a stack comes twice. Mean depth 20.
    static func compilers(samples count: Int) -> SyntheticLoad {
        let program = SyntheticProgram(functions: 20_000, modules: 8, seed: 3)
        var load = SyntheticLoad(program: program, processes: ["cc1plus", "clang++", "as"])
        var dice = Dice(state: 4)
        for index in 0..<count {
            let process = dice.below(20) == 0 ? 2 : index % 2
            load.stacks.append(stack(program, process: process, root: process / 2, depth: 10...29, &dice))
            load.samples.append(index)
        }
        return load
    }

    private static func stack(
        _ program: SyntheticProgram, process: Int, root: Int, depth: ClosedRange<Int>, _ dice: inout Dice
    ) -> Stack {
        let path = program.walk(from: root, depth: depth.lowerBound + dice.below(depth.count), &dice)
        var chain: [UInt64] = []
        // A seventh was found in the kernel.
        if dice.below(7) == 0 {
            chain.append(CallChain.kernel)
            for level in (0..<(3 + dice.below(4))).reversed() {
                chain.append(kernelBase + UInt64(level * 37 + dice.below(level + 1)) * 0x400)
            }
        }
        chain.append(CallChain.user)
        chain += path.reversed().map(\.address)
        return Stack(process: process, functions: path.map(\.function), chain: chain)
    }

    /// Samples without the kernel's part, for tools that would name it otherwise.
    var withoutKernel: SyntheticLoad {
        var load = self
        for index in load.stacks.indices {
            let chain = load.stacks[index].chain
            if let user = chain.firstIndex(of: CallChain.user) { load.stacks[index].chain = Array(chain[user...]) }
        }
        return load
    }

    /// The samples by stack, in a table of their own, as the agent hands a window over.
    func windowProfile(host: Int = 0, window: Int = 0, start: Timestamp = Timestamp(seconds: 1_795_514_400))
        -> WindowProfile
    {
        var table = StackTable()
        let (rows, _) = rows(into: &table)
        let series = rows.enumerated().filter { !$1.isEmpty }.map { process, rows in
            Series(
                key: SeriesKey(
                    service: processes[process], version: "1.0", labels: [Label(name: "zone", value: "a")], type: .cpu),
                samplesPerSecond: 100, stacks: rows.stackCounts, quality: StackQuality(whole: nil, cut: 0, broken: nil))
        }
        var ledger = Ledger()
        ledger.taken = UInt64(samples.count * (window + 1))
        let begin = start + Int64(window) * 10_000_000_000
        return WindowProfile(
            host: HostFacts(
                name: "host-\(host)", agentVersion: "0.1", kernelRelease: "6.1", onlineCPUs: 2, labels: []),
            window: TimeRange(start: begin, end: begin + 10_000_000_000), stacks: table, series: series,
            ledger: ledger)
    }

    /// The same as samples of one host that nothing has to be merged for.
    func sampleSet() -> SampleSet {
        let window = windowProfile()
        return SampleSet(
            stacks: window.stacks, hosts: [Host(name: window.host.name, agent: Identifier(high: 1, low: 1))],
            keys: window.series.map(\.key),
            slices: window.series.enumerated().map { index, series in
                SampleSlice(
                    host: 0, key: UInt32(index), window: window.window, samplesPerSecond: series.samplesPerSecond,
                    stacks: series.stacks, quality: series.quality)
            })
    }

    /// By process: what each leaf node counts.
    private func rows(into table: inout StackTable) -> (rows: [[UInt32: Row]], distinct: Int) {
        var rows = [[UInt32: Row]](repeating: [:], count: processes.count)
        let heads = processes.map { name in
            let process = table.intern(Frame(kind: .process, name: table.intern(name)))
            let thread = table.intern(Frame(kind: .thread, name: table.intern(foldedThreadName(name))))
            return table.intern(parent: table.intern(parent: StackTable.root, frame: process), frame: thread)
        }
        let modules = (0..<program.moduleCount).map { table.intern(program.module($0)) }
        let kernel = table.intern(Module.kernel)
        // A stack is interned once, however many samples hit it.
        var leaf = [UInt32](repeating: Frame.none, count: stacks.count)
        for (number, sample) in samples.enumerated() {
            let stack = stacks[sample]
            if leaf[sample] == Frame.none {
                var node = heads[stack.process]
                let user = stack.chain.firstIndex(of: CallChain.user) ?? 0
                for index in (user + 1..<stack.chain.count).reversed() {
                    let address = index == user + 1 ? stack.chain[index] : stack.chain[index] - 1
                    let module = Int((address - program.base(ofModule: 0)) >> 28)
                    let frame = table.intern(
                        Frame(kind: .native, module: modules[module], address: address - program.base(ofModule: module))
                    )
                    node = table.intern(parent: node, frame: frame)
                }
                for index in (0..<user).reversed() where !CallChain.isMarker(stack.chain[index]) {
                    let name = "kernel_function_\((stack.chain[index] - Self.kernelBase) >> 10)"
                    node = table.intern(
                        parent: node,
                        frame: table.intern(Frame(kind: .kernel, name: table.intern(name), module: kernel)))
                }
                leaf[sample] = node
            }
            rows[stack.process][leaf[sample], default: Row()].count += 1
            rows[stack.process][leaf[sample], default: Row()].weight += Self.period + UInt64(number % 3) * 400_000
        }
        return (rows, Set(samples).count)
    }

    fileprivate struct Row {
        var count: UInt64 = 0
        var weight: UInt64 = 0
    }
}

extension [UInt32: SyntheticLoad.Row] {
    fileprivate var stackCounts: StackCounts {
        let sorted = self.sorted { $0.key < $1.key }
        return StackCounts(
            nodes: sorted.map(\.key), counts: sorted.map(\.value.count), weights: sorted.map(\.value.weight))
    }
}
