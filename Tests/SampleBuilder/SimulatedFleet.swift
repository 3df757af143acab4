import Glibc
public import Profiles

/// Hosts whose functions' true shares are known, sampled from a seed.
///
/// A host's share of a function is the fleet's, times a factor that the host keeps, times one of its own for each
/// sampling; factors have mean 1, so the fleet's share is the truth that intervals are about. What is left of a host's
/// samples falls on `rest`. Counts are Poisson's.
public struct SimulatedFleet {
    /// Of the functions f0, f1, …; their sum should stay well below 1.
    public var shares: [Double]
    /// Standard deviation of the logarithm of a host's factor of each function, and of that of one sampling.
    public var hostSpread = 0.3
    public var timeSpread = 0.05
    /// Of a host's size.
    public var sizeSpread = 0.5
    /// Factors are drawn from a distribution with heavy tails instead (Student's t with 3 degrees of freedom).
    public var hasHeavyTails = false
    public var samplesPerHost = 10_000.0
    public var period: UInt64 = 10_000_000
    /// Windows of 10 s that a host's samples are spread over.
    public var windows = 1

    private var generator: SeededGenerator
    private var stacks = StackTable()
    /// Leaf nodes of the functions and, last, of the rest.
    private var nodes: [UInt32] = []

    public init(shares: [Double], seed: UInt64) {
        self.shares = shares
        generator = SeededGenerator(seed: seed)
        let module = stacks.intern(Module(identity: .name, name: "/usr/bin/app"))
        func child(_ parent: UInt32, _ kind: Frame.Kind, _ name: String) -> UInt32 {
            stacks.intern(
                parent: parent,
                frame: stacks.intern(
                    Frame(kind: kind, name: stacks.intern(name), module: kind == .native ? module : Frame.none)))
        }
        let main = child(
            child(child(StackTable.root, .process, "app"), .thread, "app"), .native, "main")
        nodes = shares.indices.map { child(main, .native, "f\($0)") } + [child(main, .native, "rest")]
    }

    /// Shares that fall from `largest` to `smallest` evenly on a logarithmic scale.
    public static func shares(_ count: Int, from largest: Double, to smallest: Double) -> [Double] {
        (0..<count).map { largest * pow(smallest / largest, Double($0) / Double(max(1, count - 1))) }
    }

    public struct Machine {
        public var name: String
        public var labels: [Label]
        var size: Double
        public var factors: [Double]
    }

    public mutating func machines(_ count: Int, prefix: String = "h") -> [Machine] {
        (0..<count).map { number in
            Machine(
                name: "\(prefix)\(number)", labels: [], size: factor(sizeSpread),
                factors: shares.map { factor(hostSpread * (1 - $0)) })
        }
    }

    /// Samples of the machines.
    ///
    /// - Parameters:
    ///   - changes: factors of functions by index.
    ///   - rate: samples per second and CPU; the weight of a sample goes with it.
    public mutating func sample(
        _ machines: [Machine], changes: [Int: Double] = [:], rate: Double = 100, firstWindow: Int = 0
    ) -> SampleSet {
        var set = SampleSet(stacks: stacks)
        var keys: [[Label]: UInt32] = [:]
        let start = Timestamp(seconds: 1_790_000_000 / 86_400 * 86_400 + Int64(firstWindow) * 10)
        for (index, machine) in machines.enumerated() {
            set.hosts.append(Host(name: machine.name, agent: Identifier(high: 0xF1EE7, low: hash(machine.name))))
            let key = keys[machine.labels] ?? UInt32(set.keys.count)
            if key == set.keys.count {
                set.keys.append(SeriesKey(service: "web", version: "", labels: machine.labels, type: .cpu))
                keys[machine.labels] = key
            }
            let samples = samplesPerHost * machine.size * rate / 100
            var means = shares.indices.map { function in
                samples * shares[function] * machine.factors[function] * (changes[function] ?? 1)
                    * factor(timeSpread * (1 - shares[function]))
            }
            means.append(max(0, samples - means.reduce(0, +)))
            for window in 0..<windows {
                var counts = StackCounts()
                for (function, mean) in means.enumerated() {
                    let count = poisson(mean / Double(windows))
                    guard count > 0 else { continue }
                    counts.nodes.append(nodes[function])
                    counts.counts.append(count)
                    counts.weights.append(count * UInt64(Double(period) * 100 / rate))
                }
                let begin = start + Int64(window) * 10_000_000_000
                set.slices.append(
                    SampleSlice(
                        host: UInt32(index), key: key, window: TimeRange(start: begin, end: begin + 10_000_000_000),
                        samplesPerSecond: rate, stacks: counts,
                        quality: StackQuality(whole: nil, cut: 0, broken: nil)))
            }
        }
        return set
    }

    private func hash(_ name: String) -> UInt64 {
        name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    /// A positive number of mean 1.
    private mutating func factor(_ spread: Double) -> Double {
        if spread == 0 { return 1 }
        guard hasHeavyTails else { return exp(spread * normal() - spread * spread / 2) }
        // t with 3 degrees of freedom has variance 3; folded back where it would be negative.
        let chi = pow(normal(), 2) + pow(normal(), 2) + pow(normal(), 2)
        let value = 1 + spread * normal() / (chi / 3).squareRoot() / 3.0.squareRoot()
        return min(2 - 0.02, max(0.02, value))
    }

    private mutating func normal() -> Double {
        (-2 * log(Double.random(in: 1e-300..<1, using: &generator))).squareRoot()
            * cos(2 * Double.pi * Double.random(in: 0..<1, using: &generator))
    }

    private mutating func poisson(_ mean: Double) -> UInt64 {
        if mean <= 0 { return 0 }
        if mean > 200 { return UInt64(max(0, (mean + mean.squareRoot() * normal()).rounded())) }
        let limit = exp(-mean)
        var product = Double.random(in: 0..<1, using: &generator)
        var count: UInt64 = 0
        while product > limit {
            product *= Double.random(in: 0..<1, using: &generator)
            count += 1
        }
        return count
    }
}
