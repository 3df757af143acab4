import LinuxSystem
import PerfEvents
import Profiles
import Testing

@testable import ProfilerAgent

/// Real samples of this host; skipped where the kernel allows none.
@Suite(.serialized, .enabled(if: SamplingProbe.run().wholeHost, "needs the right to sample the whole host"))
struct SamplingThreadTests {
    private func plan(_ filter: TargetFilter, rate: Double, window: Duration) -> SamplingPlan {
        SamplingPlan(
            options: SamplingOptions(samplesPerSecond: rate), filter: filter,
            rule: WindowRule(length: window, isAligned: false))
    }

    /// Runs a command from its first instruction to its last and gives the windows and its end.
    private func sample(
        _ arguments: [String], rate: Double
    ) async throws -> (windows: [RawWindow], end: GatedProcess.End, ledger: Ledger) {
        let command = try GatedProcess(arguments: arguments)
        let thread = SamplingThread(plan(.started(command.process), rate: rate, window: .milliseconds(250)))
        try await thread.start()
        let collecting = Task {
            var windows: [RawWindow] = []
            for await window in thread.windows { windows.append(window) }
            return windows
        }
        try command.open()
        var end = try command.end()
        while end == nil {
            try await Task.sleep(for: .milliseconds(5))
            end = try command.end()
        }
        thread.stop()
        await thread.ended()
        let outcome = try #require(thread.outcome)
        return (await collecting.value, try #require(end), outcome.ledger)
    }

    @Test func `hundreds of short children of a script come out with the CPU time that they used`() async throws {
        let script = "i=0; while [ $i -lt 300 ]; do /bin/ls /usr/lib >/dev/null; i=$((i+1)); done; exit 5"
        let rate = 1000.0
        let (windows, end, ledger) = try await sample(["sh", "-c", script], rate: rate)
        #expect(end.exitCode == 5)
        let weight = windows.reduce(UInt64(0)) { $0 + $1.table.weight }
        let samples = windows.reduce(UInt64(0)) { $0 + $1.table.samples }
        // A sample is a draw: five standard deviations, and 5 % for what the kernel's own account rounds.
        let used = Double(end.cpuNanoseconds)
        let tolerance = 5 * (used * 1e9 / rate).squareRoot() + 0.05 * used
        #expect(abs(Double(weight) - used) < tolerance, "sampled \(weight), used \(used), ±\(tolerance)")
        #expect(ledger.taken == samples + ledger.droppedTotal)
        let names = Set(windows.flatMap { window in window.processes.values.map { window.names[$0.name] } })
        #expect(names.contains("ls"))
    }

    @Test func `windows follow each other without a gap`() async throws {
        let (windows, _, _) = try await sample(["sleep", "1.2"], rate: 100)
        #expect(windows.count >= 4)
        for (window, next) in zip(windows, windows.dropFirst()) { #expect(window.range.end == next.range.start) }
    }

    @Test func `a program that can't be executed says why`() throws {
        let command = try GatedProcess(arguments: ["/nonexistent/program"])
        #expect(throws: SystemCallError.self) { try command.open() }
    }
}
