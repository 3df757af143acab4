import Profiles
import Testing
import WireProtocol

@Suite struct BatchTests {
    private let agent = Identifier(high: 1, low: 2)
    private let epoch = Identifier(high: 3, low: 4)

    /// Each series' stacks as text, so that two windows can be compared whatever their indices.
    private func spelled(_ profile: WindowProfile) -> [String: [String: [UInt64]]] {
        var result: [String: [String: [UInt64]]] = [:]
        let table = profile.stacks
        for series in profile.series {
            var rows: [String: [UInt64]] = [:]
            for (row, node) in series.stacks.nodes.enumerated() {
                let stack = table.stack(of: node).map { frame in
                    let name = frame.name == Frame.none ? "" : table.strings[Int(frame.name)]
                    let module = frame.module == Frame.none ? "" : table.modules[Int(frame.module)].name
                    return "\(frame.kind) \(name) \(module) \(frame.address) \(frame.line)"
                }
                rows[stack.joined(separator: ";")] = [series.stacks.counts[row], series.stacks.weights[row]]
            }
            result["\(series.key)"] = rows
        }
        return result
    }

    @Test(arguments: 0..<20) func `a window comes back from its batch as it went in`(seed: UInt64) throws {
        var windows = SampleWindows(seed: seed)
        let window = windows.window(stacks: 1 + Int(seed) * 13)
        let batch = try Batch(encoding: window, agent: agent, epoch: epoch, sequence: 7)
        let back = try batch.windowProfile()
        #expect(spelled(back) == spelled(window))
        #expect(back.host == window.host)
        #expect(back.window == window.window)
        #expect(back.ledger == window.ledger)
        #expect(back.series.map(\.quality) == window.series.map(\.quality))
        #expect(batch.samples == window.sampleCount)
    }

    @Test func `a window without samples is a batch that carries the ledger`() throws {
        var windows = SampleWindows(seed: 1)
        var window = windows.window(stacks: 1)
        window.series = []
        let back = try Batch(encoding: window, agent: agent, epoch: epoch, sequence: 1).windowProfile()
        #expect(back.series.isEmpty)
        #expect(back.stacks.nodes.count == 1)
        #expect(back.ledger == window.ledger)
    }

    @Test func `interpreted, marker and unnamed frames survive the columns`() throws {
        var windows = SampleWindows(seed: 3)
        var window = windows.window(stacks: 1, services: 1)
        var table = StackTable()
        var node = StackTable.root
        let frames = [
            Frame(kind: .process, name: table.intern("p")), Frame(kind: .thread, name: table.intern("t")),
            Frame(kind: .marker, name: table.intern(Frame.truncatedMarker)), Frame(kind: .native),
            Frame(kind: .interpreted, name: table.intern("f"), file: table.intern("/a.py"), line: 12),
            Frame(kind: .kernel, module: table.intern(Module.kernel)),
        ]
        for frame in frames { node = table.intern(parent: node, frame: table.intern(frame)) }
        window.stacks = table
        window.series[0].stacks = StackCounts(nodes: [node], counts: [1], weights: [5])
        let back = try Batch(encoding: window, agent: agent, epoch: epoch, sequence: 1).windowProfile()
        #expect(spelled(back) == spelled(window))
        let stack = back.stacks.stack(of: back.series[0].stacks.nodes[0])
        #expect(stack[4].file != Frame.none)
        #expect(stack[3].module == Frame.none)
    }

    /// Overloaded methods, and methods of one name in several classes, differ in nothing else.
    @Test func `functions made at run time that differ in their file or line alone stay apart`() throws {
        var windows = SampleWindows(seed: 4)
        var window = windows.window(stacks: 1, services: 1)
        var table = StackTable()
        let process = table.intern(Frame(kind: .process, name: table.intern("p")))
        let thread = table.intern(Frame(kind: .thread, name: table.intern("t")))
        let root = table.intern(parent: table.intern(parent: StackTable.root, frame: process), frame: thread)
        let name = table.intern("T.f")
        let places = [(table.intern("T.java"), UInt32(12)), (table.intern("T.java"), 40), (table.intern("U.java"), 12)]
        let nodes = places.map { file, line in
            let frame = Frame(kind: .jit, name: name, file: file, line: line)
            return table.intern(parent: root, frame: table.intern(frame))
        }
        window.stacks = table
        window.series[0].stacks = StackCounts(nodes: nodes, counts: [1, 2, 3], weights: [5, 10, 15])
        let back = try Batch(encoding: window, agent: agent, epoch: epoch, sequence: 1).windowProfile()
        #expect(spelled(back) == spelled(window))
        let lines = back.series[0].stacks.nodes.map { back.stacks.stack(of: $0).last?.line }
        #expect(Set(lines) == [12, 40])
        #expect(back.stacks.frames.count == 5)
    }

    @Test func `the same window makes the same digest and another one a different digest`() throws {
        var windows = SampleWindows(seed: 5)
        let window = windows.window(stacks: 50)
        let one = try Batch(encoding: window, agent: agent, epoch: epoch, sequence: 1)
        let again = try Batch(encoding: window, agent: agent, epoch: epoch, sequence: 1)
        let other = try Batch(encoding: windows.window(stacks: 50), agent: agent, epoch: epoch, sequence: 1)
        #expect(one == again)
        #expect(one.name.digest != other.name.digest)
    }

    @Test func `an envelope that says other than its content is refused`() throws {
        var windows = SampleWindows(seed: 6)
        let batch = try Batch(encoding: windows.window(stacks: 10), agent: agent, epoch: epoch, sequence: 1)
        var moreSamples = batch
        moreSamples.samples += 1
        #expect(throws: WireError.self) { try moreSamples.windowProfile() }
        var otherDigest = batch
        otherDigest.name.digest = Identifier(high: 0, low: 0)
        #expect(throws: WireError.self) { try otherDigest.windowProfile() }
        var shorter = batch
        shorter.expandedBytes -= 1
        #expect(throws: WireError.self) { try shorter.windowProfile() }
        var bomb = batch
        bomb.expandedBytes = 1 << 40
        #expect(throws: WireError.self) { try bomb.windowProfile() }
    }

    @Test func `content with any byte flipped or cut off is refused or a valid window, never a trap`() throws {
        var windows = SampleWindows(seed: 8)
        let batch = try Batch(
            encoding: windows.window(stacks: 6, depth: 5, services: 1), agent: agent, epoch: epoch, sequence: 1)
        let content = try BatchContent.expanded(batch)
        var refused = 0
        for index in content.indices {
            for bit in [0, 3, 7] {
                var bytes = content
                bytes[index] ^= 1 << UInt8(bit)
                if (try? BatchContent.window(of: bytes)) == nil { refused += 1 }
            }
            if (try? BatchContent.window(of: Array(content[..<index]))) == nil { refused += 1 }
        }
        #expect(refused > content.count)
    }
}
