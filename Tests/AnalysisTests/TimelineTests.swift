import Analysis
import Profiles
import SampleBuilder
import Testing

private let second: Int64 = 1_000_000_000

private func timeline(
    _ samples: SampleSet, by dimension: Dimension? = nil, sort: RankingOrder = .self, step: Int64 = 10 * second,
    delivered: SampleSet? = nil, range: TimeRange? = nil
) -> Timeline {
    NamedProfile(samples, symbolizer: NamesByAddress(), range: range).timeline(
        by: dimension, sort: sort, stepNanoseconds: step, delivered: delivered ?? samples)
}

@Suite struct TimelineTests {
    @Test func `rates are CPU seconds per second measured, by step and by what is asked for`() {
        var builder = SampleBuilder()
        // 10 ms a sample, 10 s a window: 500 samples are half a core.
        for window in 0..<6 {
            builder.add(host: "a", service: "web", window: window, ["p/t;main;f": 500])
            builder.add(
                host: "b", service: window < 3 ? "web" : "db", window: window, ["p/t;main;g;f": 100, "p/t;main;g": 150])
        }
        let all = timeline(builder.samples, step: 20 * second)
        #expect(all.series.map(\.name) == ["all"])
        #expect(all.series[0].rates == [0.75e9, 0.75e9, 0.75e9])
        #expect(all.hosts == [2, 2, 2])
        let services = timeline(builder.samples, by: .service)
        #expect(services.series.map(\.name) == ["web", "db"])
        #expect(services.series[0].rates == [0.75e9, 0.75e9, 0.75e9, 0.5e9, 0.5e9, 0.5e9])
        #expect(services.series[1].rates == [0, 0, 0, 0.25e9, 0.25e9, 0.25e9])
        let own = timeline(builder.samples, by: .function, step: 60 * second)
        #expect(own.series.map(\.name) == ["f", "g", "main"])
        #expect(own.series.map { $0.rates } == [[0.6e9], [0.15e9], [0]])
        let total = timeline(builder.samples, by: .function, sort: .total, step: 60 * second)
        #expect(total.series.map(\.name) == ["main", "f", "g"])
        #expect(total.series.map { $0.rates } == [[0.75e9], [0.6e9], [0.25e9]])
    }

    @Test func `what was not measured is not idleness`() {
        var builder = SampleBuilder()
        for window in [0, 1, 4, 5] { builder.add(host: "a", window: window, ["p/t;f": 500]) }
        for window in [0, 1, 5] { builder.add(host: "b", window: window, ["p/t;f": 100]) }
        let ten = timeline(builder.samples)
        #expect(ten.hosts == [2, 2, 0, 0, 1, 2])
        #expect(ten.series[0].rates == [0.6e9, 0.6e9, nil, nil, 0.5e9, 0.6e9])
        // Within a longer step a host's rate is that of the time it was measured for.
        let twenty = timeline(builder.samples, step: 20 * second)
        #expect(twenty.series[0].rates == [0.6e9, nil, 0.6e9])
        // A host that delivered, and nothing of the selection, was idle.
        var delivered = SampleBuilder()
        for window in 0..<6 { delivered.add(host: "a", service: "other", window: window, ["p/t;x": 1]) }
        for window in 0..<6 { delivered.add(host: "b", service: "other", window: window, ["p/t;x": 1]) }
        let idle = timeline(builder.samples, delivered: delivered.samples)
        #expect(idle.series[0].rates == [0.6e9, 0.6e9, 0, 0, 0.5e9, 0.6e9])
    }

    @Test func `a natural step makes about sixty of a range, and never less than a window`() {
        func step(_ seconds: Int64, window: Int64 = 10) -> Int64 {
            let range = TimeRange(start: Timestamp(seconds: 0), end: Timestamp(seconds: seconds))
            return Timeline.naturalStep(range, window: window * second) / second
        }
        #expect(step(900) == 20 && step(60) == 10 && step(3600) == 60 && step(86_400) == 1800)
        #expect(step(60, window: 60) == 60 && step(600 * 86_400) == 10 * 86_400)
    }

    @Test func `a change of level is found where it is, and what it changed`() throws {
        let seed = seedFromEnvironment()
        var random = Noise(seed: seed)
        var builder = SampleBuilder()
        for window in 0..<120 {
            let level: Double = window < 47 ? 300 : window < 90 ? 420 : 300
            builder.add(window: window, ["p/t;f": UInt64(max(0, level + 20 * random.gaussian()))])
        }
        let changes = timeline(builder.samples).changes
        try #require(changes.count == 2, "seed \(seed)")
        let start = try #require(builder.samples.slices.first?.window.start)
        func window(_ change: Timeline.Change) -> Int64 { (change.at.nanoseconds - start.nanoseconds) / (10 * second) }
        #expect(abs(window(changes[0]) - 47) <= 1 && abs(window(changes[1]) - 90) <= 1, "seed \(seed)")
        #expect(abs(changes[0].from / 1e9 - 0.3) < 0.02 && abs(changes[0].to / 1e9 - 0.42) < 0.02, "seed \(seed)")
    }

    /// The stated rate of false alarms, and that drifting load is not taken for changes.
    @Test(arguments: [(60, 0.0, 0.03), (360, 0.0, 0.03), (60, 0.5, 0.03), (360, 0.5, 0.03), (60, 0.7, 0.09)])
    func `a series without a change has none found, but rarely`(count: Int, correlation: Double, rate: Double) {
        let seed = seedFromEnvironment()
        var random = Noise(seed: seed)
        let rounds = 400
        var alarms = 0
        for _ in 0..<rounds {
            var builder = SampleBuilder()
            var value = random.gaussian()
            for window in 0..<count {
                value = correlation * value + (1 - correlation * correlation).squareRoot() * random.gaussian()
                builder.add(window: window, ["p/t;f": UInt64(max(0, 500 + 50 * value))])
            }
            if !timeline(builder.samples).changes.isEmpty { alarms += 1 }
        }
        // Four standard errors of the count.
        let allowed = Double(rounds) * rate + 4 * (Double(rounds) * rate).squareRoot()
        #expect(Double(alarms) <= allowed, "\(alarms) of \(rounds), seed \(seed)")
    }
}

private struct Noise {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    private mutating func uniform() -> Double {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return (Double((bits ^ bits >> 31) >> 11) + 0.5) / 9_007_199_254_740_992
    }

    /// Irwin and Hall: twelve uniform numbers.
    mutating func gaussian() -> Double { (0..<12).reduce(-6.0) { sum, _ in sum + uniform() } }
}
