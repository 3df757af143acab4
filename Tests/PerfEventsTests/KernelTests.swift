import Foundation
import LinuxSystem
import PerfEvents
import Testing

/// What sampling the whole host needs; the tests are skipped where it isn't allowed.
let canSampleHost = SamplingProbe.run().wholeHost

/// Runs a sampler for some time, draining ten times a second.
func sample(
    _ options: SamplingOptions, seconds: Double, periodChangeInterval: ClosedRange<UInt64>? = nil
) throws -> (records: RecordCollector, missedTicks: [UInt64]) {
    var sampler = try Sampler(
        options, periodChangeInterval: periodChangeInterval ?? 3_000_000_000...5_000_000_000)
    var collector = RecordCollector()
    sampler.start()
    let end = Clocks.monotonic() + UInt64(seconds * 1e9)
    while Clocks.monotonic() < end {
        _ = sampler.wait(upTo: .milliseconds(100))
        sampler.drain(into: &collector)
    }
    sampler.drainAll(into: &collector)
    let last = sampler.openCPUs.last ?? 0
    return (collector, (0...last).map { sampler.missedTicks(cpu: $0) })
}

/// Tests against the running kernel, one after another: they feel each other's load.
@Suite(.serialized, .enabled(if: canSampleHost, "sampling the whole host is not allowed here"))
enum KernelTests {}

extension KernelTests {
    @Suite struct Weights {
        /// The truth: between the first and the last tick of a CPU that is never idle lies exactly the time that the ticks
        /// after the first stand for. Periods change five times as often as they do in earnest.
        @Test(arguments: [(20.0, 8.0), (100, 5), (1000, 4)])
        func `weights on a fully busy CPU add up to the time elapsed within a half percent`(
            rate: Double, seconds: Double
        ) throws {
            let cpu = try #require(CPUList.online()?.last)
            let thread = BusyThread(cpu: cpu)
            defer { thread.stop() }
            let (records, missedTicks) = try sample(
                SamplingOptions(samplesPerSecond: rate), seconds: seconds, periodChangeInterval: 600_000_000...1_000_000_000)
            let samples = records.samples.filter { $0.cpu == cpu }
            let first = try #require(samples.first)
            let last = try #require(samples.last)
            let elapsed = Double(last.time - first.time)
            let missed = Double(missedTicks[cpu])
            let weight = Double(samples.dropFirst().reduce(0) { $0 + $1.weight })
            print("\(rate) Hz: weights \(weight / elapsed) of elapsed, missed \(missed), lost \(records.lost)")
            #expect(elapsed > 0.9e9 * seconds)
            #expect(abs(weight + missed * 1e9 / rate - elapsed) <= 0.005 * elapsed)
            #expect(weight >= 0.95 * elapsed)
            // Where the weight differs from the one before, the period was changed in between: that sample must stand for
            // the whole time since the one before. (A busy neighbour may delay a tick or two; a lost part shows in all.)
            var changes = 0
            var kept = 0
            for (before, sample) in zip(samples, samples.dropFirst()).dropFirst() where sample.weight != before.weight {
                // The sample behind a change weighs less again.
                guard sample.weight > UInt64(0.9e9 / rate) else { continue }
                changes += 1
                let elapsed = Double(sample.time - before.time)
                if abs(elapsed - Double(sample.weight)) <= max(0.1e9 / rate, 300_000) { kept += 1 }
            }
            #expect(changes >= Int(seconds))
            #expect(kept * 5 >= changes * 4)
        }
    }
}
