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
/// hosts and that of Poisson counts give an expected distance from the shares that hosts usually have. Found over
/// expected is held against its own spread over the hosts, by medians, so that odd hosts don't hide each other.
public struct HostComparison: Sendable {
    /// The oddest first.
    public var hosts: [ComparedHost]
    public var hostCount: Int
    public var differingCount: Int
    public var groups: [HostGroup]
    /// Those that explain the split best first; only labels that some hosts have and others don't.
    public var labels: [LabelSplit]

    /// Of hosts that don't differ, the functions of so many are tested.
    private static let mostAlikeWithFunctions = 20

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
        hosts = order.prefix(max(0, limit)).enumerated().map { place, host in
            ComparedHost(
                name: name(host), samples: matrix.samples[host],
                cores: profile.cores(UInt64(exactly: matrix.whole[host].rounded()) ?? .max),
                distance: distances.distances[host], pValue: distances.pValues[host],
                qValue: verdicts.qValues[host], differs: differs[host], group: grouping.groupOf[host],
                functions: differs[host] || place < Self.mostAlikeWithFunctions
                    ? typical.functions(of: host, rate: rate, limit: functionLimit, &critical) : [])
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

    /// From so many hosts on, their own scores tell how widely and how evenly they are spread.
    private static let manyHosts = 20

    init(_ matrix: HostShares) {
        let (count, functions) = (matrix.hostCount, matrix.functionCount)
        pValues = [Double](repeating: 1, count: count)
        guard count >= 2 else {
            distances = [Double](repeating: 0, count: count)
            return
        }
        let typical = TypicalShares(matrix)
        let normalMean = (2 / Double.pi).squareRoot()
        // Found over expected, and how many of its standard deviations the expected one is.
        var ratios: [Double] = []
        var weights: [Double] = []
        for host in 0..<count {
            let (own, samples) = (matrix.whole[host], matrix.effective[host])
            let others = matrix.total - own
            // The others' shares are drawn, too, from as much more.
            let more = (others > 0 ? 1 + own / others : 1).squareRoot()
            var (sum, noise, found, mean, squares) = (0.0, 0.0, 0.0, 0.0, 0.0)
            for function in 0..<functions {
                let weight = matrix.weights[host * functions + function]
                let rest = others > 0 ? (matrix.sums[function] - weight) / others : 0
                sum += abs(weight / own - rest)
                noise += PoissonDeviation.mean(of: samples * rest) / samples * more
                let center = typical.centers[function]
                found += abs(weight / own - center)
                let drawn = PoissonDeviation.mean(of: samples * center) / samples * more
                let all = typical.variances[function] + drawn * drawn / (normalMean * normalMean)
                mean += normalMean * all.squareRoot()
                squares += (1 - normalMean * normalMean) * all
            }
            distances.append(min(1, max(0, (sum - noise) / 2)))
            let isTold = mean > 0 && squares > 0
            ratios.append(isTold ? found / mean : 1)
            weights.append(isTold ? mean / squares.squareRoot() : 0)
        }
        guard count >= HostComparison.fewestHosts else { return }
        let scores: [Double]
        let spread: (middle: Double, scale: Double)
        let freedom: Double
        if count < Self.manyHosts {
            scores = Self.scores(ratios, weights, power: 1)
            spread = RobustSpread.shared(scores)
            freedom = max(2, 0.3 * Double(count - 1))
        } else {
            scores = Self.evenScores(ratios, weights)
            spread = RobustSpread.above(scores)
            freedom = min(16, 6 + Double(count) / 25)
        }
        // Drawing samples alone scatters scores by 1.
        let scale = max(1, spread.scale)
        pValues = scores.map { Self.upper(($0 - spread.middle) / scale, freedom) }
    }

    /// Box and Cox's transformation (1964) of found over expected, in its standard deviations.
    private static func scores(_ ratios: [Double], _ weights: [Double], power: Double) -> [Double] {
        zip(ratios, weights).map { ratio, weight in
            (power == 0 ? log(max(ratio, 1e-6)) : (pow(ratio, power) - 1) / power) * weight
        }
    }

    /// Where hosts differ much anyway, distances are spread more widely above the middle than below it: by the largest
    /// power from 1 to 0 (the logarithm) that makes the 10th and the 90th percentile lie about equally far from it.
    private static func evenScores(_ ratios: [Double], _ weights: [Double]) -> [Double] {
        for power in [1, 0.75, 0.5, 0.25] {
            let found = scores(ratios, weights, power: power)
            let sorted = found.sorted()
            let middle = sorted[sorted.count / 2]
            let (low, high) = (sorted[sorted.count / 10], sorted[sorted.count - 1 - sorted.count / 10])
            if high - middle <= 1.1 * (middle - low) { return found }
        }
        return scores(ratios, weights, power: 0)
    }

    private static func upper(_ t: Double, _ freedom: Double) -> Double {
        let tail = StudentT.twoSidedTail(t, degreesOfFreedom: max(1, freedom)) / 2
        return t > 0 ? tail : 1 - tail
    }
}

/// Shares that most hosts have, and the variance between them less what drawing samples adds, by function: by median and
/// median absolute deviation, so that odd hosts don't hide themselves or each other.
private struct TypicalShares {
    private(set) var centers: [Double] = []
    private(set) var variances: [Double] = []

    init(_ matrix: HostShares) {
        let (count, functions) = (matrix.hostCount, matrix.functionCount)
        let samples = RobustSpread.median(matrix.effective)
        var shares = [Double](repeating: 0, count: count)
        for function in 0..<functions {
            for host in 0..<count {
                shares[host] = matrix.weights[host * functions + function] / matrix.whole[host]
            }
            let pooled = matrix.sums[function] / matrix.total
            let middle = RobustSpread.median(shares)
            let center = middle > 0 ? middle : pooled
            let drawn = center * (1 - center) / samples
            let all: Double
            if middle > 0 {
                let deviation = RobustSpread.normal * RobustSpread.median(shares.map { abs($0 - middle) })
                all = deviation * deviation * Double(count) / Double(count - 1)
            } else {
                // Most hosts don't have it at all: medians tell nothing.
                all = shares.reduce(0) { $0 + ($1 - pooled) * ($1 - pooled) } / Double(count - 1)
            }
            centers.append(center)
            variances.append(max(0, all - drawn))
        }
    }
}
