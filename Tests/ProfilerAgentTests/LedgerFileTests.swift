import Glibc
import Profiles
import Testing

@testable import ProfilerAgent

@Suite struct LedgerFileTests {
    let scratch: Scratch
    let agent = Identifier(high: 1, low: 2)
    let epoch = Identifier(high: 3, low: 4)

    init() throws { scratch = try Scratch() }

    @Test func `counters are read back from the file as they were added`() throws {
        let directory = try PrivateDirectory(scratch.path, create: true)
        let ledger = try LedgerFile(creating: "ledger", in: directory, agent: agent, epoch: epoch)
        ledger.addTaken(10)
        ledger.addTaken()
        ledger.addLateRecords(2)
        ledger.addMissedTicks(3)
        ledger.addThrottledTicks(4)
        for reason in DropReason.allCases { ledger.addDropped(UInt64(reason.index + 1), reason) }
        ledger.raise(.batched, to: 5)
        ledger.raise(.batched, to: 4)
        ledger.raise(.lastSequence, to: 7)
        let page = try #require(try directory.read("ledger", limit: LedgerFile.bytes))
        let account = try #require(LedgerFile.account(in: page))
        #expect(account == ledger.account)
        #expect(account.agent == agent && account.epoch == epoch)
        #expect(account.ledger.taken == 11)
        #expect(account.ledger.lateRecords == 2)
        #expect(account.ledger.missedTicks == 3)
        #expect(account.ledger.throttledTicks == 4)
        #expect(account.ledger.dropped.count == DropReason.allCases.count)
        #expect(account.batched == 5 && account.lastSequence == 7)
    }

    @Test func `every byte of the file has room on the disk before it is mapped`() throws {
        let directory = try PrivateDirectory(scratch.path, create: true)
        _ = try LedgerFile(creating: "ledger", in: directory, agent: agent, epoch: epoch)
        var facts = stat()
        #expect(unsafe stat(scratch.path + "/ledger", &facts) == 0)
        #expect(facts.st_size == LedgerFile.bytes)
        #expect(facts.st_blocks * 512 >= LedgerFile.bytes)
        #expect(facts.st_mode & 0o777 == 0o600)
    }

    @Test func `a flip in the header makes the file nobody's`() throws {
        let directory = try PrivateDirectory(scratch.path, create: true)
        _ = try LedgerFile(creating: "ledger", in: directory, agent: agent, epoch: epoch)
        let page = try #require(try directory.read("ledger", limit: LedgerFile.bytes))
        for bit in 0..<48 * 8 {
            var damaged = page
            damaged[bit / 8] ^= 1 << (bit % 8)
            #expect(LedgerFile.account(in: damaged) == nil, "bit \(bit)")
        }
        for length in 0..<page.count { #expect(LedgerFile.account(in: Array(page[..<length])) == nil) }
    }

    @Test func `what a process added is there after kill -9`() throws {
        let directory = try PrivateDirectory(scratch.path, create: true)
        let ledger = try LedgerFile(creating: "ledger", in: directory, agent: agent, epoch: epoch)
        let child = fork()
        if child == 0 {
            // The child counts in step: drops follow takes, so that at any instant taken is dropped or one more.
            while true {
                ledger.addTaken()
                ledger.addDropped(1, .ringFull)
            }
        }
        #expect(child > 0)
        while ledger.snapshot().taken < 100_000 { usleep(100) }
        kill(child, SIGKILL)
        var status: Int32 = 0
        #expect(unsafe waitpid(child, &status, 0) == child)
        let seen = ledger.snapshot()
        let page = try #require(try directory.read("ledger", limit: LedgerFile.bytes))
        let account = try #require(LedgerFile.account(in: page))
        #expect(account.ledger == seen)
        #expect(seen.taken - seen.droppedTotal <= 1)
    }

    @Test func `what was taken and is neither batched nor dropped is the open window`() {
        var account = EpochAccount(agent: agent, epoch: epoch)
        account.ledger.taken = 100
        account.batched = 60
        account.ledger.dropped = [.ringFull: 5, .tableFull: 4, .spoolFailed: 3, .refused: 50, .spoolFull: 2]
        #expect(account.unbatched == 28)
        account.ledger.taken = 10
        #expect(account.unbatched == 0)
    }
}

@Suite struct AgentIdentityTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test func `an agent keeps its identity, and a copied disk draws another`() throws {
        let directory = try PrivateDirectory(scratch.path + "/spool", create: true)
        try scratch.write("machine-a", "a\n")
        try scratch.write("machine-b", "b\n")
        let first = try AgentIdentity(in: directory, machineIDPath: scratch.path + "/machine-a")
        let again = try AgentIdentity(in: directory, machineIDPath: scratch.path + "/machine-a")
        #expect(first.agent == again.agent && again.formerAgent == nil)
        let copy = try AgentIdentity(in: directory, machineIDPath: scratch.path + "/machine-b")
        #expect(copy.agent != first.agent)
        #expect(copy.formerAgent == first.agent)
        #expect(try AgentIdentity(in: directory, machineIDPath: scratch.path + "/machine-b").agent == copy.agent)
    }

    @Test(arguments: ["", "zz", "0123456789abcdef0123456789abcdef", "\u{0}\u{0}"])
    func `a damaged identity is replaced`(_ content: String) throws {
        let directory = try PrivateDirectory(scratch.path + "/spool", create: true)
        try scratch.write("spool/agent-id", content)
        let identity = try AgentIdentity(in: directory, machineIDPath: "/nonexistent")
        #expect(try AgentIdentity(in: directory, machineIDPath: "/nonexistent").agent == identity.agent)
    }

    @Test func `a second agent is kept out of a spool`() throws {
        let directory = try PrivateDirectory(scratch.path, create: true)
        let lock = try SpoolLock(in: directory)
        #expect(throws: DeliveryError.spoolInUse(path: scratch.path)) { _ = try SpoolLock(in: directory) }
        withExtendedLifetime(lock) {}
    }

    @Test func `links and open directories are refused`() throws {
        try scratch.write("target", "x")
        #expect(unsafe symlink(scratch.path, scratch.path + "/link") == 0)
        #expect(throws: DeliveryError.self) { _ = try PrivateDirectory(scratch.path + "/link", create: true) }
        let directory = try PrivateDirectory(scratch.path + "/spool", create: true)
        #expect(unsafe symlink(scratch.path + "/target", scratch.path + "/spool/agent-id") == 0)
        #expect(throws: DeliveryError.self) { _ = try AgentIdentity(in: directory, machineIDPath: "/x") }
        #expect(unsafe mkdir(scratch.path + "/open", 0o700) == 0)
        #expect(unsafe chmod(scratch.path + "/open", 0o777) == 0)
        #expect(throws: DeliveryError.notPrivate(path: scratch.path + "/open", reason: "may be written by other users"))
        { _ = try PrivateDirectory(scratch.path + "/open", create: true) }
    }
}
