import Analysis
import Profiles
import SampleBuilder

/// What `diff` proves on simulated fleets whose truth is known.
func evidenceBenchmark(_ report: inout Report) {
    coverage(&report)
    falseAlarms(&report)
    power(&report)
}

/// What `compare-hosts` proves there.
func oddHostsBenchmark(_ report: inout Report) {
    likeHosts(&report)
    oneInAThousand(&report)
    twoOfEight(&report)
}

private let symbolizer = NoNames()

private struct NoNames: Symbolizer, Sendable {
    func frames(at address: UInt64, in module: Module) -> [NamedFrame] { [] }
}

private func difference(_ base: SampleSet, _ against: SampleSet, _ options: DifferenceOptions) -> Difference {
    Difference(ProfilePair(SamplePair(base: base, against: against), symbolizer: symbolizer), options: options)
}

/// One simulated pair of selections: the same hosts at two times, or other hosts.
private func pair(
    _ fleet: inout SimulatedFleet, hosts: Int, paired: Bool, changes: [Int: Double] = [:]
) -> (SampleSet, SampleSet) {
    let machines = fleet.machines(hosts)
    let others = paired ? machines : fleet.machines(hosts, prefix: "o")
    return (fleet.sample(machines), fleet.sample(others, changes: changes, firstWindow: 1))
}

/// How often do intervals on a difference hold the true one?
private func coverage(_ report: inout Report) {
    for (hosts, rounds) in [(5, 400), (20, 200), (100, 100), (1000, 12)] {
        for (name, paired, heavy) in [
            ("paired", true, false), ("other hosts", false, false), ("paired, heavy tails", true, true),
        ] {
            var held = 0
            var all = 0
            for round in 0..<report.size(rounds, smoke: 1) {
                var fleet = SimulatedFleet(
                    shares: [0.2] + SimulatedFleet.shares(40, from: 0.05, to: 0.0001), seed: UInt64(round * 7 + hosts))
                fleet.hasHeavyTails = heavy
                fleet.timeSpread = 0.1
                fleet.samplesPerHost = 40_000 / Double(min(hosts, 20))
                let changes = [0: 1.2, 5: 0.7, 20: 1.5]
                let (base, against) = pair(&fleet, hosts: hosts, paired: paired, changes: changes)
                let rows = difference(base, against, DifferenceOptions(sort: .self, limit: 1000)).rows
                let samples = Double(hosts) * fleet.samplesPerHost
                for row in rows where row.name.hasPrefix("f") {
                    guard let function = Int(row.name.dropFirst()), fleet.shares[function] * samples >= 20 else {
                        continue
                    }
                    let truth = fleet.shares[function] * ((changes[function] ?? 1) - 1)
                    all += 1
                    if row.delta.low <= truth && truth <= row.delta.high { held += 1 }
                }
            }
            report.keep(held)
            report.line(
                "\(hosts) hosts, \(name): intervals that hold the truth",
                text(100 * Double(held) / Double(max(1, all)), "%"), "of \(all); 95 ± 1 is the aim")
        }
    }
}

/// How often does a comparison of equal loads call any function changed?
private func falseAlarms(_ report: inout Report) {
    for (hosts, rounds) in [(1, 300), (5, 500), (20, 300), (100, 150), (1000, 20)] {
        for (name, paired, heavy) in [
            ("paired", true, false), ("other hosts", false, false), ("paired, heavy tails", true, true),
            ("other hosts, heavy tails", false, true),
        ] where hosts > 1 || (paired && !heavy) {
            let count = report.size(rounds, smoke: 1)
            var alarms = 0
            var plain = 0
            for round in 0..<count {
                var fleet = SimulatedFleet(
                    shares: SimulatedFleet.shares(200, from: 0.05, to: 0.00005), seed: UInt64(round * 13 + hosts))
                fleet.hasHeavyTails = heavy
                if hosts == 1 {
                    fleet.windows = 90
                    fleet.timeSpread = 0
                }
                fleet.samplesPerHost = 40_000 / Double(min(hosts, 20))
                let (base, against) = pair(&fleet, hosts: hosts, paired: paired)
                let result = difference(base, against, DifferenceOptions(sort: .self, limit: 1000))
                if result.significantCount > 0 { alarms += 1 }
                // As if each sample were a draw of its own, and each function the only one.
                if result.rows.contains(where: { abs($0.delta.value) > 0.002 }) { plain += 1 }
            }
            report.keep(alarms)
            report.line(
                "\(hosts) \(hosts == 1 ? "host" : "hosts"), \(name): equal loads called different",
                text(100 * Double(alarms) / Double(count), "%"),
                "of \(count); at most 5 is the aim; a bar of 0.2 points alarms in \(text(100 * Double(plain) / Double(count), "%"))"
            )
        }
    }
}

