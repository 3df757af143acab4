import Glibc
import Profiles

/// One function on one host, beside the other hosts.
public struct HostFunction: Hashable, Sendable {
    public var name: String
    public var share: Double
    /// Of the other hosts that don't differ themselves.
    public var restShare: Double
    public var delta: Change
    public var qValue: Double
    public var isSignificant: Bool
}

/// One host against the rest.
public struct ComparedHost: Hashable, Sendable {
    public var name: String
    public var samples: UInt64
    /// nil where the type is no CPU time.
    public var cores: Double?
    /// Half the sum of absolute differences of self shares, less what drawing samples alone would give; 0 to 1.
    public var distance: Double
    public var pValue: Double
    public var qValue: Double
    public var differs: Bool
    /// Index into `HostComparison.groups`; nil for hosts that don't differ.
    public var group: Int?
    /// Significant ones first, then by the size of the difference.
    public var functions: [HostFunction]
}

/// Hosts that are odd in the same way.
public struct HostGroup: Hashable, Sendable {
    public var hosts: [String]
    /// What they do more of than the rest, the most first.
    public var functions: [String]
}

/// How well a label tells the hosts that differ from the others.
public struct LabelSplit: Hashable, Sendable {
    public var label: String
    public var value: String
    /// Hosts with it that differ, and all with it.
    public var differing: Int
    public var hosts: Int
    public var qValue: Double
}

/// The hosts of a service, each against the rest.
///
/// A host's distance is half the L1 distance of its self shares from those of all others. How large it is where nothing is
/// odd depends on what hosts differ by anyway and on how many samples the host has: by function, the variance between
/// hosts (by moments) and that of Poisson counts give an expected distance, and the logarithm of found over expected is
/// held against its own spread over the hosts: by median and median absolute deviation where they are many, so that odd
/// hosts don't hide each other, and by mean and deviation of the others where they are few.
public struct HostComparison: Sendable {
    /// The oddest first.
    public var hosts: [ComparedHost]
    public var hostCount: Int
    public var differingCount: Int
    public var groups: [HostGroup]
    /// Those that explain the split best first; only labels that some hosts have and others don't.
    public var labels: [LabelSplit]

    /// Fewer hosts can't tell which of them is odd.
    public static let fewestHosts = 3

    /// - Parameters:
    ///   - limit: of hosts; those that differ come first.
    ///   - functionLimit: of functions of each host.
    public init(
        _ profile: NamedProfile, falseDiscoveryRate rate: Double = 0.05, limit: Int = 20, functionLimit: Int = 5
    ) {
        let matrix = HostShares(profile)
        hostCount = matrix.hostCount
        let distances = HostDistances(matrix)
        let verdicts = FalseDiscovery(
            pValues: distances.pValues, attainable: distances.pValues.map { _ in 0 }, rate: rate)
        let differs = verdicts.qValues.map { $0 <= rate }
        differingCount = differs.reduce(0) { $0 + ($1 ? 1 : 0) }
        let names = Host.distinctNames(profile.hosts)
        func name(_ host: Int) -> String { names[matrix.hosts[host]] }
        let order = (0..<hostCount).sorted { left, right in
            let (one, other) = (verdicts.qValues[left], verdicts.qValues[right])
            if one != other { return one < other }
            let (far, near) = (distances.distances[left], distances.distances[right])
            return far != near ? far > near : name(left) < name(right)
        }
        let typical = TypicalHosts(matrix, differs: differs)
        let grouping = HostGrouping(matrix, typical, odd: order.filter { differs[$0] })
        groups = grouping.members.map { members in
            HostGroup(
                hosts: members.map(name),
                functions: grouping.functions(of: members, 3).map { matrix.name(of: $0) })
        }
        var critical = CriticalValues()
        hosts = order.prefix(max(0, limit)).map { host in
            ComparedHost(
                name: name(host), samples: matrix.samples[host], cores: profile.cores(UInt64(matrix.whole[host])),
                distance: distances.distances[host], pValue: distances.pValues[host],
                qValue: verdicts.qValues[host], differs: differs[host], group: grouping.groupOf[host],
                functions: typical.functions(of: host, rate: rate, limit: functionLimit, &critical))
        }
        labels = LabelSplits(profile, matrix, differs: differs).splits
    }
}

/// Self shares by host, in one flat array: the heaviest functions, and all others as one.
struct HostShares {
    let functionCount: Int
    /// Indices into the profile's hosts.
    private(set) var hosts: [Int] = []
    /// By host: the whole weight, samples, and their effective number.
    private(set) var whole: [Double] = []
    private(set) var samples: [UInt64] = []
    private(set) var effective: [Double] = []
    /// Weights: of host h and function f at h · functionCount + f; the last function is what is left.
    private(set) var weights: [Double] = []
    /// By function.
    private(set) var sums: [Double]
    let total: Double
    private let names: [String]

    var hostCount: Int { hosts.count }

    /// Entries of the array: 64 MiB.
    private static let mostEntries = 8 << 20

