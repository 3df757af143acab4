import Analysis
import Profiles
import SampleBuilder
import Testing

private let second: Int64 = 1_000_000_000

private func explained(
    _ samples: SampleSet, by dimension: Dimension? = nil, sort: RankingOrder = .self, delivered: SampleSet? = nil
) -> [(change: Timeline.Change, series: String, explanation: ChangeExplanation)] {
    let symbolizer = NamesByAddress()
    let timeline = NamedProfile(samples, symbolizer: symbolizer).timeline(
        by: dimension, sort: sort, stepNanoseconds: 10 * second, delivered: delivered ?? samples)
    let explanations = timeline.explanations(
        by: dimension, of: samples, symbolizer: symbolizer, filter: FrameFilter(), delivered: delivered ?? samples,
        sort: sort)
    return zip(timeline.changes, explanations).compactMap { change, explanation in
        explanation.map { (change, timeline.series[change.series].name, $0) }
    }
}

/// What happens window by window on some hosts, each a little different from the others and from itself.
private func hosts(
    _ count: Int, windows: Range<Int>, service: String = "web", first: Int = 0, into builder: inout SampleBuilder,
    _ stacks: (Int) -> [(String, UInt64)]
) {
    for host in first..<first + count {
        for window in windows {
            let stacks = stacks(window).enumerated().map { index, stack in
                (stack.0, stack.1 + UInt64((host * 7 + window * 5 + index * 3) % 11))
            }
            builder.add(host: "h\(host)", service: service, window: window, stacks: stacks)
        }
    }
}

@Suite struct ChangeExplanationTests {
    @Test func `the function that grew is told, with its cores, and not those whose share alone shrank`() throws {
        var builder = SampleBuilder()
        hosts(8, windows: 0..<60, into: &builder) { window in
            [
                ("p/t;main;steady", 300), ("p/t;main;other", 200), ("p/t;main;hot;deep", window < 30 ? 100 : 250),
            ]
        }
        let found = explained(builder.samples)
        try #require(found.count == 1)
        let explanation = found[0].explanation
        #expect(explanation.verdict == .functions && explanation.basis == .hosts(8))
        #expect(explanation.hostsBefore == 8 && explanation.hostsAfter == 8)
        let row = try #require(explanation.rows.first)
        #expect(row.name == "deep" && row.movement == .grew && row.isSignificant)
        // 150 samples of 10 ms in 10 s.
        let cores = try #require(row.rates?.delta)
        #expect(cores.low < 0.15 && cores.high > 0.15 && cores.high - cores.low < 0.02)
        #expect(explanation.rows.dropFirst().allSatisfy { $0.movement == .shareOnly })
        let whole = try #require(explanation.deltaCores)
        #expect(abs(whole.value - 0.15) < 0.005 && whole.low > 0.1)
        #expect(abs(try #require(explanation.coresBefore) - 0.615) < 0.005)
    }

    @Test func `segments end at the neighbouring changes of the same series`() throws {
        var builder = SampleBuilder()
        hosts(4, windows: 0..<90, into: &builder) { window in
            [
                ("p/t;main;steady", 300), ("p/t;main;a", window < 30 ? 100 : 250),
                ("p/t;main;b", window < 60 ? 150 : 20),
            ]
        }
        let found = explained(builder.samples)
        try #require(found.count == 2)
        #expect(found.map { $0.explanation.rows.first?.name } == ["a", "b"])
        #expect(found.map { $0.explanation.rows.first?.movement } == [.grew, .shrank])
        let first = try #require(found[0].explanation.rows.first?.rates?.delta)
        #expect(first.low < 0.15 && first.high > 0.15)
    }

