import ProfileStore
import Profiles
import Testing
import WireProtocol

@Suite struct AppendTests {
    @Test func `a batch that is stored is there after the store is opened again, and in answers`() async throws {
        let directory = try TemporaryDirectory()
        let clock = TestClock(morning)
        var generator = SeededGenerator()
        var agent = TestAgent(1)
        var batches: [CheckedBatch] = []
        for window in 0..<5 {
            batches.append(try agent.window(at: morning + Int64(window) * 10_000_000_000, using: &generator))
        }
        do {
            let store = try openStore(directory.path, clock)
            #expect(await store.append(batches) == Array(repeating: .stored, count: 5))
        }
        let store = try openStore(directory.path, clock)
        #expect(await store.lastStoredSequence(agent: agent.id, epoch: agent.epoch) == 5)
        #expect(facts(try await store.samples(everything())) == (try facts(of: batches)))
    }

    @Test func `writing a batch again changes nothing, in one commit or another`() async throws {
        let directory = try TemporaryDirectory()
        let store = try openStore(directory.path, TestClock(morning))
        var generator = SeededGenerator()
        var agent = TestAgent(1)
        let batch = try agent.window(at: morning, using: &generator)
        #expect(await store.append([batch, batch]) == [.stored, .alreadyStored])
        #expect(await store.append([batch]) == [.alreadyStored])
        #expect(facts(try await store.samples(everything())) == (try facts(of: [batch])))
        #expect(try await store.agents().map(\.stored) == [80])
    }

    @Test func `the same name with another digest is kept under a name of its own and counted`() async throws {
        let directory = try TemporaryDirectory()
        let store = try openStore(directory.path, TestClock(morning))
        var generator = SeededGenerator()
        var agent = TestAgent(1)
        var twin = agent
        let batch = try agent.window(at: morning, using: &generator)
        let other = try twin.window(at: morning, stacks: 9, using: &generator)
        // A twin's window may belong to another day's file.
        var third = TestAgent(1)
        let tomorrow = try third.window(at: morning + 50_000_000_000_000, using: &generator)
        #expect(await store.append([batch]) == [.stored])
        #expect(await store.append([other, tomorrow]) == [.storedAsConflict, .storedAsConflict])
        #expect(await store.append([tomorrow, other, batch]) == Array(repeating: .alreadyStored, count: 3))
        let account = try #require(try await store.agents().first)
        #expect(account.conflictBatches == 2)
        #expect(account.conflictSamples == 160)
        #expect(account.stored == 80)
        #expect(account.taken == account.stored + account.pending + account.dropped.values.reduce(0, +))
        #expect(facts(try await store.samples(everything())) == (try facts(of: [batch, other, tomorrow])))
    }

    @Test func `batches outside what is kept are told so, and nothing else suffers`() async throws {
        let directory = try TemporaryDirectory()
        let store = try openStore(directory.path, TestClock(morning))
        var generator = SeededGenerator()
        var agent = TestAgent(1)
        let day: Int64 = 86_400_000_000_000
        let old = try agent.window(at: morning + -15 * day, using: &generator)
        let good = try agent.window(at: morning, using: &generator)
        let future = try agent.window(at: morning + 2 * day, using: &generator)
        #expect(await store.append([old, good, future]) == [.expired, .stored, .inFuture])
        #expect(facts(try await store.samples(everything())) == (try facts(of: [good])))
    }

    @Test func `many appends at once are all stored, each once`() async throws {
        let directory = try TemporaryDirectory()
        let store = try openStore(directory.path, TestClock(morning))
        var generator = SeededGenerator()
        var all: [[CheckedBatch]] = []
        for number in 0..<20 {
            var agent = TestAgent(UInt64(number))
            var batches: [CheckedBatch] = []
            for window in 0..<10 {
                batches.append(
                    try agent.window(at: morning + Int64(window) * 10_000_000_000, samples: 5, using: &generator))
            }
            all.append(batches)
        }
        await withTaskGroup(of: Void.self) { group in
            for batches in all {
                group.addTask {
                    for batch in batches {
                        let outcome = await store.append([batch])
                        #expect(outcome == [.stored] || outcome == [.alreadyStored])
                    }
                }
                group.addTask { _ = await store.append(batches) }
            }
        }
        #expect(facts(try await store.samples(everything())) == (try facts(of: all.flatMap(\.self))))
        #expect(try await store.agents().allSatisfy { $0.stored == 100 && $0.conflictBatches == 0 })
    }

    @Test func `an account adds up: taken is stored, pending and dropped, over all epochs`() async throws {
        let directory = try TemporaryDirectory()
        let store = try openStore(directory.path, TestClock(morning))
        var generator = SeededGenerator()
        var first = TestAgent(7, host: "alpha")
        first.ledger.taken = 30
        first.ledger.dropped = [.ringFull: 30]
        var second = TestAgent(7, host: "alpha")
        second.epoch = Identifier(high: 3, low: 3)
        second.ledger.taken = 11
        let batches = [
            try first.window(at: morning, using: &generator),
            try second.window(at: morning + 10_000_000_000, using: &generator),
        ]
        _ = await store.append(batches)
        let account = try #require(try await store.agents().first)
        #expect(account.taken == 80 + 30 + 80 + 11)
        #expect(account.stored == 160)
        #expect(account.pending == 11)
        #expect(account.dropped == [.ringFull: 30])
        #expect(try await store.samples(everything()).dropped == [.ringFull: 30])
    }

    @Test func `a directory serves one store at a time`() async throws {
        let directory = try TemporaryDirectory()
        let store = try openStore(directory.path, TestClock(morning))
        #expect(throws: ProfileStoreError.inUse(path: directory.path)) {
            try openStore(directory.path, TestClock(morning), lockPatience: .milliseconds(150))
        }
        withExtendedLifetime(store) {}
    }
}