    init(_ profile: NamedProfile) {
        let units = UnitsOfChance(slices: profile.slices, hosts: profile.hosts, overHosts: true)
        var byHost = units.slices
        if case .hosts = units.basis {} else { byHost = profile.slices.isEmpty ? [] : [Array(profile.slices.indices)] }
        var groups = RankedGroups(profile, by: .function)
        _ = groups.order(by: .self, limit: max(1, Self.mostEntries / max(1, byHost.count) - 1))
        functionCount = groups.chosen.count + 1
        names = groups.chosen.map { groups.labels[$0].name } + ["[other functions]"]
        sums = [Double](repeating: 0, count: functionCount)
        weights.reserveCapacity(byHost.count * functionCount)
        var accumulator = groups.accumulator(of: profile)
        let share = profile.sampleCount > 0 ? profile.effectiveSamples / Double(profile.sampleCount) : 0
        for slices in byHost {
            let all = Double(accumulator.addUp(slices))
            guard all > 0, let first = slices.first else { continue }
            var left = all
            for (function, value) in accumulator.own.enumerated() {
                weights.append(Double(value))
                sums[function] += Double(value)
                left -= Double(value)
            }
            weights.append(max(0, left))
            sums[functionCount - 1] += max(0, left)
            hosts.append(Int(profile.slices[first].host))
            whole.append(all)
            let count = slices.reduce(UInt64(0)) { $0 &+ profile.slices[$1].stacks.sampleCount }
            samples.append(count)
            effective.append(max(1, Double(count) * share))
        }
        total = whole.reduce(0, +)
    }

    func name(of function: Int) -> String { names[function] }
}

/// How far each host is from all others, and how likely that is by chance.
struct HostDistances {
    private(set) var distances: [Double] = []
    private(set) var pValues: [Double]

    /// From so many hosts on, median and median absolute deviation tell their spread.
    private static let manyHosts = 20
    private static let mostFreedom = 20.0

    init(_ matrix: HostShares) {
        let (count, functions) = (matrix.hostCount, matrix.functionCount)
        pValues = [Double](repeating: 1, count: count)
        guard count >= 2 else {
            distances = [Double](repeating: 0, count: count)
            return
        }
        let variance = Self.betweenHosts(matrix)
        let normalMean = (2 / Double.pi).squareRoot()
        var found: [Double] = []
        var expected: [Double] = []
        var spread: [Double] = []
        for host in 0..<count {
            let (own, samples) = (matrix.whole[host], matrix.effective[host])
            let others = matrix.total - own
            // The others' shares are drawn, too, from as much more.
            let more = others > 0 ? 1 + own / others : 1
            var sum = 0.0
            var noise = 0.0
            var mean = 0.0
            var squares = 0.0
            for function in 0..<functions {
                let weight = matrix.weights[host * functions + function]
                let rest = others > 0 ? (matrix.sums[function] - weight) / others : 0
                sum += abs(weight / own - rest)
                let drawn = PoissonDeviation.mean(of: samples * rest) / samples * more.squareRoot()
                noise += drawn
                let all = variance[function] + drawn * drawn / (normalMean * normalMean)
                mean += normalMean * all.squareRoot()
                squares += (1 - normalMean * normalMean) * all
            }
            distances.append(min(1, max(0, (sum - noise) / 2)))
            found.append(sum)
            expected.append(mean)
            spread.append(squares.squareRoot())
        }
        guard count >= HostComparison.fewestHosts else { return }
        let scores = found.indices.map { host -> Double in
            guard found[host] > 0, expected[host] > 0, spread[host] > 0 else { return 0 }
            return log(found[host] / expected[host]) * expected[host] / spread[host]
        }
        guard count >= Self.manyHosts else {
            for host in scores.indices { pValues[host] = Self.amongFew(host, scores) }
            return
        }
        let (middle, scale) = RobustSpread.above(scores)
        // Far out, distances are spread more widely than the normal distribution: few degrees of freedom.
        let freedom = min(Self.mostFreedom, Double(count - 1) * 0.37)
        for host in scores.indices {
            pValues[host] =
                scale > 0 ? Self.upper((scores[host] - middle) / scale, freedom) : scores[host] > middle ? 0 : 1
        }
    }

    /// Variance of shares between hosts by function, less what drawing samples adds.
    private static func betweenHosts(_ matrix: HostShares) -> [Double] {
        let (count, functions) = (matrix.hostCount, matrix.functionCount)
        var variance = [Double](repeating: 0, count: functions)
        for host in 0..<count {
            for function in 0..<functions {
                let share = matrix.sums[function] / matrix.total
                let error = matrix.weights[host * functions + function] / matrix.whole[host] - share
                variance[function] += error * error - share * (1 - share) / matrix.effective[host]
            }
        }
        return variance.map { max(0, $0 / Double(count - 1)) }
    }

    private static func amongFew(_ host: Int, _ scores: [Double]) -> Double {
        let others = scores.indices.filter { $0 != host }.map { scores[$0] }
        let mean = others.reduce(0, +) / Double(others.count)
        let variance = others.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(others.count - 1)
        // Samples alone scatter scores by 1.
        let scale = (max(1, variance) * (1 + 1 / Double(others.count))).squareRoot()
        return upper((scores[host] - mean) / scale, Double(others.count - 1))
    }

    private static func upper(_ t: Double, _ freedom: Double) -> Double {
        let tail = StudentT.twoSidedTail(t, degreesOfFreedom: max(1, freedom)) / 2
        return t > 0 ? tail : 1 - tail
    }
}
