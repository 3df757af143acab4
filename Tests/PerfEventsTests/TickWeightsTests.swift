import Foundation
import PerfEvents
import Testing

/// A CPU clock as the kernel runs it: a grid of ticks from each start of the timer, restarted by a new period.
struct SimulatedClock {
    var now: UInt64 = 1_000_000
    var start: UInt64 = 1_000_000
    var period: UInt64
    var next: UInt64

    init(period: UInt64) {
        self.period = period
        next = start + period
    }

    /// Ticks up to `time`, each late by up to `latency`.
    mutating func run(to time: UInt64, latency: UInt64, using generator: inout some RandomNumberGenerator) -> [UInt64] {
        var ticks: [UInt64] = []
        while next <= time {
            ticks.append(next + (latency > 0 ? UInt64.random(in: 0...latency, using: &generator) : 0))
            next += period
        }
        now = time
        return ticks
    }

    mutating func change(to period: UInt64) {
        self.period = period
        start = now
        next = now + period
    }
}

/// A generator whose seed a failed run prints (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    let seed: UInt64
    private var state: UInt64

    /// From the environment's PERF_FLEET_SEED, else at random.
    init() {
        let given = ProcessInfo.processInfo.environment["PERF_FLEET_SEED"].flatMap { UInt64($0) }
        seed = given ?? UInt64.random(in: .min ... .max)
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }
}

@Suite struct TickWeightsTests {
    @Test func `a sample weighs the period in force at its time`() {
        var weights = TickWeights(period: 100, startedBetween: 0, and: 0)
        #expect(weights.weigh(at: 100) == 100)
        weights.change(to: 50, between: 200, and: 200)
        #expect(weights.weigh(at: 200) == 100)
        #expect(weights.weigh(at: 250) == 50)
    }

    @Test func `the first tick after a change weighs what had elapsed of the old period as well`() {
        var weights = TickWeights(period: 100, startedBetween: 0, and: 0)
        _ = weights.weigh(at: 100)
        weights.change(to: 50, between: 130, and: 130)
        #expect(weights.weigh(at: 180) == 80)
        #expect(weights.weigh(at: 230) == 50)
    }

    @Test func `what had elapsed is lost to an idle first tick`() {
        var weights = TickWeights(period: 100, startedBetween: 0, and: 0)
        _ = weights.weigh(at: 100)
        weights.change(to: 50, between: 130, and: 130)
        #expect(weights.weigh(at: 230) == 50)
    }

    @Test func `ticks that found the CPU idle do not count as elapsed`() {
        var weights = TickWeights(period: 100, startedBetween: 0, and: 0)
        _ = weights.weigh(at: 100)
        weights.change(to: 50, between: 730, and: 730)
        #expect(weights.weigh(at: 780) == 50 + 30)
    }

    @Test func `two changes within one period add up`() {
        var weights = TickWeights(period: 100, startedBetween: 0, and: 0)
        _ = weights.weigh(at: 100)
        weights.change(to: 90, between: 140, and: 140)
        weights.change(to: 110, between: 170, and: 170)
        #expect(weights.weigh(at: 280) == 180)
    }

    @Test func `a restart forgets what had elapsed`() {
        var weights = TickWeights(period: 100, startedBetween: 0, and: 0)
        _ = weights.weigh(at: 100)
        weights.restart(at: 150)
        #expect(weights.weigh(at: 250) == 100)
        #expect(weights.elapsedSinceTick(at: 270) == 20)
    }

    @Test func `a late sample from before the change weighs the old period`() {
        var weights = TickWeights(period: 100, startedBetween: 0, and: 0)
        _ = weights.weigh(at: 100)
        weights.change(to: 50, between: 250, and: 250)
        _ = weights.weigh(at: 300)
        #expect(weights.weigh(at: 200) == 100)
    }

    @Test func `weights of a busy CPU add up to the time, whatever the changes`() {
        var generator = SeededGenerator()
        print("PERF_FLEET_SEED=\(generator.seed)")
        for _ in 0..<200 {
            let mean = UInt64.random(in: 1_000_000...50_000_000, using: &generator)
            let latency = mean / 50
            var clock = SimulatedClock(period: mean)
            var weights = TickWeights(period: mean, startedBetween: clock.now, and: clock.now)
            var last = clock.now
            var total: UInt64 = 0
            for _ in 0..<50 {
                let span = UInt64.random(in: 0...5 * mean, using: &generator)
                for tick in clock.run(to: clock.now + span, latency: latency, using: &generator) {
                    total += weights.weigh(at: tick)
                    last = tick
                }
                // A late tick comes before the change, in the kernel as here.
                clock.now = max(clock.now, last)
                let period = UInt64.random(in: mean * 9 / 10...mean * 11 / 10, using: &generator)
                weights.change(to: period, between: clock.now, and: clock.now)
                clock.change(to: period)
            }
            let elapsed = Double(last - 1_000_000)
            let tolerance = Double(latency) * 60 + 0.001 * elapsed
            #expect(abs(Double(total) - elapsed) <= tolerance)
        }
    }

