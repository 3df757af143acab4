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
    #expect(steady.intervalBasis == .time(blocks: 10))
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
    #expect(ranking.basis == .time(blocks: 10))
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

/// Rows by version, which each host has a mix of, and by zone, which each host is in one of: is the truth held as often?
@Test(arguments: [6, 20]) func `95 % intervals of rows by version and by label hold the truth`(hosts: Int) {
    let seed = seedFromEnvironment()
    var generator = SeededGenerator(seed: seed)
    func poisson(_ mean: Double) -> UInt64 {
        // By exponential gaps.
        var (count, sum) = (UInt64(0), 0.0)
        while true {
            sum -= log(Double.random(in: 1e-12..<1, using: &generator))
            if sum > mean { return count }
            count += 1
        }
    }
    var (byVersion, byZone) = (0, 0)
    let rounds = 400
    for _ in 0..<rounds {
        // A share of version 2 is drawn for each host, around 0.3; zone a is given: every third host.
        var mixed = SampleBuilder()
        var placed = SampleBuilder()
        let inZone = (0..<hosts).count { $0 % 3 == 0 }
        for host in 0..<hosts {
            let size = Double.random(in: 100...300, using: &generator)
            let part = Double.random(in: 0.1...0.5, using: &generator)
            mixed.add(host: "h\(host)", version: "2", stacks: [("p/t;f", max(1, poisson(size * part)))])
            mixed.add(host: "h\(host)", version: "1", stacks: [("p/t;f", max(1, poisson(size * (1 - part))))])
            let zone = Label(name: "zone", value: host % 3 == 0 ? "a" : "b")
            for window in 0..<20 {
                placed.add(host: "h\(host)", labels: [zone], window: window, stacks: [("p/t;f", max(1, poisson(20)))])
            }
        }
        func holds(_ builder: SampleBuilder, _ dimension: Dimension, _ name: String, _ truth: Double) -> Int {
            let ranking = NamedProfile(builder.samples, symbolizer: NamesByAddress()).ranking(by: dimension)
            guard let share = ranking.rows.first(where: { $0.name == name })?.totalShare else { return 0 }
            return share.low <= truth && share.high >= truth ? 1 : 0
        }
        byVersion += holds(mixed, .version, "2", 0.3)
        byZone += holds(placed, .label("zone"), "a", Double(inZone) / Double(hosts))
    }
    // 400 rounds of 0.95 scatter by 0.011; four times that, and what the approximation owes for few hosts.
    for (what, held) in [("version", byVersion), ("zone", byZone)] {
        let coverage = Double(held) / Double(rounds)
        print("\(what), \(hosts) hosts: \(coverage)")
        #expect(coverage > 0.9, "\(what): coverage \(coverage), seed \(seed)")
    }
}

@Test func `rows that are another name for hosts have intervals over time`() {
    var builder = SampleBuilder()
    for window in 0..<10 {
        for host in 0..<4 {
            builder.add(
                host: "h\(host)", service: host < 2 ? "web" : "db", version: "\(host % 2)",
                labels: [
                    Label(name: "zone", value: host < 2 ? "a" : "b"), Label(name: "container", value: "c\(host)"),
                ],
                window: window, ["p/t;f": 3])
            if host == 3 { builder.add(host: "h3", service: "db", version: "0", window: window, ["p/t;f": 1]) }
        }
    }
    let profile = NamedProfile(builder.samples, symbolizer: NamesByAddress())
    #expect(profile.ranking(by: .container).basis == .time(blocks: 10))
    #expect(profile.ranking(by: .service).basis == .time(blocks: 10))
    // One host runs two versions.
    #expect(profile.ranking(by: .version).basis == .hosts(4))
    #expect(profile.ranking(by: .function).basis == .hosts(4))
}
