public import Profiles

/// Builds sample sets for tests from stacks in words: `"process/thread;root;…;leaf"`.
///
/// A frame is a native function unless it says otherwise: `k:NAME` kernel, `j:NAME` JIT-compiled, `i:NAME@FILE:LINE`
/// interpreted, `m:NAME` a marker, `0xADDRESS@MODULE` an address that `NamesByAddress` may name.
public struct SampleBuilder {
    public var samples = SampleSet()
    /// Weight of one sample in nanoseconds.
    public var period: UInt64 = 10_000_000

    public init() {}

    /// Adds one slice; window `n` is the n-th 10 s since a fixed midnight.
    public mutating func add(
        host: String = "h1", service: String = "web", version: String = "", labels: [Label] = [],
        type: ProfileType = .cpu, window: Int = 0, rate: Double = 100, quality: StackQuality? = nil,
        _ stacks: KeyValuePairs<String, UInt64>
    ) {
        add(
            host: host, service: service, version: version, labels: labels, type: type, window: window, rate: rate,
            quality: quality, stacks: stacks.map { ($0.key, $0.value) })
    }

    public mutating func add(
        host: String = "h1", service: String = "web", version: String = "", labels: [Label] = [],
        type: ProfileType = .cpu, window: Int = 0, rate: Double = 100, quality: StackQuality? = nil,
        stacks: [(String, UInt64)]
    ) {
        var counts: [UInt32: UInt64] = [:]
        for (stack, count) in stacks { counts[intern(stack), default: 0] += count }
        let nodes = counts.keys.sorted()
        let start = Timestamp(seconds: 1_790_000_000 / 86_400 * 86_400 + Int64(window) * 10)
        samples.slices.append(
            SampleSlice(
                host: index(ofHost: host),
                key: index(of: SeriesKey(service: service, version: version, labels: labels, type: type)),
                window: TimeRange(start: start, end: start + 10_000_000_000), samplesPerSecond: rate,
                stacks: StackCounts(
                    nodes: nodes, counts: nodes.map { counts[$0] ?? 0 },
                    weights: nodes.map { (counts[$0] ?? 0) * period }),
                quality: quality ?? StackQuality(whole: nil, cut: 0, broken: nil)))
    }

    private mutating func index(ofHost name: String) -> UInt32 {
        if let known = samples.hosts.firstIndex(where: { $0.name == name }) { return UInt32(known) }
        samples.hosts.append(
            Host(name: name, agent: Identifier(high: 0xABCD, low: UInt64(samples.hosts.count))))
        return UInt32(samples.hosts.count - 1)
    }

    private mutating func index(of key: SeriesKey) -> UInt32 {
        if let known = samples.keys.firstIndex(of: key) { return UInt32(known) }
        samples.keys.append(key)
        return UInt32(samples.keys.count - 1)
    }

    public mutating func intern(_ stack: String) -> UInt32 {
        var node = StackTable.root
        for (position, element) in stack.split(separator: ";", omittingEmptySubsequences: false).enumerated() {
            if position == 0 {
                let owner = element.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
                node = child(node, .process, String(owner[0]))
                node = child(node, .thread, foldedThreadName(String(owner.last ?? "")))
            } else {
                node = frame(node, String(element))
            }
        }
        return node
    }

    private mutating func frame(_ node: UInt32, _ text: String) -> UInt32 {
        let rest = String(text.dropFirst(2))
        switch text.prefix(2) {
        case "k:": return child(node, .kernel, rest, module: Module.kernel)
        case "j:": return child(node, .jit, rest)
        case "m:": return child(node, .marker, rest)
        case "i:":
            let parts = rest.split(separator: "@", maxSplits: 1)
            let place = (parts.count > 1 ? String(parts[1]) : "f.py:1").split(separator: ":")
            let frame = samples.stacks.intern(
                Frame(
                    kind: .interpreted, name: samples.stacks.intern(String(parts.first ?? "")),
                    file: samples.stacks.intern(String(place[0])), line: UInt32(place[1]) ?? 0))
            return samples.stacks.intern(parent: node, frame: frame)
        case "0x":
            let parts = rest.split(separator: "@", maxSplits: 1)
            var module = Frame.none
            if parts.count > 1 {
                module = samples.stacks.intern(
                    Module(
                        identity: ModuleIdentity(kind: .buildID, bytes: Array(parts[1].utf8)), name: String(parts[1])))
            }
            let frame = samples.stacks.intern(
                Frame(kind: .native, module: module, address: UInt64(parts.first ?? "", radix: 16) ?? 0))
            return samples.stacks.intern(parent: node, frame: frame)
        default:
            return child(node, .native, text, module: Module(identity: .name, name: "/usr/bin/app"))
        }
    }

    private mutating func child(
        _ parent: UInt32, _ kind: Frame.Kind, _ name: String, module: Module? = nil
    ) -> UInt32 {
        let moduleIndex = module.map { samples.stacks.intern($0) } ?? Frame.none
        let frame = samples.stacks.intern(
            Frame(kind: kind, name: samples.stacks.intern(name), module: moduleIndex))
        return samples.stacks.intern(parent: parent, frame: frame)
    }
}

/// Names addresses by a table; the module plays no part.
public struct NamesByAddress: Symbolizer, Sendable {
    public var names: [UInt64: [NamedFrame]]

    public init(_ names: [UInt64: [NamedFrame]] = [:]) {
        self.names = names
    }

    public func frames(at address: UInt64, in module: Module) -> [NamedFrame] { names[address] ?? [] }
}

/// The same random numbers for the same seed (SplitMix64; Steele, Lea and Flood, 2014).
public struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    public init(seed: UInt64) {
        state = seed
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }
}
