internal import Digests
public import Profiles
public import WireProtocol

/// Samples of a file as batches that an aggregator stores once: the host's name is the agent, and the file with all that
/// was said of it the epoch, so that the same import has the same names.
public enum ImportBatches {
    /// Rows of one batch: far below the limits of the wire.
    private static let rows = 50_000
    /// What an imported host calls itself in place of an agent's version.
    public static let agentVersion = "import"

    /// The oldest windows first; sequences count from 1 for each host.
    ///
    /// - Parameter source: the file and what was said of it.
    public static func make(_ samples: SampleSet, source: [UInt8]) throws(WireError) -> [Batch] {
        let epoch = identifier(Array("import\0".utf8) + source)
        var batches: [Batch] = []
        var ledgers: [UInt32: Ledger] = [:]
        var sequences: [UInt32: UInt64] = [:]
        let slices = samples.slices.sorted {
            ($0.window.start, $0.host, $0.key) < ($1.window.start, $1.host, $1.key)
        }
        var index = 0
        while index < slices.count {
            let first = slices[index]
            var series: [Series] = []
            var count = 0
            // Slices of one host and window, and of a large one parts.
            func flush() throws(WireError) {
                guard !series.isEmpty else { return }
                var ledger = ledgers[first.host] ?? Ledger()
                ledger.taken &+= series.reduce(0) { $0 &+ $1.stacks.sampleCount }
                ledgers[first.host] = ledger
                let sequence = (sequences[first.host] ?? 0) + 1
                sequences[first.host] = sequence
                let name = samples.hosts[Int(first.host)].name
                let profile = WindowProfile(
                    host: HostFacts(
                        name: name, agentVersion: agentVersion, kernelRelease: "", onlineCPUs: 0, labels: []),
                    window: first.window, stacks: samples.stacks, series: series, ledger: ledger)
                batches.append(
                    try Batch(
                        encoding: profile, agent: identifier(Array("import host\0\(name)".utf8)), epoch: epoch,
                        sequence: sequence))
                series = []
                count = 0
            }
            while index < slices.count, slices[index].host == first.host, slices[index].window == first.window {
                let slice = slices[index]
                index += 1
                var start = 0
                while start < slice.stacks.nodes.count {
                    if count == rows { try flush() }
                    let end = min(slice.stacks.nodes.count, start + rows - count)
                    let isWhole = start == 0 && end == slice.stacks.nodes.count
                    series.append(
                        Series(
                            key: samples.keys[Int(slice.key)], samplesPerSecond: slice.samplesPerSecond,
                            stacks: StackCounts(
                                nodes: Array(slice.stacks.nodes[start..<end]),
                                counts: Array(slice.stacks.counts[start..<end]),
                                weights: Array(slice.stacks.weights[start..<end])),
                            quality: isWhole ? slice.quality : StackQuality(whole: nil, cut: nil, broken: nil)))
                    count += end - start
                    start = end
                }
            }
            try flush()
        }
        return batches
    }

    private static func identifier(_ bytes: [UInt8]) -> Identifier {
        // A digest has more than the 16 bytes that an identifier needs.
        Identifier(bytes: SHA256.digest(of: bytes)[..<16]) ?? Identifier(high: 0, low: 0)
    }
}
