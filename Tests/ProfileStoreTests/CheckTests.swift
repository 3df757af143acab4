import GRDB
import Profiles
import Synchronization
import Testing

@testable import ProfileStore

@Suite struct CheckTests {
    @Test func `a sound store is said to be sound`() async throws {
        let directory = try await store { _ in }
        let report = try StoreCheck.run(directory: directory.path)
        #expect(report.problems == [])
        #expect(report.contents.contains { $0.contains("24 batches (12 not compacted, 0 conflicts), 1920 samples") })
    }

    @Test(arguments: [
        "UPDATE block SET rows = zeroblob(length(rows)) WHERE id = 1",
        "UPDATE block SET samples = samples + 1 WHERE id = 1",
        "UPDATE coverage SET weight = weight - 1 WHERE id = 1",
        "DELETE FROM block WHERE id = 2",
        "DELETE FROM body WHERE row = 24",
        "UPDATE body SET checksum = checksum + 1 WHERE row = 24",
        "UPDATE epoch SET stored_samples = stored_samples + 1",
        "UPDATE dictionary SET bytes = zeroblob(length(bytes))",
        "DELETE FROM journal WHERE row = 3",
    ])
    func `what was changed behind the store's back is found`(sql: String) async throws {
        let directory = try await store { partition in
            try partition.file.write("damaging") { database in try database.execute(sql: sql) }
        }
        #expect(try !StoreCheck.run(directory: directory.path).isSound)
    }

    /// Two minutes compacted, two not.
    private func store(_ damage: (Partition) throws -> Void) async throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        var generator = SeededGenerator(seed: 1)
        var agent = TestAgent(1)
        let store = try openStore(directory.path, TestClock(morning))
        for window in 0..<24 {
            let batch = try agent.window(at: morning + Int64(window) * 10_000_000_000, using: &generator)
            _ = await store.append([batch])
        }
        _ = try await store.upkeep(now: morning + 120_000_000_000 + 90_000_000_000)
        for partition in store.state.withLock({ Array($0.partitions.values) }) { try damage(partition) }
        return directory
    }
}