/// How often is one function that takes more found, and how often does it stand first where changes are ranked by size?
private func power(_ report: inout Report) {
    for size in [0.005, 0.01, 0.02, 0.05] {
        var found = 0
        var first = 0
        let rounds = report.size(40, smoke: 1)
        for round in 0..<rounds {
            var fleet = SimulatedFleet(
                shares: SimulatedFleet.shares(200, from: 0.05, to: 0.00005), seed: UInt64(round * 17 + 3))
            fleet.samplesPerHost = 200_000
            fleet.timeSpread = 0.01
            let (base, against) = pair(&fleet, hosts: 100, paired: true, changes: [10: 1 + size])
            let rows = difference(base, against, DifferenceOptions(sort: .self, limit: 1000)).rows
            if rows.contains(where: { $0.name == "f10" && $0.isSignificant }) { found += 1 }
            let biggest = rows.filter { $0.name != "rest" }.max { abs($0.delta.value) < abs($1.delta.value) }
            if biggest?.name == "f10" { first += 1 }
        }
        report.keep(found)
        report.line(
            "100 hosts, f10 (3.5 %) takes \(text(size * 100, "%")) more: found",
            text(100 * Double(found) / Double(rounds), "%"),
            "ranked by plain difference it is first in \(text(100 * Double(first) / Double(rounds), "%"))")
    }
}

/// How often is a host called odd where none is?
private func likeHosts(_ report: inout Report) {
    for (hosts, rounds) in [(5, 400), (10, 400), (30, 300), (100, 150), (1000, 25)] {
        for heavy in [false, true] {
            let count = report.size(rounds, smoke: 1)
            var alarms = 0
            for round in 0..<count {
                var fleet = SimulatedFleet(
                    shares: SimulatedFleet.shares(100, from: 0.05, to: 0.0001), seed: UInt64(round * 19 + hosts))
                fleet.hasHeavyTails = heavy
                fleet.samplesPerHost = 3000
                let samples = fleet.sample(fleet.machines(hosts))
                if HostComparison(NamedProfile(samples, symbolizer: symbolizer)).differingCount > 0 { alarms += 1 }
            }
            report.keep(alarms)
            report.line(
                "\(hosts) like hosts\(heavy ? ", heavy tails" : ""): some called odd",
                text(100 * Double(alarms) / Double(count), "%"), "of \(count); at most 5 is the aim")
        }
    }
}

/// How often is the one host that is odd found first?
private func oneInAThousand(_ report: inout Report) {
    for (spread, factor) in [(0.3, 4.0), (0.3, 8), (0.3, 16), (0.05, 2), (0.05, 3), (0.05, 4)] {
        var found = 0
        var heaviest = 0
        let rounds = report.size(20, smoke: 1)
        for round in 0..<rounds {
            var fleet = SimulatedFleet(
                shares: SimulatedFleet.shares(100, from: 0.05, to: 0.0001), seed: UInt64(round * 23 + 1))
            fleet.samplesPerHost = 3000
            fleet.hostSpread = spread
            fleet.timeSpread = min(spread, fleet.timeSpread)
            var machines = fleet.machines(report.size(1000, smoke: 30))
            machines[7].factors[10] = factor
            let profile = NamedProfile(fleet.sample(machines), symbolizer: symbolizer)
            let result = HostComparison(profile, limit: 1000, functionLimit: 1)
            if result.hosts.first?.name == "h7", result.hosts.first?.differs == true { found += 1 }
            let largest = result.hosts.max { $0.distance < $1.distance }
            if largest?.name == "h7" { heaviest += 1 }
        }
        report.keep(found)
        report.line(
            "one in 1,000 (functions differ by \(text(spread * 100, "%")) anyway) spends \(text(factor, "")) times as "
                + "much in f10 (2.5 %): found",
            text(100 * Double(found) / Double(rounds), "%"),
            "ranked by plain distance it is first in \(text(100 * Double(heaviest) / Double(rounds), "%"))")
    }
}

