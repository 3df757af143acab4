import Analysis
import Profiles
import SampleBuilder
import Testing

private func difference(
    _ base: SampleBuilder, _ against: SampleBuilder, sort: RankingOrder = .self
) -> Difference {
    difference(base.samples, against.samples, DifferenceOptions(sort: sort, limit: 1000))
}

private func difference(_ base: SampleSet, _ against: SampleSet, _ options: DifferenceOptions) -> Difference {
    Difference(ProfilePair(SamplePair(base: base, against: against), symbolizer: NamesByAddress()), options: options)
}

extension Difference {
    fileprivate func row(_ name: String) -> DifferenceRow? { rows.first { $0.name == name } }
}

// Expectations: the sums of binomial probabilities, by Python's math.comb.
@Test func `few events are tested by the binomial distribution`() {
    #expect(abs(CountTest.conditional(15, 0, fraction: 0.5) - 6.103515625e-05) < 1e-12)
    #expect(abs(CountTest.conditional(2, 28, fraction: 0.25) - 0.02119174136684) < 1e-12)
    #expect(abs(CountTest.conditional(9, 1, fraction: 0.3) - 0.0002873718) < 1e-12)
    #expect(abs(CountTest.conditional(3, 0, fraction: 0.5) - 0.25) < 1e-12)
    #expect(CountTest.conditional(0, 0, fraction: 0.5) == 1)
}

@Test func `many samples are tested by their scores`() {
    // 1,000 and 1,100 of 10,000 each: z = 0.01 / √(0.105 · 0.895 · 2 / 10,000) = 2.30663, p by Python's math.erfc.
    let p = CountTest.pValue(share: 0.11, of: 10_000, against: 0.10, of: 10_000)
    #expect(abs(p - 0.021075189273797767) < 1e-12)
}

@Test func `q-values are Benjamini and Hochberg's`() {
    // The example of their paper of 1995: at a rate of 0.05 four of fifteen are discoveries.
    let pValues = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590,
        1.0,
    ]
    let all = FalseDiscovery(pValues: pValues, attainable: pValues.map { _ in 0 }, rate: 0.05)
    #expect(all.qValues.filter { $0 <= 0.05 }.count == 4)
    #expect(abs(all.qValues[3] - 0.0095 * 15 / 4) < 1e-12)
    #expect(all.qValues[14] == 1)
}

@Test func `tests that can reach nothing don't make the others pay`() {
    let pValues = [0.01, 0.012] + [Double](repeating: 0.3, count: 98)
    let attainable = [0, 0] + [Double](repeating: 0.25, count: 98)
    let found = FalseDiscovery(pValues: pValues, attainable: attainable, rate: 0.05)
    #expect(found.testedCount == 2)
    #expect(abs(found.qValues[1] - 0.012) < 1e-12)
    #expect(found.qValues[2] == 1 && !found.isTested[2])
}

@Test func `hosts on both sides are pairs, and the interval is the paired t-test's`() throws {
    // Four hosts of equal weight whose shares differ by far and grow by 0.010, 0.012, 0.011, 0.015 each.
    var base = SampleBuilder(), against = SampleBuilder()
    base.period = 1000
    against.period = 1000
    let shares = [10_000, 20_000, 30_000, 40_000], growth = [1000, 1200, 1100, 1500]
    for (host, (share, more)) in zip(shares, growth).enumerated() {
        base.add(
            host: "h\(host)",
            stacks: [("p/t;main;f", UInt64(share) * 10), ("p/t;main;g", UInt64(100_000 - share) * 10)])
        against.add(
            host: "h\(host)", window: 1,
            stacks: [("p/t;main;f", UInt64(share + more) * 10), ("p/t;main;g", UInt64(100_000 - share - more) * 10)])
    }
    let found = difference(base, against)
    #expect(found.basis == .hosts(4) && found.pairedUnits == 4)
    let row = try #require(found.row("f"))
    // Mean 0.012, s² = 4.6667e-6; t(0.975, 3) = 3.18245.
    let error = (4.666666666666667e-6 / 4).squareRoot()
    #expect(abs(row.delta.value - 0.012) < 1e-12)
    #expect(abs(row.delta.low - (0.012 - 3.182446305 * error)) < 1e-9)
    #expect(abs(row.pValue - StudentT.twoSidedTail(0.012 / error, degreesOfFreedom: 3)) < 1e-12)
    #expect(row.isSignificant && row.movement == .grew)
    // Unpaired, the same shares are far too different from host to host.
    var others = against.samples
    for index in others.hosts.indices {
        others.hosts[index] = Host(name: "o\(index)", agent: Identifier(high: 9, low: UInt64(index)))
    }
    let unpaired = difference(base.samples, others, DifferenceOptions(sort: .self))
    #expect(unpaired.pairedUnits == 0 && unpaired.significantCount == 0)
}

