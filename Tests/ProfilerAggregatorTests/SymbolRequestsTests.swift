import Profiles
import Testing

@testable import ProfilerAggregator

@Suite struct SymbolRequestsTests {
    private let now = ContinuousClock.now
    private func module(_ number: UInt8) -> Module {
        Module(identity: ModuleIdentity(kind: .buildID, bytes: [number]), name: "m\(number)")
    }

    @Test func `a module is asked of one agent, and of the next when that one has none, is gone, or waits too long`() {
        var requests = SymbolRequests()
        #expect(requests.offer([module(1)], from: 1, at: now) == [1: [module(1)]])
        #expect(requests.offer([module(1)], from: 2, at: now) == [:])
        #expect(requests.offer([module(1)], from: 3, at: now) == [:])
        #expect(requests.failed(module(1).identity, by: 1, at: now) == [2: [module(1)]])
        #expect(requests.disconnected(2, at: now) == [3: [module(1)]])
        #expect(requests.offer([module(1)], from: 4, at: now) == [:])
        #expect(requests.expire(at: now + SymbolRequests.patience - .seconds(1)) == [:])
        #expect(requests.expire(at: now + SymbolRequests.patience + .seconds(1)) == [4: [module(1)]])
        #expect(requests.done(module(1).identity, by: 4, at: now) == [:])
        #expect(requests.openCount == 0)
    }

    @Test func `an agent has few modules under way, and gets the next as it answers`() {
        var requests = SymbolRequests()
        let modules = (0..<20).map { module(UInt8($0)) }
        var wanted = requests.offer(modules, from: 1, at: now)[1] ?? []
        #expect(wanted.count == SymbolRequests.perConnection)
        var seen = wanted
        while let first = wanted.first {
            wanted.removeFirst()
            let more = requests.done(first.identity, by: 1, at: now)[1] ?? []
            wanted += more
            seen += more
        }
        #expect(seen == modules)
        #expect(requests.openCount == 0)
    }

    @Test func `a table that comes late from an agent that was given up still counts`() {
        var requests = SymbolRequests()
        _ = requests.offer([module(1)], from: 1, at: now)
        _ = requests.offer([module(1)], from: 2, at: now)
        #expect(requests.expire(at: now + SymbolRequests.patience + .seconds(1)) == [2: [module(1)]])
        #expect(requests.done(module(1).identity, by: 1, at: now) == [:])
        #expect(requests.openCount == 0)
        #expect(requests.underWayCount == 0)
    }

    @Test func `an agent that is gone is neither asked nor counted as having refused`() {
        var requests = SymbolRequests()
        _ = requests.offer([module(1)], from: 1, at: now)
        for gone: UInt64 in 2...9 {
            _ = requests.offer([module(1)], from: gone, at: now)
            #expect(requests.disconnected(gone, at: now) == [:])
        }
        #expect(requests.offer([module(1)], from: 10, at: now) == [:])
        #expect(requests.failed(module(1).identity, by: 1, at: now) == [10: [module(1)]])
    }

    @Test func `modules without an identity are not asked for`() {
        var requests = SymbolRequests()
        #expect(requests.offer([.kernel], from: 1, at: now) == [:])
    }
}
