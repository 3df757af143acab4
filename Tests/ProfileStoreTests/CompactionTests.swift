import Foundation
import GRDB
import Profiles
import Synchronization
import Testing

@testable import ProfileStore

private let hourLater = morning + 3_600_000_000_000

@Suite struct CompactionTests {
    /// Three agents, four minutes, so that several minutes close.
    private func material(_ generator: inout SeededGenerator) throws -> [CheckedBatch] {
        var batches: [CheckedBatch] = []
        for number in 1...3 {
            var agent = TestAgent(UInt64(number))
            for window in 0..<24 {
                batches.append(
                    try agent.window(at: morning + Int64(window) * 10_000_000_000, samples: 20, using: &generator))
            }
        }
        return batches
    }

    @Test func `answers are the same before and after compaction, and the bodies are gone`() async throws {
        let directory = try TemporaryDirectory()
        let clock = TestClock(morning)
        var generator = SeededGenerator()
        let batches = try material(&generator)
        let store = try openStore(directory.path, clock)
        _ = await store.append(batches)
        let before = try await store.samples(everything())
        let report = try await store.upkeep(now: morning + 3_600_000_000_000)
        #expect(report.compaction.batches == 72)
        // Two services in each of four minutes.
        #expect(report.compaction.blocks == 8)
        let after = try await store.samples(everything())
        #expect(facts(before) == facts(after))
        #expect(facts(after) == (try facts(of: batches)))
        let bodies = try store.state.withLock { $0.partitions }.values.first?.file.read("counting") { database in
            try Int.fetchOne(database, sql: "SELECT count(*) FROM body") ?? -1
        }
        #expect(bodies == 0)
        #expect(await store.append(batches).allSatisfy { $0 == .alreadyStored })
    }

    @Test func `a late batch for a compacted minute makes a further block`() async throws {
        let directory = try TemporaryDirectory()
        var generator = SeededGenerator()
        let batches = try material(&generator)
        let store = try openStore(directory.path, TestClock(morning))
        _ = await store.append(Array(batches.dropLast(30)))
        _ = try await store.upkeep(now: morning + 3_600_000_000_000)
        _ = await store.append(batches)
        let report = try await store.upkeep(now: morning + 3_600_000_000_000)
        #expect(report.compaction.batches == 30)
        #expect(facts(try await store.samples(everything())) == (try facts(of: batches)))
    }

    @Test(arguments: CompactionStep.allCases, [1, 3])
    func `a compactor that fails after any step changes no total`(step: CompactionStep, time: Int) async throws {
        let directory = try TemporaryDirectory()
        var generator = SeededGenerator()
        let batches = try material(&generator)
        let expected = try facts(of: batches)
        let store = try openStore(directory.path, TestClock(morning))
        _ = await store.append(batches)
        let seen = Mutex(0)
        store.stopCompaction { reached in
            guard reached == step else { return }
            let count = seen.withLock { count in
                count += 1
                return count
            }
            if count == time { throw StoppedByTest(step: "\(step)") }
        }
        await #expect(throws: ProfileStoreError.self) { try await store.upkeep(now: hourLater) }
        #expect(facts(try await store.samples(everything())) == expected)
        store.stopCompaction(by: nil)
        _ = try await store.upkeep(now: hourLater)
        #expect(facts(try await store.samples(everything())) == expected)
    }

