import Analysis
import Glibc
import Profiles
import SampleBuilder
import Testing

/// TEST_SEED, else a random one; tests print it when they fail.
func seedFromEnvironment() -> UInt64 {
    if let text = unsafe getenv("TEST_SEED"), let seed = unsafe UInt64(String(cString: text)) { return seed }
    return UInt64.random(in: 0...UInt64.max)
}

// Expectations by scipy: binomtest(k, n).proportion_ci(method='wilson').
@Test(arguments: [
    (30.0, 100.0, 0.21894885294932764, 0.39584854633346667),
    (0.0, 50.0, 0.0, 0.07134759913335872),
    (50.0, 50.0, 0.9286524008666412, 1.0),
    (1.0, 10.0, 0.017876213095072896, 0.4041500267952385),
    (999.0, 100000.0, 0.009392164345982404, 0.010625481272611228),
])
func `Wilson's interval is what scipy says`(hits: Double, samples: Double, low: Double, high: Double) {
    let share = Share.wilson(hits / samples, effectiveSamples: samples)
    #expect(abs(share.low - low) < 1e-12)
    #expect(abs(share.high - high) < 1e-12)
}

private func profile(_ counts: [(host: String, window: Int, hits: UInt64, others: UInt64)]) -> NamedProfile {
    var builder = SampleBuilder()
    for slice in counts {
        builder.add(
            host: slice.host, window: slice.window,
            stacks: [("p/t;main;f", slice.hits), ("p/t;main;g", slice.others)].filter { $0.1 > 0 })
    }
    return NamedProfile(builder.samples, symbolizer: NamesByAddress())
}

private func share(of name: String, in profile: NamedProfile) -> Share? {
    profile.ranking(by: .function).rows.first { $0.name == name }?.selfShare
}

@Test func `the interval over hosts is the textbook's ratio estimator`() throws {
    // Four hosts of equal weight with shares 0.1, 0.2, 0.3, 0.4: R = 0.25, var(R) = s²/k = (0.05/3)/4,
    // logit ± t(0.975, 3) · sqrt(var)/(R(1−R)).
    let profile = profile((1...4).map { ("h\($0)", 0, UInt64($0) * 1000, 10_000 - UInt64($0) * 1000) })
    #expect(profile.intervalBasis == .hosts(4))
    let found = try #require(share(of: "f", in: profile))
    let reach = 3.1824463052837078 * (0.05 / 12).squareRoot() / (0.25 * 0.75)
    let logit = log(0.25 / 0.75)
    #expect(abs(found.value - 0.25) < 1e-12)
    #expect(abs(found.low - 1 / (1 + exp(-(logit - reach)))) < 1e-9)
    #expect(abs(found.high - 1 / (1 + exp(-(logit + reach)))) < 1e-9)
}

@Test func `an interval is never narrower than Wilson's on the samples`() throws {
    let agreeing = profile((1...6).map { ("h\($0)", 0, 3, 7) })
    let found = try #require(share(of: "f", in: agreeing))
    let wilson = Share.wilson(0.3, effectiveSamples: 60)
    #expect(abs(found.low - wilson.low) < 1e-12)
    #expect(abs(found.high - wilson.high) < 1e-12)
}

@Test func `on one host the interval stands on blocks of time, and on samples alone where these are few`() throws {
    let steady = profile((0..<90).map { ("h", $0, 300, 700) })
    #expect(steady.intervalBasis == .time(blocks: 20))
    let phases = profile((0..<90).map { ("h", $0, $0 < 45 ? 600 : 1, $0 < 45 ? 400 : 999) })
    let steadyShare = try #require(share(of: "f", in: steady))
    let phasedShare = try #require(share(of: "f", in: phases))
    #expect(phasedShare.high - phasedShare.low > 8 * (steadyShare.high - steadyShare.low))
    let short = profile((0..<3).map { ("h", $0, 300, 700) })
    #expect(short.intervalBasis == .samples)
    #expect(short.intervalBasis.word == "time")
    #expect(share(of: "f", in: short) == Share.wilson(0.3, effectiveSamples: 3000))
}

@Test func `hosts are given, not drawn, where they are the rows`() {
    let profile = profile((0..<12).flatMap { [("a", $0, 100, 0), ("b", $0, 100, 200)] })
    #expect(profile.intervalBasis == .hosts(2))
    let ranking = profile.ranking(by: .host)
    #expect(ranking.basis == .time(blocks: 12))
    #expect(ranking.rows.map(\.name) == ["b", "a"])
    #expect(ranking.rows[0].totalShare.high < 0.8)
}

@Test func `samples of unequal weight count as fewer`() {
    var builder = SampleBuilder()
    builder.add(["p/t;f": 100])
    builder.period = 1000 * builder.period
    builder.add(["p/t;g": 1])
    let row = NamedProfile(builder.samples, symbolizer: NamesByAddress()).ranking(by: .function).rows[1]
    #expect(row.selfShare.high > 0.7)
}

/// Hosts whose true share of `f` varies around 0.2, of unequal size; how often the interval holds the true share?
@Test(arguments: [4, 12]) func `95 % intervals over hosts hold the truth about 95 times in 100`(hosts: Int) {
    let seed = seedFromEnvironment()
    var generator = SeededGenerator(seed: seed)
    func normal() -> Double {
        (-2 * log(Double.random(in: 1e-12..<1, using: &generator))).squareRoot()
            * cos(2 * Double.pi * Double.random(in: 0..<1, using: &generator))
    }
    var held = 0
    let rounds = 1000
    for _ in 0..<rounds {
        var builder = SampleBuilder()
        for host in 0..<hosts {
            let size = UInt64.random(in: 200...600, using: &generator)
            let truth = min(0.9, max(0.01, 0.2 + 0.06 * normal()))
            var hits: UInt64 = 0
            for _ in 0..<size where Double.random(in: 0..<1, using: &generator) < truth { hits += 1 }
            builder.add(host: "h\(host)", stacks: [("p/t;f", hits), ("p/t;g", size - hits)].filter { $0.1 > 0 })
        }
        let profile = NamedProfile(builder.samples, symbolizer: NamesByAddress())
        if let share = share(of: "f", in: profile), share.low <= 0.2, share.high >= 0.2 { held += 1 }
    }
    // 1,000 rounds of 0.95 scatter by 0.007; five times that and what the approximation owes.
    let coverage = Double(held) / Double(rounds)
    #expect(coverage > 0.915 && coverage < 0.99, "coverage \(coverage), seed \(seed)")
}