    @Test func `of a service its own stacks are compared, of a function all of them`() throws {
        var builder = SampleBuilder()
        hosts(4, windows: 0..<60, service: "web", into: &builder) { window in
            [("p/t;main;w", window < 30 ? 100 : 200), ("p/t;main;rest", 100)]
        }
        hosts(4, windows: 0..<60, service: "db", into: &builder) { _ in [("q/t;main;query", 500)] }
        let services = explained(builder.samples, by: .service)
        try #require(services.map(\.series) == ["web"])
        #expect(services[0].explanation.rows.map(\.name) == ["w", "rest"])
        #expect(abs((services[0].explanation.coresBefore ?? 0) - 0.21) < 0.005)
        let processes = explained(builder.samples, by: .process)
        try #require(processes.map(\.series) == ["p"])
        #expect(processes[0].explanation.rows.map(\.name) == ["w", "rest"])
        let functions = explained(builder.samples, by: .function)
        let own = try #require(functions.first { $0.series == "w" })
        #expect(own.explanation.rows.first?.name == "w")
        #expect(own.explanation.rows.contains { $0.name == "query" && $0.movement == .shareOnly })
    }

    @Test func `a time that was not measured is no change in cores`() throws {
        var builder = SampleBuilder()
        hosts(6, windows: 0..<60, into: &builder) { window in
            [("p/t;main;steady", 300), ("p/t;main;hot", window < 30 ? 100 : 250)]
        }
        // Three hosts are silent for two thirds of what comes before.
        let samples = builder.samples
        var silent = samples
        let start = try #require(samples.range?.start)
        silent.slices = samples.slices.filter { slice in
            let window = (slice.window.start.nanoseconds - start.nanoseconds) / (10 * second)
            return slice.host >= 3 || window < 5 || window >= 25
        }
        let found = explained(silent)
        let explanation = try #require(found.first { $0.change.at > start + 280 * second }?.explanation)
        let hot = try #require(explanation.rows.first { $0.name == "hot" })
        #expect(hot.movement == .grew)
        #expect(abs((explanation.coresBefore ?? 0) - 0.41) < 0.01 && abs((explanation.coresAfter ?? 0) - 0.56) < 0.01)
    }

    @Test func `more hosts of the same load are told as such`() throws {
        var builder = SampleBuilder()
        hosts(6, windows: 0..<60, into: &builder) { _ in [("p/t;main;f", 300), ("p/t;main;g", 100)] }
        hosts(6, windows: 30..<60, first: 6, into: &builder) { _ in [("p/t;main;f", 300), ("p/t;main;g", 100)] }
        let found = explained(builder.samples)
        try #require(found.count == 1)
        let explanation = found[0].explanation
        #expect(explanation.hostsBefore == 6 && explanation.hostsAfter == 12)
        #expect(explanation.verdict == .withinNoise && explanation.rows.isEmpty)
        #expect(abs(explanation.deltaCores?.value ?? 1) < 0.005)
    }

    @Test func `what was not there before has no share to compare`() throws {
        var builder = SampleBuilder()
        hosts(3, windows: 30..<60, service: "new", into: &builder) { _ in [("p/t;main;f", 300)] }
        var delivered = builder
        hosts(3, windows: 0..<60, service: "old", into: &delivered) { _ in [("q/t;main;x", 5)] }
        let samples = filter(delivered.samples, by: Selection(services: [NamePattern("new")]))
        let profile = NamedProfile(samples, symbolizer: NamesByAddress(), range: delivered.samples.range)
        let timeline = profile.timeline(by: nil, stepNanoseconds: 10 * second, delivered: delivered.samples)
        try #require(timeline.changes.count == 1)
        let explanations = timeline.explanations(
            by: nil, of: samples, symbolizer: NamesByAddress(), filter: FrameFilter(), delivered: delivered.samples,
            sort: .self)
        let explanation = try #require(explanations[0])
        #expect(explanation.verdict == .began && explanation.hostsBefore == 0 && explanation.hostsAfter == 3)
        #expect(explanation.rows.isEmpty && explanation.deltaCores == nil)
    }

