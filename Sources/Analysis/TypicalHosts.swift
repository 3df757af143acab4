import Glibc

/// The hosts that don't differ, as what an odd host's functions are held against.
struct TypicalHosts {
    private let matrix: HostShares
    /// By host.
    private let isTypical: [Bool]
    private let count: Int
    /// By function: weights of typical hosts, and the sum of their squared errors less what drawing samples adds.
    private let sums: [Double]
    private let errors: [Double]
    private let whole: Double
    private let effective: Double

    init(_ matrix: HostShares, differs: [Bool]) {
        self.matrix = matrix
        let remaining = differs.reduce(0) { $0 + ($1 ? 0 : 1) }
        // Where nearly all differ there is no type; then all others are the rest.
        let isTypical = differs.map { remaining < 3 || !$0 }
        self.isTypical = isTypical
        let typical = isTypical.indices.filter { isTypical[$0] }
        count = typical.count
        var sums = [Double](repeating: 0, count: matrix.functionCount)
        var whole = 0.0
        var effective = 0.0
        for host in typical {
            whole += matrix.whole[host]
            effective += matrix.effective[host]
            let first = host * matrix.functionCount
            for function in sums.indices { sums[function] += matrix.weights[first + function] }
        }
        var errors = [Double](repeating: 0, count: matrix.functionCount)
        for host in typical {
            for function in errors.indices { errors[function] += Self.error(matrix, host, function, sums, whole) }
        }
        self.sums = sums
        self.errors = errors
        self.whole = whole
        self.effective = effective
    }

    private static func error(
        _ matrix: HostShares, _ host: Int, _ function: Int, _ sums: [Double], _ whole: Double
    ) -> Double {
        guard whole > 0 else { return 0 }
        let share = sums[function] / whole
        let error = matrix.weights[host * matrix.functionCount + function] / matrix.whole[host] - share
        return error * error - share * (1 - share) / matrix.effective[host]
    }

    /// The share of typical hosts other than this one.
    func restShare(_ function: Int, without host: Int) -> Double {
        guard isTypical[host] else { return whole > 0 ? sums[function] / whole : 0 }
        let rest = whole - matrix.whole[host]
        return rest > 0 ? max(0, sums[function] - matrix.weights[host * matrix.functionCount + function]) / rest : 0
    }

    func delta(_ function: Int, of host: Int) -> Double {
        matrix.weights[host * matrix.functionCount + function] / matrix.whole[host]
            - restShare(function, without: host)
    }

    /// Significant ones first, then from the largest difference down.
    func functions(
        of host: Int, rate: Double, limit: Int, _ critical: inout CriticalValues
    ) -> [HostFunction] {
        let others = count - (isTypical[host] ? 1 : 0)
        let named = matrix.functionCount - 1
        guard others >= 1, named > 0 else { return [] }
        let samples = matrix.effective[host]
        let restSamples = max(1, effective - (isTypical[host] ? samples : 0))
        var deltas: [Double] = []
        var variances: [Double] = []
        var pValues: [Double] = []
        var attainable: [Double] = []
        for function in 0..<named {
            let rest = restShare(function, without: host)
            let delta = delta(function, of: host)
            var error = errors[function]
            if isTypical[host] { error -= Self.error(matrix, host, function, sums, whole) }
            let between = others >= 2 ? max(0, error / Double(others - 1)) : 0
            let pooled = (rest * restSamples + (rest + delta) * samples) / (restSamples + samples)
            let variance =
                between * (1 + 1 / Double(others)) + max(0, pooled * (1 - pooled)) * (1 / samples + 1 / restSamples)
            let byHosts =
                variance > 0
                ? StudentT.twoSidedTail(
                    delta / variance.squareRoot(), degreesOfFreedom: Double(max(1, others - 1))) : 1
            let bySamples = CountTest.pValue(
                share: rest + delta, of: samples, against: rest, of: restSamples)
            deltas.append(delta)
            variances.append(variance)
            pValues.append(max(byHosts, bySamples))
            attainable.append(
                CountTest.attainable(pooled * (samples + restSamples), fraction: samples / (samples + restSamples)))
        }
        let verdicts = FalseDiscovery(pValues: pValues, attainable: attainable, rate: rate)
        let order = (0..<named).filter { deltas[$0] != 0 }.sorted { left, right in
            let (one, other) = (verdicts.qValues[left] <= rate, verdicts.qValues[right] <= rate)
            if one != other { return one }
            return abs(deltas[left]) != abs(deltas[right]) ? abs(deltas[left]) > abs(deltas[right]) : left < right
        }
        let t = critical.value(Double(max(1, others - 1)))
        return order.prefix(max(0, limit)).map { function in
            let rest = restShare(function, without: host)
            let share = rest + deltas[function]
            let own = Share.wilson(min(1, max(0, share)), effectiveSamples: samples)
            let their = Share.wilson(min(1, max(0, rest)), effectiveSamples: restSamples)
            let reach = t * variances[function].squareRoot()
            let down = hypot(own.value - own.low, their.high - their.value)
            let up = hypot(own.high - own.value, their.value - their.low)
            return HostFunction(
                name: matrix.name(of: function), share: share, restShare: rest,
                delta: Change(
                    value: deltas[function], low: deltas[function] - max(reach, down),
                    high: deltas[function] + max(reach, up)),
                qValue: verdicts.qValues[function], isSignificant: verdicts.qValues[function] <= rate)
        }
    }
}

/// Odd hosts sorted by what is odd about them: one joins the first group whose mean difference points its way.
struct HostGrouping {
    private(set) var members: [[Int]] = []
    /// By host.
    private(set) var groupOf: [Int?]
    private var means: [[Double]] = []

    /// The cosine between two differences that are called alike.
    private static let alike = 0.7
    /// Of the function that a group spends most more in.
    private static let smallestPart = 0.2
    /// More kinds of oddity than anyone reads; what is left is a group of its own each.
    private static let mostGroups = 50

    init(_ matrix: HostShares, _ typical: TypicalHosts, odd: [Int]) {
        groupOf = [Int?](repeating: nil, count: matrix.hostCount)
        for host in odd {
            let delta = (0..<matrix.functionCount).map { typical.delta($0, of: host) }
            var place: Int?
            for (group, mean) in means.prefix(Self.mostGroups).enumerated() where place == nil {
                if Self.cosine(mean, delta) >= Self.alike { place = group }
            }
            if let place {
                let weight = 1 / Double(members[place].count + 1)
                for function in delta.indices {
                    means[place][function] += (delta[function] - means[place][function]) * weight
                }
                members[place].append(host)
                groupOf[host] = place
            } else {
                groupOf[host] = members.count
                members.append([host])
                means.append(delta)
            }
        }
    }

    /// Functions that the group does more of, the most first: what it does less of is what that leaves room for.
    func functions(of hosts: [Int], _ limit: Int) -> [Int] {
        guard let first = hosts.first, let group = groupOf[first] else { return [] }
        let mean = means[group]
        // What adds little to the first is no part of the group's way.
        let least = Self.smallestPart * (mean.dropLast().max() ?? 0)
        return Array(
            mean.indices.dropLast().filter { mean[$0] > 0 && mean[$0] >= least }.sorted { mean[$0] > mean[$1] }
                .prefix(limit))
    }

    private static func cosine(_ one: [Double], _ other: [Double]) -> Double {
        var (product, left, right) = (0.0, 0.0, 0.0)
        for index in one.indices {
            product += one[index] * other[index]
            left += one[index] * one[index]
            right += other[index] * other[index]
        }
        let norm = (left * right).squareRoot()
        return norm > 0 ? product / norm : 0
    }
}
