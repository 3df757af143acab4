import Profiles
import Testing
import WireProtocol

@testable import ProfileStore

@Suite struct EmptyWindowTests {
    @Test func `windows without samples are told before and after compaction, those that lost some are not`()
        async throws
    {
        let directory = try TemporaryDirectory()
        let store = try openStore(directory.path, TestClock(morning + 600_000_000_000))
        var generator = SeededGenerator(seed: 5)
        var agent = TestAgent(1)
        func empty(_ place: Int64, length: Int64 = 10, dropped: UInt64 = 0) throws -> CheckedBatch {
            agent.sequence += 1
            agent.ledger.taken += dropped
            if dropped > 0 { agent.ledger.dropped[.ringFull, default: 0] += dropped }
            let start = morning + place * 10_000_000_000
            let full = try agent.window(at: start, using: &generator).batch.windowProfile()
            agent.sequence -= 1
            agent.ledger.taken -= 80
            var profile = full
            (profile.series, profile.stacks, profile.ledger) = ([], StackTable(), agent.ledger)
            profile.window = TimeRange(start: start, end: start + length * 1_000_000_000)
            return try agent.checked(profile, sequence: agent.sequence)
        }
        let batches = [
            try agent.window(at: morning, using: &generator), try empty(1), try empty(2, dropped: 7),
            try agent.window(at: morning + 30_000_000_000, using: &generator), try empty(4, length: 0), try empty(5),
        ]
        #expect(await store.append(batches).allSatisfy { $0 == .stored })
        let host = Host(name: "host-1", agent: agent.id)
        func windows(_ selection: Selection = Selection()) async throws -> [Host: [Int64]] {
            var query = everything(selection)
            query.wantsEmptyWindows = true
            return try await store.samples(query).emptyWindows.mapValues { windows in
                windows.map { ($0.start.nanoseconds - morning.nanoseconds) / 10_000_000_000 }.sorted()
            }
        }
        #expect(try await windows() == [host: [1, 5]])
        #expect(try await store.samples(everything()).emptyWindows.isEmpty)
        #expect(try await windows(Selection(hosts: [NamePattern("!host-*")])) == [:])
        _ = try await store.upkeep(now: morning + 3_600_000_000_000)
        #expect(try await windows() == [host: [1, 5]])
    }
}