    @Test func `the largest changes are explained, and the others are left`() {
        var builder = SampleBuilder()
        hosts(2, windows: 0..<(10 * 24), into: &builder) { window in
            let block = window / 10
            return [("p/t;main;f", block % 2 == 0 ? 300 : 500 + UInt64(block) * 20)]
        }
        let symbolizer = NamesByAddress()
        let timeline = NamedProfile(builder.samples, symbolizer: symbolizer).timeline(
            by: nil, stepNanoseconds: 10 * second, delivered: builder.samples)
        #expect(timeline.changes.count == 23)
        let explanations = timeline.explanations(
            by: nil, of: builder.samples, symbolizer: symbolizer, filter: FrameFilter(), delivered: builder.samples,
            sort: .self)
        #expect(explanations.count == 23 && explanations.compactMap { $0 }.count == Timeline.mostExplained)
        #expect(explanations[0] == nil && explanations[22] != nil)
    }

    /// Thirty functions on twenty hosts that differ; then all hosts have two fifths more to do.
    @Test func `where the load of all grew alike no function is accused, but rarely`() throws {
        let seed = seedFromEnvironment()
        let rounds = 60
        var (accused, alike, covered) = (0, 0, 0)
        for round in 0..<rounds {
            var fleet = SimulatedFleet(
                shares: SimulatedFleet.shares(30, from: 0.1, to: 0.002), seed: seed &+ UInt64(round) &* 7919)
            fleet.windows = 30
            fleet.samplesPerHost = 9000
            let machines = fleet.machines(20)
            let before = fleet.sample(machines)
            fleet.samplesPerHost *= 1.4
            let after = fleet.sample(machines, firstWindow: 30)
            let found = explained(SamplePair(base: before, against: after).samples)
            guard found.count == 1 else { continue }
            let explanation = found[0].explanation
            if explanation.significantCount > 0 { accused += 1 }
            if explanation.verdict == .alike { alike += 1 }
            // Per host 1.4 times as much, by the mean of the machines' sizes.
            if let delta = explanation.deltaCores, let cores = explanation.coresBefore,
                delta.low <= 0.4 * cores, delta.high >= 0.4 * cores
            {
                covered += 1
            }
        }
        // 5 in 100 is the rate of a comparison without a change; four standard errors more.
        let allowed = 0.05 * Double(rounds) + 4 * (0.05 * Double(rounds)).squareRoot()
        #expect(Double(accused) <= allowed, "\(accused) of \(rounds), seed \(seed)")
        #expect(alike + accused >= rounds - 3, "\(alike) alike, \(accused) accused, seed \(seed)")
        #expect(covered >= rounds - 8, "\(covered) of \(rounds), seed \(seed)")
    }

    /// One function of thirty takes half as much again, which the fleet's load shows.
    @Test func `a planted function is found at its change`() throws {
        let seed = seedFromEnvironment()
        let rounds = 30
        var (first, sound) = (0, 0)
        for round in 0..<rounds {
            var fleet = SimulatedFleet(
                shares: SimulatedFleet.shares(30, from: 0.1, to: 0.002), seed: seed &+ UInt64(round) &* 104_729)
            fleet.windows = 30
            fleet.samplesPerHost = 60_000
            let machines = fleet.machines(20)
            let before = fleet.sample(machines)
            // f0 has a tenth; what it takes more is more work altogether.
            fleet.samplesPerHost *= 1.05
            var changes: [Int: Double] = [:]
            for function in 0..<30 { changes[function] = (function == 0 ? 1.5 : 1) / 1.05 }
            let after = fleet.sample(machines, changes: changes, firstWindow: 30)
            let found = explained(SamplePair(base: before, against: after).samples)
            guard let explanation = found.first?.explanation, found.count == 1, let row = explanation.rows.first else {
                continue
            }
            if row.name == "f0" && row.movement == .grew { first += 1 }
            if explanation.rows.dropFirst().allSatisfy({ $0.movement != .grew }) { sound += 1 }
        }
        #expect(first >= rounds - 2, "\(first) of \(rounds), seed \(seed)")
        #expect(sound >= rounds - 4, "\(sound) of \(rounds), seed \(seed)")
    }
}
