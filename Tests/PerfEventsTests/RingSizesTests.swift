import LinuxSystem
import PerfEvents
import Testing

@Suite struct RingSizesTests {
    @Test(arguments: [(20.0, 16), (100, 16), (1000, 128), (10_000, 1024), (100_000, 8192)])
    func `a ring holds a quarter of a second of the largest records, in a power of two of pages`(
        rate: Double, pages: Int
    ) {
        let sizes = RingSizes(samplesPerSecond: rate, recordBytes: 1072, pageBytes: 4096)
        #expect(sizes.samplePages == pages)
        #expect(sizes.sideBandPages == 128)
        #expect(Double(sizes.samplePages * 4096) >= 1072 * rate * 0.25 || pages == 8192)
    }

    @Test func `sizes are reduced step by step, the larger first, down to a page each`() {
        var sizes = RingSizes(samplesPerSecond: 100, recordBytes: 1072, pageBytes: 4096)
        var last = sizes.bytes
        while sizes.reduce() {
            #expect(sizes.bytes < last)
            last = sizes.bytes
        }
        #expect(sizes.samplePages == 1)
        #expect(sizes.sideBandPages == 1)
    }
}

extension KernelTests {
    @Suite struct Waiting {
        @Test func `another thread ends a wait`() throws {
            var sampler = try Sampler(SamplingOptions(samplesPerSecond: 1))
            let waker = sampler.waker
            waker.wake()
            let reason = sampler.wait(upTo: .seconds(20))
            #expect(reason == .signal)
            let next = sampler.wait(upTo: .milliseconds(1))
            #expect(next == .timeout)
        }

        @Test func `a ring filled to its watermark ends a wait`() throws {
            var sampler = try Sampler(SamplingOptions(samplesPerSecond: 10_000, maximumCallChain: 1))
            let load = BusyThread(cpu: sampler.openCPUs.last ?? 0)
            defer { load.stop() }
            sampler.start()
            let reason = sampler.wait(upTo: .seconds(20))
            #expect(reason == .ring)
        }

        @Test(arguments: [0, -1, .nan, .infinity, 100_001]) func `an impossible rate is refused`(rate: Double) {
            let failure = #expect(throws: PerfEventError.self) {
                _ = try Sampler(SamplingOptions(samplesPerSecond: rate))
            }
            #expect(failure?.description.contains("at most 100000") == true)
        }
    }
}