/// How often are the two of eight hosts found on which one function takes a fifth longer?
private func twoOfEight(_ report: inout Report) {
    for samples in [3000.0, 10_000, 30_000, 100_000] {
        var found = 0
        let rounds = report.size(200, smoke: 1)
        for round in 0..<rounds {
            var fleet = SimulatedFleet(shares: [0.2, 0.3, 0.45], seed: UInt64(round * 29 + 1))
            fleet.samplesPerHost = samples
            fleet.hostSpread = 0.01
            fleet.timeSpread = 0.01
            var machines = fleet.machines(8)
            for odd in [2, 5] { machines[odd].factors[0] = 1.2 }
            let result = HostComparison(NamedProfile(fleet.sample(machines), symbolizer: symbolizer))
            let odd = result.hosts.filter(\.differs).map(\.name)
            if Set(odd) == ["h2", "h5"] { found += 1 }
        }
        report.keep(found)
        report.line(
            "two of 8 hosts take 20 % longer in a function of 20 %, \(Int(samples)) samples each: both found, no other",
            text(100 * Double(found) / Double(rounds), "%"))
    }
}

/// What comparisons cost, from samples in memory.
func comparisonsBenchmark(_ report: inout Report) {
    var fleet = SimulatedFleet(shares: SimulatedFleet.shares(2000, from: 0.01, to: 0.00001), seed: 5)
    fleet.samplesPerHost = 20_000
    let hosts = report.size(1000, smoke: 10)
    let machines = fleet.machines(hosts)
    let base = fleet.sample(machines), against = fleet.sample(machines, firstWindow: 1)
    var pair = SamplePair(base: SampleSet(), against: SampleSet())
    let merging = leastThreadSeconds(of: 3) { pair = SamplePair(base: base, against: against) }
    var profiles = ProfilePair(pair, symbolizer: symbolizer)
    let naming = leastThreadSeconds(of: 3) { profiles = ProfilePair(pair, symbolizer: symbolizer) }
    var result = Difference(profiles)
    let comparing = leastThreadSeconds(of: 3) { result = Difference(profiles) }
    report.keep(result.testedCount)
    report.line("diff of 2 × \(hosts) hosts, 2,000 functions: merge", text(merging * 1e3, "ms"))
    report.line("diff: name", text(naming * 1e3, "ms"))
    report.line("diff: compare", text(comparing * 1e3, "ms"))

    let profile = NamedProfile(base, symbolizer: symbolizer)
    var hostsCompared = HostComparison(profile)
    let odd = leastThreadSeconds(of: 3) { hostsCompared = HostComparison(profile) }
    report.keep(hostsCompared.differingCount)
    report.line("compare-hosts, \(hosts) hosts, 2,000 functions", text(odd * 1e3, "ms"), ofLimit(odd, 1, "s"))
    let tree = DifferenceTree(profiles)
    let nodes = leastThreadSeconds(of: 3) { report.keep(tree.movements(of: profiles).count) }
    report.line("differential flame graph: test the nodes", text(nodes * 1e3, "ms"))

    var service = SimulatedFleet(shares: SimulatedFleet.shares(400, from: 0.03, to: 0.0001), seed: 6)
    service.windows = report.size(8640, smoke: 20)
    service.samplesPerHost = Double(service.windows) * 50
    let machinesOfService = service.machines(10)
    let first = service.sample(machinesOfService)
    let second = service.sample(machinesOfService, firstWindow: service.windows)
    let days = leastThreadSeconds(of: 3) {
        result = Difference(ProfilePair(SamplePair(base: first, against: second), symbolizer: symbolizer))
    }
    report.keep(result.testedCount)
    report.line(
        "diff of two days of a service, 10 hosts, \(first.slices.count) slices each", text(days * 1e3, "ms"),
        ofLimit(days, 0.3, "s"))
}
