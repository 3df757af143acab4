import AllocationCount
import Profiles
import Testing
import Unwinding

@testable import ProfilerAgent

private let kernel = UInt64(bitPattern: -128)
private let user = UInt64(bitPattern: -512)

@Suite struct WindowTableTests {
    private var space: AddressSpace {
        var space = AddressSpace()
        _ = space.map(CodeMapping(start: 0x1000, end: 0x2000, fileOffset: 0x400, file: 3))
        return space
    }

    private func window(depth: Int = 1024, nodes: Int = 10_000) -> WindowTable {
        WindowTable(maximumNodes: nodes, maximumDepth: depth)
    }

    private func frames(_ window: WindowTable, _ cell: Int = 0) -> [Frame] {
        window.stacks.stack(of: window.cells[cell].node)
    }

    @discardableResult
    private func add(_ window: inout WindowTable, _ chain: [UInt64], isFull: Bool = false, slot: UInt32 = 0) -> Bool {
        var stack = SampledStack()
        stack.begin(kernelFramesOf: chain.span, isFull: isFull)
        stack.addUserFrames(of: chain.span, space: space, slot: slot)
        return window.add(slot: slot, processName: 1, threadName: 2, stack: stack, weight: 10)
    }

    private let head = [Frame(kind: .process, name: 1), Frame(kind: .thread, name: 2)]

    @Test func `return addresses move into the call, the leaf does not`() {
        var window = window()
        add(&window, [user, 0x1800, 0x1700, 0x1600])
        #expect(
            frames(window) == head + [
                Frame(kind: .native, module: 3, address: 0x9FF), Frame(kind: .native, module: 3, address: 0xAFF),
                Frame(kind: .native, module: 3, address: 0xC00),
            ])
    }

    @Test func `beneath kernel frames the first user frame does not move either`() {
        var window = window()
        add(&window, [kernel, 0xFFFF_8000_0000_0010, 0xFFFF_8000_0000_0020, user, 0x1800, 0x1700])
        #expect(
            frames(window) == head + [
                Frame(kind: .native, module: 3, address: 0xAFF), Frame(kind: .native, module: 3, address: 0xC00),
                Frame(kind: .kernel, address: 0xFFFF_8000_0000_001F),
                Frame(kind: .kernel, address: 0xFFFF_8000_0000_0010),
            ])
    }

    @Test func `a return address at a mapping's end belongs to that mapping`() {
        var window = window()
        add(&window, [user, 0x1800, 0x2000, 0x1000])
        #expect(
            frames(window).suffix(3) == [
                // Moved back it lies before the mapping: an address that nothing holds.
                Frame(kind: .native, address: 0xFFF), Frame(kind: .native, module: 3, address: 0x13FF),
                Frame(kind: .native, module: 3, address: 0xC00),
            ])
    }

    @Test func `a full chain ends in the marker at its root and counts as cut`() {
        var window = window()
        add(&window, [user, 0x1800], isFull: true, slot: 4)
        #expect(frames(window)[2].kind == .marker)
        #expect(window.tallies.map(\.cut) == [0, 0, 0, 0, 1])
    }

    @Test func `depth keeps the frames nearest to the leaf and marks the cut`() {
        var window = window(depth: 2)
        add(&window, [kernel, 0xFFFF_8000_0000_0010, user, 0x1800, 0x1700])
        #expect(
            frames(window) == head + [
                Frame(kind: .marker), Frame(kind: .native, module: 3, address: 0xC00),
                Frame(kind: .kernel, address: 0xFFFF_8000_0000_0010),
            ])
        #expect(window.tallies.map(\.cut) == [1])
    }

    @Test func `a stack says how it ended: whole, cut, broken with the reason, or not known`() {
        var window = window()
        var stack = SampledStack()
        for (slot, end) in [StackEnd.whole, .cut, .broken(.outsideCode), .unknown].enumerated() {
            stack.begin(kernelFramesOf: [kernel, 0xFFFF_8000_0000_0010].span, isFull: false)
            stack.end = end
            _ = window.add(slot: UInt32(slot), processName: 1, threadName: 2, stack: stack, weight: 1)
        }
        #expect(
            window.tallies.map(\.quality) == [
                StackQuality(whole: 1, cut: 0, broken: 0), StackQuality(whole: 0, cut: 1, broken: 0),
                StackQuality(whole: 0, cut: 0, broken: 1), StackQuality(whole: nil, cut: 0, broken: nil),
            ])
        let markers = (0..<4).map { cell in
            frames(window, cell).first { $0.kind == .marker }.map { StackMarker(code: $0.address).text }
        }
        #expect(markers == [nil, "[truncated]", "[broken: return address outside code]", nil])
    }

    @Test func `code without a file keeps its own address and the process that it belongs to`() {
        var space = AddressSpace()
        _ = space.map(
            CodeMapping(start: 0x5000, end: 0x6000, fileOffset: 0, file: MappedFileTable.anonymousFile))
        var stack = SampledStack()
        stack.addUserFrames(of: [user, 0x5800].span, space: space, slot: 9)
        #expect(stack.frames == [Frame(kind: .jit, line: 9, address: 0x5800)])
    }

    @Test func `a sample without a chain is its thread`() {
        var window = window()
        add(&window, [])
        #expect(frames(window) == head)
        #expect(window.samples == 1 && window.weight == 10)
    }

    @Test func `counts and weights of equal stacks add up, processes apart`() {
        var window = window()
        for _ in 0..<3 { add(&window, [user, 0x1800]) }
        add(&window, [user, 0x1800], slot: 1)
        #expect(window.cells.map(\.count) == [3, 1] && window.cells.map(\.weight) == [30, 10])
    }

    @Test func `a window without room refuses and counts, and nothing else changes`() {
        var window = window(nodes: 8)
        let first = add(&window, [user, 0x1800])
        let second = add(&window, [user, 0x1810, 0x1820, 0x1830])
        #expect(first && !second)
        #expect(window.refused == 1 && window.samples == 1 && window.stacks.nodes.count == 4)
    }

    @Test func `chains of random words never trap and lose no sample`() {
        var generator = SeededGenerator.forTests()
        var window = window(depth: 5)
        for _ in 0..<2000 {
            let chain = (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: kernel
                case 1: user
                case 2: UInt64(bitPattern: Int64.random(in: -4095...2, using: &generator))
                default: UInt64.random(in: 0...0x3000, using: &generator)
                }
            }
            add(&window, chain)
        }
        #expect(window.samples + window.refused == 2000)
        #expect(window.cells.reduce(0) { $0 + $1.count } == window.samples)
    }

    @Test func `a thousand samples of known stacks allocate nothing`() {
        var window = window()
        let space = space
        var stack = SampledStack()
        let chains: [[UInt64]] = (0..<50).map { number in
            [kernel, 0xFFFF_8000_0000_0010 + UInt64(number), user] + (0..<20).map { 0x1100 + UInt64($0 * 16 + number) }
        }
        func round() {
            for index in 0..<1000 {
                let chain = chains[index % 50]
                stack.begin(kernelFramesOf: chain.span, isFull: false)
                stack.addUserFrames(of: chain.span, space: space, slot: 0)
                _ = window.add(slot: UInt32(index % 7), processName: 1, threadName: 2, stack: stack, weight: 10)
            }
        }
        round()
        let before = allocation_count()
        round()
        #expect(allocation_count() - before == 0)
        #expect(window.samples == 2000)
    }
}
