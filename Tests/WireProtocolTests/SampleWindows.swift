import Profiles

/// Windows made from a seed, for tests that need many different ones.
struct SampleWindows {
    var generator: SplitMix64

    init(seed: UInt64) { generator = SplitMix64(state: seed) }

    /// `stacks` stacks of up to `depth` frames over `services` series.
    mutating func window(stacks stackCount: Int, depth: Int = 20, services: Int = 3) -> WindowProfile {
        var table = StackTable()
        let module = table.intern(
            Module(
                identity: ModuleIdentity(kind: .buildID, bytes: (0..<20).map { _ in generator.byte() }), name: "/bin/x")
        )
        let kernel = table.intern(Module.kernel)
        var series: [Series] = []
        for service in 0..<services {
            var rows: [UInt32: (UInt64, UInt64)] = [:]
            for _ in 0..<stackCount {
                var node = table.intern(
                    parent: StackTable.root,
                    frame: table.intern(Frame(kind: .process, name: table.intern("process-\(service)"))))
                node = table.intern(
                    parent: node, frame: table.intern(Frame(kind: .thread, name: table.intern("thread-#"))))
                for _ in 0..<Int.random(in: 1...depth, using: &generator) {
                    let address = 0x1000 + UInt64.random(in: 0..<400, using: &generator) * 37
                    node = table.intern(
                        parent: node, frame: table.intern(Frame(kind: .native, module: module, address: address)))
                }
                if Bool.random(using: &generator) {
                    let name = table.intern("kernel_function_\(Int.random(in: 0..<30, using: &generator))")
                    node = table.intern(
                        parent: node, frame: table.intern(Frame(kind: .kernel, name: name, module: kernel)))
                }
                let (count, weight) = rows[node] ?? (0, 0)
                rows[node] = (count + 1, weight + 10_000_000 + UInt64.random(in: 0..<8, using: &generator))
            }
            let nodes = rows.keys.sorted()
            series.append(
                Series(
                    key: SeriesKey(
                        service: "service-\(service)", version: "1.\(service)",
                        labels: [Label(name: "container", value: "c\(service)")], type: .cpu),
                    samplesPerSecond: 100,
                    stacks: StackCounts(
                        nodes: nodes, counts: nodes.map { rows[$0]?.0 ?? 0 }, weights: nodes.map { rows[$0]?.1 ?? 0 }),
                    quality: StackQuality(whole: nil, cut: 1, broken: nil)))
        }
        var ledger = Ledger()
        ledger.taken = UInt64(stackCount * services + 5)
        ledger.dropped[.ringFull] = 5
        ledger.missedTicks = 2
        return WindowProfile(
            host: HostFacts(
                name: "host", agentVersion: "0.1.0", kernelRelease: "6.1", onlineCPUs: 2,
                labels: [Label(name: "zone", value: "a")]),
            window: TimeRange(start: Timestamp(seconds: 1_700_000_000), end: Timestamp(seconds: 1_700_000_010)),
            stacks: table, series: series, ledger: ledger)
    }
}

/// A small generator whose whole state is its seed (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
/// Generators, 2014).
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }

    mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next()) }
}