@Test func `few samples alarm nobody`() throws {
    var base = SampleBuilder(), against = SampleBuilder()
    for host in 0..<10 {
        base.add(host: "h\(host)", ["p/t;main;g": 1000])
        against.add(
            host: "h\(host)", window: 1,
            stacks: [("p/t;main;g", 1000), ("p/t;main;rare", host < 3 ? 1 : 0)].filter { $0.1 > 0 })
    }
    let row = try #require(difference(base, against).row("rare"))
    #expect(!row.isTested && !row.isSignificant && row.qValue == 1 && row.movement == .withinNoise)
    #expect(row.delta.low < 0 && row.delta.high > 0)
}

@Test func `rates, host counts and durations may differ`() throws {
    var base = SampleBuilder(), against = SampleBuilder()
    // 3 hosts at 20 Hz over 10 windows, 6 at 100 Hz over 2: one core each, a quarter of it in f.
    base.period = 50_000_000
    for host in 0..<3 {
        for window in 0..<10 {
            base.add(host: "a\(host)", window: window, rate: 20, ["p/t;main;f": 50, "p/t;main;g": 150])
        }
    }
    for host in 0..<6 {
        for window in 20..<22 {
            against.add(host: "b\(host)", window: window, rate: 100, ["p/t;main;f": 250, "p/t;main;g": 750])
        }
    }
    let found = difference(base, against)
    #expect(found.significantCount == 0)
    let row = try #require(found.row("f"))
    #expect(abs(row.delta.value) < 1e-12)
    let rates = try #require(row.rates)
    #expect(abs(rates.base - 0.25) < 1e-9 && abs(rates.against - 0.25) < 1e-9)
}

@Test func `a function that stays where it was is not red because another shrank`() throws {
    var base = SampleBuilder(), against = SampleBuilder()
    for host in 0..<20 {
        let wobble = UInt64(host % 5)
        base.add(host: "h\(host)", ["p/t;main;steady": 10_000 + wobble, "p/t;main;better": 10_000])
        against.add(host: "h\(host)", window: 1, ["p/t;main;steady": 10_000, "p/t;main;better": 4000 + wobble])
    }
    let found = difference(base, against)
    let steady = try #require(found.row("steady"))
    #expect(steady.isSignificant && steady.delta.value > 0.2)
    #expect(steady.movement == .shareOnly)
    #expect(found.row("better")?.movement == .shrank)
}

@Test func `one host is compared over blocks of its time`() throws {
    var base = SampleBuilder(), against = SampleBuilder()
    for window in 0..<60 {
        base.add(window: window, ["p/t;main;f": 200 + UInt64(window % 7), "p/t;main;g": 800])
        against.add(window: 100 + window, ["p/t;main;f": 300 + UInt64(window % 7), "p/t;main;g": 800])
    }
    let found = difference(base, against)
    #expect(found.basis == .time(blocks: 10))
    #expect(found.row("f")?.isSignificant == true)
    #expect(found.row("main")?.movement == .withinNoise)
}

