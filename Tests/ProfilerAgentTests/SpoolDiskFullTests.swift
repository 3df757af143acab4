import Glibc
import Profiles
import Testing
import WireProtocol

@testable import ProfilerAgent

/// Needs root, for a small tmpfs.
@Suite(.enabled(if: geteuid() == 0, "mounting a small tmpfs needs root"))
final class SpoolDiskFullTests {
    let scratch: Scratch

    struct NoMount: Error { var code: Int32 }

    init() throws {
        scratch = try Scratch()
        guard unsafe mount("tmpfs", scratch.path, "tmpfs", 0, "size=256k,mode=0700") == 0 else {
            throw NoMount(code: errno)
        }
    }

    deinit { unsafe umount2(scratch.path, Int32(MNT_DETACH)) }

    @Test func `on a full disk the oldest go, counted, and more room is used again by itself`() throws {
        let agent = Identifier(high: 1, low: 1)
        let epoch = Identifier(high: 2, low: 2)
        // The limit is far above what the disk holds.
        let spool = try Spool(
            in: PrivateDirectory(scratch.path + "/spool", create: true), agent: agent, account: nil,
            limitBytes: 1 << 20, synchronisation: .everyWindow)
        spool.begin(EpochAccount(agent: agent, epoch: epoch))
        var ledger = Ledger()
        func append(_ sequences: ClosedRange<UInt64>) throws {
            for sequence in sequences {
                ledger.taken += sequence
                let body = [UInt8](repeating: UInt8(truncatingIfNeeded: sequence), count: 3_000)
                try spool.append(
                    Batch(
                        name: BatchName(agent: agent, epoch: epoch, sequence: sequence, digest: agent),
                        window: TimeRange(start: Timestamp(seconds: 0), end: Timestamp(seconds: 10)),
                        samples: sequence, expandedBytes: 1, body: body), ledger: ledger)
            }
        }
        func expectBalance() throws {
            let known = try #require(spool.index.epochs[epoch])
            #expect(ledger.taken == known.stored + spool.index.pendingSamples + known.account.ledger.droppedTotal)
            #expect(known.stored == 0)
        }
        try append(1...300)
        try expectBalance()
        #expect(spool.index.epochs[epoch]?.account.ledger.count(of: .spoolFull) ?? 0 > 0)
        let few = spool.index.batchCount
        #expect(few > 10 && few < 85)
        #expect(unsafe mount(nil, scratch.path, nil, UInt(MS_REMOUNT), "size=2m") == 0)
        try append(301...500)
        try expectBalance()
        #expect(spool.index.batchCount > 2 * few)
        let batches = try spool.takeUnsent(on: 1, limit: 10_000)
        #expect(batches.map(\.name.sequence) == Array((501 - UInt64(batches.count))...500))
    }
}