    @Test func `weights of a half-busy CPU add up to its busy time`() {
        var generator = SeededGenerator()
        print("PERF_FLEET_SEED=\(generator.seed)")
        var clock = SimulatedClock(period: 10_000_000)
        var weights = TickWeights(period: 10_000_000, startedBetween: clock.now, and: clock.now)
        var total: UInt64 = 0
        var busy: UInt64 = 0
        for _ in 0..<20_000 {
            // Idle and busy in turn, of random length, with a change of period somewhere in each tenth.
            for isBusy in [true, false] {
                let span = UInt64.random(in: 1_000_000...29_000_000, using: &generator)
                let ticks = clock.run(to: clock.now + span, latency: 0, using: &generator)
                if isBusy {
                    busy += span
                    for tick in ticks { total += weights.weigh(at: tick) }
                }
            }
            if Int.random(in: 0..<10, using: &generator) == 0 {
                let period = UInt64.random(in: 9_000_000...11_000_000, using: &generator)
                weights.change(to: period, between: clock.now, and: clock.now)
                clock.change(to: period)
            }
        }
        // About 30,000 ticks: one standard deviation is 0.4 %.
        #expect(abs(Double(total) / Double(busy) - 1) < 0.02)
    }
}

@Suite struct MissedTicksTests {
    @Test func `on a CPU that was never idle a missing tick is seen`() {
        var missed = MissedTicks()
        missed.note(time: 0, idle: 7, weighed: 0, period: 10_000_000)
        missed.note(time: 1_000_000_000, idle: 7, weighed: 970_000_000, period: 10_000_000)
        #expect(missed.estimate == 3)
        missed.note(time: 2_000_000_000, idle: 7, weighed: 1_970_000_000, period: 10_000_000)
        #expect(missed.estimate == 3)
    }

    @Test func `chance on a half-busy CPU is not taken for missing ticks`() {
        var generator = SeededGenerator()
        print("PERF_FLEET_SEED=\(generator.seed)")
        for _ in 0..<20 {
            var missed = MissedTicks()
            var weighed: UInt64 = 0
            for second in 0..<600 as Range<UInt64> {
                missed.note(
                    time: second * 1_000_000_000, idle: second * 500_000_000, weighed: weighed, period: 10_000_000)
                for _ in 0..<100 where Bool.random(using: &generator) { weighed += 10_000_000 }
            }
            // A random walk passes three standard deviations now and then, by a little.
            #expect(missed.estimate < 200)
        }
    }

    @Test func `a tenth of the ticks missing on a half-busy CPU is seen`() {
        var missed = MissedTicks()
        for second in 0..<600 as Range<UInt64> {
            missed.note(
                time: second * 1_000_000_000, idle: second * 500_000_000, weighed: second * 450_000_000,
                period: 10_000_000)
        }
        #expect(missed.estimate > 2000 && missed.estimate <= 3000)
    }

    @Test func `ticks that came and were lost by a full ring did not miss`() {
        var missed = MissedTicks()
        var losses = LossAccount()
        missed.note(time: 0, idle: 7, weighed: losses.weigh(period: 10_000_000), period: 10_000_000)
        _ = losses.countSays(40)
        let first = losses.weigh(period: 10_000_000)
        #expect(first == 400_000_000)
        missed.note(time: 1_000_000_000, idle: 7, weighed: 600_000_000 + first, period: 10_000_000)
        // A shorter period weighs what is lost from then on.
        _ = losses.recordSays(50)
        let second = losses.weigh(period: 9_000_000)
        #expect(second == 490_000_000)
        #expect(missed.estimate == 0)
    }

    @Test func `what happens during a pause is not counted`() {
        var missed = MissedTicks()
        missed.note(time: 0, idle: 0, weighed: 0, period: 10_000_000)
        missed.forgetLast()
        missed.note(time: 5_000_000_000, idle: 0, weighed: 0, period: 10_000_000)
        #expect(missed.estimate == 0)
    }
}
