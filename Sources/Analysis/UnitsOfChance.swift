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
    /// More blocks than this make each so short that neighbours depend on each other.
    static let mostBlocks = 20

    init(slices all: [SampleSlice], hosts: [Host], overHosts: Bool) {
        if overHosts {
            var unit: [Host: Int] = [:]
            var byHost: [[Int]] = []
            for (index, slice) in all.enumerated() where !slice.stacks.nodes.isEmpty {
                let host = hosts[Int(slice.host)]
                if let known = unit[host] {
                    byHost[known].append(index)
                } else {
                    unit[host] = byHost.count
                    byHost.append([index])
                }
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
