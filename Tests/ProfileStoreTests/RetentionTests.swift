import Foundation
import Profiles
import Testing
import WireProtocol

@testable import ProfileStore

@Suite struct RetentionTests {
    private let day: Int64 = 86_400_000_000_000

    @Test func `days that are too old go as files, the account stays, and their batches are expired`() async throws {
        let directory = try TemporaryDirectory()
        let clock = TestClock(morning)
        var generator = SeededGenerator()
        var agent = TestAgent(1)
        let old = try agent.window(at: morning, using: &generator)
        let new = try agent.window(at: morning + 10 * day, using: &generator)
        do {
            let store = try openStore(directory.path, clock)
            #expect(await store.append([old]) == [.stored])
            clock.now = morning + 10 * day
            #expect(await store.append([new]) == [.stored])
            clock.now = morning + 15 * day
            let report = try await store.upkeep(now: clock.now)
            #expect(report.retired == ["2026-11-24.000.sqlite"])
        }
        let store = try openStore(directory.path, clock)
        let files = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        #expect(files.filter { $0.hasPrefix("2026-11-24") }.isEmpty)
        #expect(await store.lastStoredSequence(agent: agent.id, epoch: agent.epoch) == 2)
        #expect(try await store.agents().map(\.stored) == [160])
        #expect(await store.append([old]) == [.expired])
        #expect(
            facts(
                try await store.samples(
                    SampleQuery(selection: Selection(), range: TimeRange(start: morning, end: morning + 20 * day))))
                == (try facts(of: [new])))
    }

    @Test func `a file is closed at an eighth of the limit, and the oldest go when all are too large`() async throws {
        let directory = try TemporaryDirectory()
        let clock = TestClock(morning)
        let store = try openStore(directory.path, clock, maximumBytes: 2 << 20)
        var generator = SeededGenerator()
        var agent = TestAgent(1)
        var all: [CheckedBatch] = []
        for window in 0..<250 {
            let batch = try agent.window(
                at: morning + Int64(window) * 10_000_000_000, services: ["a", "b", "c", "d", "e", "f"],
                stacks: 100, samples: 400, using: &generator)
            all.append(batch)
            clock.now = batch.batch.window.end
            #expect(await store.append([batch]) == [.stored])
            if window % 50 == 49 { _ = try await store.upkeep(now: clock.now) }
        }
        let files = try FileManager.default.contentsOfDirectory(atPath: directory.path)
            .filter { $0.hasSuffix(".sqlite") && $0.hasPrefix("2026") }.sorted()
        #expect(files.count > 1)
        #expect(files.first != "2026-11-24.000.sqlite")
        // What was in a file that went is not taken again; what is there still is not stored twice.
        let again = await store.append(all)
        #expect(again.first == .expired)
        #expect(again.last == .alreadyStored)
        #expect(try await store.agents().map(\.stored) == [250 * 2400])
        let figures = try await store.figures()
        #expect(figures.bytes < 4 << 20)
    }

    @Test func `a host whose clock is ahead does not move what is expired past the present`() {
        let epoch = { (end: Int64, received: Int64) -> EpochAccount in
            var account = EpochAccount()
            account.lastWindowEnd = end
            account.lastReceived = received
            return account
        }
        #expect(EpochAccount.lastWindowEnd(in: [epoch(90, 20), epoch(15, 30)]) == 20)
        #expect(EpochAccount.lastWindowEnd(in: [EpochAccount]()) == .min)
    }

    @Test(
        arguments: [
            (0, 0), (59_999_999_999, 0), (60_000_000_000, 1), (-1, -1), (-60_000_000_000, -1), (-60_000_000_001, -2),
            (Int64.min, -153_722_868), (Int64.max, 153_722_867),
        ] as [(Int64, Int64)])
    func `every moment has a minute`(nanoseconds: Int64, minute: Int64) {
        #expect(Partition.minute(of: nanoseconds) == minute)
    }

    @Test func `a day's file that is no database is named, with what to do`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/2026-11-24.000.sqlite"
        try Data(repeating: 0x5A, count: 16_384).write(to: URL(fileURLWithPath: path))
        do {
            _ = try openStore(directory.path, TestClock(morning))
            Issue.record("it was opened")
        } catch let error as ProfileStoreError {
            guard case .damaged(path, _) = error else { Issue.record("\(error)"); return }
            #expect(error.description.contains("perf-aggregator check"))
        }
    }

    @Test(arguments: [
        ("2026-11-24.000.sqlite", 20_781, 0), ("1970-01-01.012.sqlite", 0, 12), ("2000-02-29.000.sqlite", 11_016, 0),
    ])
    func `a file's name says its day and part`(name: String, day: Int64, part: Int) {
        #expect(PartitionName(fileName: name) == PartitionName(day: day, part: part))
        #expect(PartitionName(day: day, part: part).fileName == name)
    }

    @Test(arguments: ["2026-02-30.000.sqlite", "2026-1-1.0.sqlite", "catalog.sqlite", "2026-11-24.000.sqlite-wal"])
    func `other names are no files of the store's`(name: String) {
        #expect(PartitionName(fileName: name) == nil)
    }
}
