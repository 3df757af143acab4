import PerfEvents
import Testing

@Suite struct ProbeTests {
    @Test func `the probe runs`() {
        print(SamplingProbe.run())
    }
}