@Test func `ten times the hosts would do`() throws {
    var fleet = SimulatedFleet(shares: [0.1], seed: 11)
    let few = fleet.machines(10), many = fleet.machines(1000)
    fleet.timeSpread = 0.2
    func power(_ machines: [SimulatedFleet.Machine]) throws -> Power {
        let (base, against) = (fleet.sample(machines), fleet.sample(machines, firstWindow: 1))
        let found = difference(base, against, DifferenceOptions(sort: .self))
        return try #require(found.row("f0")?.power)
    }
    let small = try power(few), large = try power(many)
    let needed = try #require(small.hosts)
    // 0.2·√2 between hosts, 0.01 to be seen, √(k) · 0.01 = 0.028 · (t + 0.84): about 80 hosts.
    #expect(needed > 30 && needed < 250, "\(needed)")
    #expect(large.times < 1 && large.visible < 0.01)
}

@Test(arguments: [(5, true), (20, true), (20, false), (100, true)])
func `equal loads are called different no more often than stated`(hosts: Int, paired: Bool) {
    let seed = seedFromEnvironment()
    let rounds = 200
    var alarms = 0
    for round in 0..<rounds {
        var fleet = SimulatedFleet(
            shares: SimulatedFleet.shares(60, from: 0.05, to: 0.0001), seed: seed &+ UInt64(round))
        fleet.samplesPerHost = 2000
        let machines = fleet.machines(hosts)
        let others = paired ? machines : fleet.machines(hosts, prefix: "o")
        let found = difference(
            fleet.sample(machines), fleet.sample(others, firstWindow: 1), DifferenceOptions(sort: .self, limit: 1))
        if found.significantCount > 0 { alarms += 1 }
    }
    // 200 rounds of 0.05 scatter by 3.1; five times that.
    #expect(alarms <= 26, "\(alarms) of \(rounds), seed \(seed)")
}

@Test(arguments: [(20, true), (20, false), (100, true)])
func `95 % intervals on a change hold the truth about 95 times in 100`(hosts: Int, paired: Bool) {
    let seed = seedFromEnvironment()
    var held = 0, all = 0
    let changes = [0: 1.2, 5: 0.7, 15: 1.5]
    for round in 0..<100 {
        var fleet = SimulatedFleet(
            shares: [0.2] + SimulatedFleet.shares(20, from: 0.05, to: 0.002), seed: seed &+ UInt64(round))
        fleet.timeSpread = 0.1
        let machines = fleet.machines(hosts)
        let others = paired ? machines : fleet.machines(hosts, prefix: "o")
        let found = difference(
            fleet.sample(machines), fleet.sample(others, changes: changes, firstWindow: 1),
            DifferenceOptions(sort: .self, limit: 100))
        for row in found.rows {
            guard row.name.hasPrefix("f"), let function = Int(row.name.dropFirst()) else { continue }
            let truth = fleet.shares[function] * ((changes[function] ?? 1) - 1)
            all += 1
            if row.delta.low <= truth && truth <= row.delta.high { held += 1 }
        }
    }
    let coverage = Double(held) / Double(all)
    #expect(all == 2100 && coverage > 0.92 && coverage < 0.985, "\(coverage), seed \(seed)")
}

@Test func `one per cent more of one function is found on 100 hosts`() {
    let seed = seedFromEnvironment()
    var found = 0
    for round in 0..<10 {
        var fleet = SimulatedFleet(
            shares: SimulatedFleet.shares(100, from: 0.1, to: 0.0001), seed: seed &+ UInt64(round))
        fleet.samplesPerHost = 360_000
        fleet.timeSpread = 0.005
        let machines = fleet.machines(100)
        let result = difference(
            fleet.sample(machines), fleet.sample(machines, changes: [0: 1.01], firstWindow: 1),
            DifferenceOptions(sort: .self, limit: 1000))
        if result.rows.first(where: { $0.name == "f0" })?.movement == .grew { found += 1 }
    }
    #expect(found >= 9, "\(found) of 10, seed \(seed)")
}

