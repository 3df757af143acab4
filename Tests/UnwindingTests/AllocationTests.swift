import AllocationCount
import Glibc
import Testing
import ToolOutput

@testable import Unwinding

#if DEBUG
private let isOptimized = false
#else
private let isOptimized = true
#endif

@Suite(.serialized) struct AllocationTests {
    private func nanoseconds() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Prints what a sample costs, cold (nothing in the cache) and warm.
    @Test(
        .enabled(if: isOptimized, "only an optimised build allocates as the shipped one does: swift test -c release"),
        .enabled(if: geteuid() == 0 && !output(of: "gdb --version 2>/dev/null").isEmpty, "gdb and root are needed"),
        arguments: RealProgramTests.programs.filter { ["python3", "git", "perl"].contains($0.name) && $0.isHere })
    func `following a stack allocates nothing, with a cold cache or a warm one`(
        program: RealProgramTests.Program
    ) throws {
        let session = try RealProgramTests.stop(program, times: 20)
        let tables = try SessionTables(session)
        try #require(session.captures.count == 20)
        var unwinder = tables.unwinder()
        var frames = 0
        var allocations = allocation_count()
        var start = nanoseconds()
        for capture in session.captures {
            _ = unwinder.unwind(capture, tables)
            frames += unwinder.frames.count
        }
        let cold = nanoseconds() - start
        #expect(allocation_count() == allocations)
        let misses = unwinder.statistics.cacheMisses
        let rounds = 2000
        allocations = allocation_count()
        start = nanoseconds()
        for _ in 0..<rounds {
            for capture in session.captures { _ = unwinder.unwind(capture, tables) }
        }
        let warm = nanoseconds() - start
        #expect(allocation_count() == allocations)
        let samples = session.captures.count
        print(
            "\(program.name): \(frames / samples) frames a sample; cold \(cold / UInt64(samples)) ns a sample, "
                + "\(cold / UInt64(frames)) a frame (\(misses) misses); warm \(warm / UInt64(samples * rounds)) ns a "
                + "sample, \(warm / UInt64(frames * rounds)) a frame")
        #expect(unwinder.statistics.cacheHits > UInt64(rounds * frames / 2))
    }
}
