import CLinux
import Foundation
import LinuxSystem
import PerfEvents
import Synchronization
import Testing

/// What `body` returns on a thread that has only these of its capabilities.
private func with<Value: Sendable>(
    _ capabilities: CapabilitySet, _ body: @escaping @Sendable () -> Value
) async -> Value {
    await withCheckedContinuation { continuation in
        Thread.detachNewThread {
            _ = linux_limit_effective_capabilities(capabilities.rawValue)
            continuation.resume(returning: body())
        }
    }
}

extension KernelTests {
    @Suite(.enabled(if: CapabilitySet.effective().contains(.administer), "capabilities can only be given up by root"))
    struct Rights {
        private func failure(_ options: SamplingOptions) -> PerfEventError? {
            do throws(PerfEventError) {
                _ = try Sampler(options)
                return nil
            } catch {
                return error
            }
        }

        @Test(
            .enabled(
                if: (SmallFile.integer("/proc/sys/kernel/perf_event_paranoid") ?? 0) >= 1, "perf_event_paranoid is below 1"))
        func `a refusal names perf_event_paranoid's value and the missing capability`() async throws {
            let error = await with([]) { failure(SamplingOptions()) }
            let text = try #require(error).description
            let paranoid = try #require(SmallFile.integer("/proc/sys/kernel/perf_event_paranoid"))
            #expect(text.contains("perf_event_paranoid is \(paranoid)"))
            #expect(text.contains("CAP_PERFMON"))
        }

        @Test func `CAP_PERFMON alone is enough for the whole host`() async {
            #expect(await with(.performanceMonitoring) { failure(SamplingOptions()) } == nil)
        }

        @Test func `without any right one's own processes are sampled, user frames only`() async {
            let own = SamplingOptions(includeKernel: false, scope: .processes([getpid()]))
            #expect(await with([]) { failure(own) } == nil)
        }

        @Test func `a ring over the limit on locked memory becomes smaller`() async throws {
            let sizes = await with(.performanceMonitoring) { () -> (wasReduced: Bool, bytes: Int)? in
                guard let sampler = try? Sampler(SamplingOptions(samplesPerSecond: 100_000)) else { return nil }
                return (sampler.wasRingReduced, sampler.ringBytesPerCPU)
            }
            let whole = try Sampler(SamplingOptions(samplesPerSecond: 100_000))
            let reduced = try #require(sizes)
            let (wasReduced, bytes) = (whole.wasRingReduced, whole.ringBytesPerCPU)
            #expect(!wasReduced)
            #expect(reduced.wasReduced)
            #expect(reduced.bytes < bytes)
        }

        @Test func `the probe sees the rights`() async {
            let full = SamplingProbe.run()
            #expect(full.wholeHost && full.ownProcesses && full.kernelFrames)
            let none = await with([]) { SamplingProbe.run() }
            #expect(!none.hasPerformanceMonitoring)
            #expect(none.ownProcesses)
            #expect(none.wholeHost == ((none.paranoid ?? 2) <= 0))
        }
    }
}
