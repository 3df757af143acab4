import Profiles

/// Which slices vary together: those of one host, or those of one block of time.
///
/// Samples of one host are not independent of each other, so they can't be counted as if each were a draw of its own.
struct UnitsOfChance {
    var basis: IntervalBasis
    /// Indices of slices, by unit.
    var slices: [[Int]]

    /// Fewer blocks of time say next to nothing about their variance.
    static let fewestBlocks = 5
    /// Longer blocks depend less on their neighbours, and ten are enough: t is 2.26 then, and would be 2.09 with 20. Of
    /// 90 windows whose shares are correlated by 0.5 from one to the next, 10 blocks held the long-run share in 93 of
    /// 100 intervals, 20 blocks in 90.
    static let mostBlocks = 10

    init(slices all: [SampleSlice], hosts: [Host], overHosts: Bool) {
        if overHosts {
            var unit: [Host: Int] = [:]
            var unitOfIndex = [Int](repeating: -1, count: hosts.count)
            var byHost: [[Int]] = []
            for (index, slice) in all.enumerated() where !slice.stacks.nodes.isEmpty {
                let host = Int(slice.host)
                if unitOfIndex[host] < 0 {
                    unitOfIndex[host] = unit[hosts[host]] ?? byHost.count
                    unit[hosts[host]] = unitOfIndex[host]
                    if unitOfIndex[host] == byHost.count { byHost.append([]) }
                }
                byHost[unitOfIndex[host]].append(index)
            }
            if byHost.count >= 2 {
                basis = .hosts(byHost.count)
                slices = byHost
                return
            }
        }
        let starts = Array(Set(all.map(\.window.start))).sorted()
        let count = min(starts.count, Self.mostBlocks)
        guard count >= Self.fewestBlocks else {
            basis = .samples
            slices = [Array(all.indices)]
            return
        }
        var block: [Timestamp: Int] = [:]
        for (index, start) in starts.enumerated() { block[start] = index * count / starts.count }
        var byBlock = [[Int]](repeating: [], count: count)
        for (index, slice) in all.enumerated() { byBlock[block[slice.window.start] ?? 0].append(index) }
        basis = .time(blocks: count)
        slices = byBlock
    }

    /// Student's t for 95 % with one degree of freedom less than there are units; nil where samples stand alone.
    var studentT: Double? {
        switch basis {
        case .hosts(let count), .time(let count): StudentT.quantile(0.975, degreesOfFreedom: count - 1)
        case .samples: nil
        }
    }
}
