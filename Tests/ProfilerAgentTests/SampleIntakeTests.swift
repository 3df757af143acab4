import Profiles
import Testing
import WireProtocol

@testable import ProfilerAgent

@Suite struct SampleIntakeTests {
    /// The range of a window that was kept open for so long.
    private func range(closedAfter length: Duration) async throws -> TimeRange {
        let (windows, windowsIn) = AsyncStream<RawWindow>.makeStream(bufferingPolicy: .bufferingOldest(2))
        let (_, questionsIn) = AsyncStream<SamplerQuestion>.makeStream(bufferingPolicy: .bufferingNewest(1))
        var intake = SampleIntake(
            filter: .wholeHost, ledgerFile: nil, samplesPerSecond: 100,
            rule: WindowRule(length: .seconds(10), isAligned: false),
            window: WindowTable(maximumNodes: 4096, maximumDepth: 64), questions: questionsIn, windows: windowsIn,
            spareTables: SpareTables())
        let start = intake.windowEnd - 10_000_000_000
        let isTaken = intake.closeWindow(at: start + UInt64(length.wholeNanoseconds))
        #expect(isTaken)
        var iterator = windows.makeAsyncIterator()
        return try #require(await iterator.next()).range
    }

    @Test func `a window that stayed open too long says of itself what a batch may say`() async throws {
        let range = try await range(closedAfter: .seconds(110))
        #expect(range.end.nanoseconds - range.start.nanoseconds == WireLimits.windowNanoseconds)
    }

    @Test func `a window that grew a little keeps its whole range`() async throws {
        let range = try await range(closedAfter: .seconds(30))
        #expect(range.end.nanoseconds - range.start.nanoseconds == 30_000_000_000)
    }
}