@Test func `a function whose cost for each unit of work is the same did not grow with the load`() throws {
    func side(_ window: Int, load: UInt64, slow: UInt64) -> SampleSet {
        var builder = SampleBuilder()
        for host in 0..<8 {
            for step in 0..<6 {
                let noise = UInt64((host * 5 + step * 3 + window) % 7)
                builder.add(
                    host: "h\(host)", window: window + step,
                    stacks: [("p/t;main;steady", 300 * load + noise), ("p/t;main;slow", slow * load + noise)])
            }
        }
        return builder.samples
    }
    // Twice the requests, and one function that takes a third more for each of them.
    let (base, against) = (side(0, load: 1, slow: 300), side(10, load: 2, slow: 400))
    let perHost = difference(base, against, DifferenceOptions(sort: .self))
    #expect(perHost.row("steady")?.rates.map { $0.against > 1.9 * $0.base } == true)
    let perRequest = difference(
        base, against, DifferenceOptions(sort: .self, work: WorkDone(base: 48_000, against: 96_000)))
    // 300 samples of 10 ms for 1,000 requests are 3 ms each; the noise of 0 to 6 adds 0.03.
    let steady = try #require(perRequest.row("steady")), rates = try #require(steady.rates)
    #expect(abs(rates.base - 3.03e6) < 0.02e6 && abs(rates.against - 3.015e6) < 0.02e6)
    #expect(steady.movement == .shareOnly)
    let slow = try #require(perRequest.row("slow"))
    #expect(slow.movement == .grew && slow.rates.map { $0.delta.low > 0.9e6 && $0.delta.high < 1.1e6 } == true)
}

@Test func `a version is measured for the time that its hosts ran it`() throws {
    var base = SampleBuilder(), against = SampleBuilder()
    for host in 0..<4 {
        // One core each: 1.4 for half an hour with f at 10 %, then 1.5 for five minutes with f at 15 %.
        for window in 0..<180 {
            let noise = UInt64((window * 7 + host * 3) % 5)
            base.add(
                host: "h\(host)", version: "1.4", window: window,
                stacks: [("p/t;main;f", 100 + noise), ("p/t;main;g", 900 - noise)])
        }
        for window in 180..<210 {
            let noise = UInt64((window * 7 + host * 3) % 5)
            against.add(
                host: "h\(host)", version: "1.5", window: window,
                stacks: [("p/t;main;f", 150 + noise), ("p/t;main;g", 850 - noise)])
        }
    }
    let all = TimeRange(
        start: base.samples.slices[0].window.start, end: try #require(against.samples.slices.last).window.end)
    let pair = ProfilePair(
        SamplePair(base: base.samples, against: against.samples), symbolizer: NamesByAddress(), baseRange: all,
        againstRange: all)
    let row = try #require(Difference(pair, options: DifferenceOptions(sort: .self)).row("f"))
    let rates = try #require(row.rates)
    #expect(abs(rates.base - 0.102) < 0.003 && abs(rates.against - 0.152) < 0.012, "\(rates)")
    #expect(row.movement == .grew)
}

@Test func `a function whose cores fell did not grow, however large its share is now`() throws {
    func side(_ window: Int, f: UInt64, rest: UInt64) -> SampleSet {
        var builder = SampleBuilder()
        for host in 0..<6 {
            for step in 0..<6 {
                let noise = UInt64((host * 5 + step * 3 + window) % 7)
                builder.add(
                    host: "h\(host)", window: window + step,
                    stacks: [("p/t;main;f", f + noise), ("p/t;main;rest", rest - noise)])
            }
        }
        return builder.samples
    }
    let found = difference(side(0, f: 300, rest: 2700), side(10, f: 240, rest: 960), DifferenceOptions(sort: .self))
    let row = try #require(found.row("f"))
    #expect(row.isSignificant && row.delta.low > 0.08 && row.rates.map { $0.delta.high < 0 } == true)
    #expect(row.movement == .shareOnly)
}