    @Test(arguments: CompactionStep.allCases, [1, 3])
    func `a compactor that is killed after any step changes no total`(step: CompactionStep, time: Int) async throws {
        let directory = try TemporaryDirectory()
        var generator = SeededGenerator()
        let batches = try material(&generator)
        let expected = try facts(of: batches)
        do {
            let store = try openStore(directory.path, TestClock(morning))
            _ = await store.append(batches)
        }
        let compactor = Process()
        compactor.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "CompactorProgram")
        compactor.arguments = [directory.path, step.rawValue, "\(time)", "\(hourLater.nanoseconds)"]
        try compactor.run()
        compactor.waitUntilExit()
        #expect(compactor.terminationReason == .uncaughtSignal)
        #expect(compactor.terminationStatus == SIGKILL)
        #expect(try StoreCheck.run(directory: directory.path).problems == [])
        let store = try openStore(directory.path, TestClock(morning))
        #expect(facts(try await store.samples(everything())) == expected)
        _ = try await store.upkeep(now: hourLater)
        #expect(facts(try await store.samples(everything())) == expected)
        #expect(try await store.agents().map(\.stored) == [960, 960, 960])
        #expect(await store.append(batches).allSatisfy { $0 == .alreadyStored })
    }

    @Test func `totals by service are those of the stacks`() async throws {
        let directory = try TemporaryDirectory()
        var generator = SeededGenerator()
        let batches = try material(&generator)
        let store = try openStore(directory.path, TestClock(morning))
        _ = await store.append(batches)
        for minute in [3, 60] {
            // Half compacted, then all.
            _ = try await store.upkeep(now: morning + Int64(minute) * 60_000_000_000 + 30_000_000_000)
            var query = everything(Selection(services: [NamePattern("w*")], hosts: [NamePattern("!host-2")]))
            let stacks = try await store.samples(query).samples
            query.detail = .totals
            let totals = try await store.samples(query).samples
            #expect(totals.sampleCount == stacks.sampleCount)
            #expect(totals.totalWeight == stacks.totalWeight)
            #expect(totals.sampleCount == 2 * 24 * 20)
            #expect(Set(totals.keys.map(\.service)) == ["web"])
            #expect(Set(totals.hosts.map(\.name)) == ["host-1", "host-3"])
            query.selection.labels = [LabelPattern("zone=a"), LabelPattern("rack!=7")].compactMap { $0 }
            query.selection.versions = [NamePattern("1")]
            #expect(try await store.samples(query).samples.sampleCount == stacks.sampleCount)
            query.selection.labels = [LabelPattern("zone!=a")].compactMap { $0 }
            #expect(try await store.samples(query).samples.slices.isEmpty)
        }
    }

    @Test func `only windows within the question answer`() async throws {
        let directory = try TemporaryDirectory()
        var generator = SeededGenerator()
        let batches = try material(&generator)
        let store = try openStore(directory.path, TestClock(morning))
        _ = await store.append(batches)
        for _ in 0..<2 {
            let answer = try await store.samples(
                SampleQuery(
                    selection: Selection(),
                    range: TimeRange(start: morning + 55_000_000_000, end: morning + 95_000_000_000)))
            #expect(
                answer.samples.range
                    == TimeRange(start: morning + 60_000_000_000, end: morning + 90_000_000_000))
            #expect(answer.coveredRange == answer.samples.range)
            #expect(answer.samples.sampleCount == 3 * 3 * 40)
            _ = try await store.upkeep(now: morning + 3_600_000_000_000)
        }
    }

    @Test func `a damaged body is listed, and the rest is compacted`() async throws {
        let directory = try TemporaryDirectory()
        var generator = SeededGenerator()
        let batches = try material(&generator)
        do {
            let store = try openStore(directory.path, TestClock(morning))
            _ = await store.append(batches)
            try store.state.withLock { $0.partitions }.values.first?.file.write("damaging") { database in
                try database.execute(sql: "UPDATE body SET bytes = zeroblob(length(bytes)) WHERE row = 7")
            }
            #expect(try await store.samples(everything()).unreadableSamples == 40)
            let report = try await store.upkeep(now: morning + 3_600_000_000_000)
            #expect(report.compaction.damagedBatches == 1)
            #expect(report.compaction.batches == 71)
            #expect(try await store.samples(everything()).samples.sampleCount == 71 * 40)
        }
        let check = try StoreCheck.run(directory: directory.path)
        #expect(check.problems.count == 1)
        #expect(check.problems.first?.contains("journal row 7") == true)
    }
}
