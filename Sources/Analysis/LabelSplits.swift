import Glibc
import Profiles

/// Labels (and versions) of hosts, by how well each tells odd hosts from the others: Fisher's exact test, one-sided, with
/// Benjamini and Hochberg's correction over all values.
struct LabelSplits {
    private(set) var splits: [LabelSplit] = []

    init(_ profile: NamedProfile, _ matrix: HostShares, differs: [Bool]) {
        let odd = differs.reduce(0) { $0 + ($1 ? 1 : 0) }
        guard odd > 0, odd < differs.count else { return }
        var row = [Int](repeating: -1, count: profile.hosts.count)
        var rowOfHost: [Host: Int] = [:]
        for (index, host) in matrix.hosts.enumerated() { rowOfHost[profile.hosts[host]] = index }
        for (index, host) in profile.hosts.enumerated() { row[index] = rowOfHost[host] ?? -1 }
        // Slices are many, pairs of host and key few.
        var seen: Set<UInt64> = []
        for slice in profile.slices { seen.insert(UInt64(slice.host) << 32 | UInt64(slice.key)) }
        var holders: [Label: Set<Int>] = [:]
        for pair in seen {
            let host = row[Int(pair >> 32)]
            let key = profile.keys[Int(pair & 0xFFFF_FFFF)]
            guard host >= 0 else { continue }
            for label in key.labels { holders[label, default: []].insert(host) }
            if !key.version.isEmpty { holders[Label(name: "version", value: key.version), default: []].insert(host) }
        }
        let candidates = holders.filter { $0.value.count < differs.count }.sorted { $0.key < $1.key }
        let logFactorials = Self.logFactorials(differs.count)
        let counts = candidates.map { candidate in
            (all: candidate.value.count, odd: candidate.value.reduce(0) { $0 + (differs[$1] ? 1 : 0) })
        }
        func tail(_ atLeast: Int, _ all: Int) -> Double {
            Self.tail(atLeast, of: all, odd: odd, hosts: differs.count, logFactorials)
        }
        let verdicts = FalseDiscovery(
            pValues: counts.map { tail($0.odd, $0.all) }, attainable: counts.map { tail(min(odd, $0.all), $0.all) },
            rate: 0.05)
        splits = candidates.indices.map { index in
            LabelSplit(
                label: candidates[index].key.name, value: candidates[index].key.value, differing: counts[index].odd,
                hosts: counts[index].all, qValue: verdicts.qValues[index])
        }
        .filter { $0.differing > 0 }
        .sorted { left, right in
            if left.qValue != right.qValue { return left.qValue < right.qValue }
            if left.differing != right.differing { return left.differing > right.differing }
            if left.hosts != right.hosts { return left.hosts < right.hosts }
            return (left.label, left.value) < (right.label, right.value)
        }
        splits = Array(splits.prefix(20))
    }

    /// The probability that at least so many of `all` hosts are among the odd ones by chance.
    private static func tail(_ atLeast: Int, of all: Int, odd: Int, hosts: Int, _ logs: [Double]) -> Double {
        func choose(_ n: Int, _ k: Int) -> Double { logs[n] - logs[k] - logs[n - k] }
        var sum = 0.0
        for hits in atLeast...max(atLeast, min(all, odd)) where hits >= all - (hosts - odd) && hits <= min(all, odd) {
            sum += exp(choose(odd, hits) + choose(hosts - odd, all - hits) - choose(hosts, all))
        }
        return min(1, sum)
    }

    private static func logFactorials(_ largest: Int) -> [Double] {
        var logs = [0.0]
        for number in 1...max(1, largest) { logs.append(logs[number - 1] + log(Double(number))) }
        return logs
    }
}
