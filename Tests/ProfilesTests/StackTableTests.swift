import Profiles
import Testing

@Suite struct StackTableTests {
    private func native(_ address: UInt64) -> Frame { Frame(kind: .native, module: 0, address: address) }

    @Test func `the same stack interned twice is the same node`() {
        var table = StackTable()
        let frame = table.intern(native(1))
        let first = table.intern(parent: StackTable.root, frame: frame)
        #expect(table.intern(parent: StackTable.root, frame: table.intern(native(1))) == first)
        #expect(table.nodes.count == 2)
    }

    @Test func `a hundred thousand distinct frames and nodes keep their indices through growth`() {
        var table = StackTable()
        var parent = StackTable.root
        var nodes: [UInt32] = []
        for address in 0..<100_000 {
            let node = table.intern(parent: parent, frame: table.intern(native(UInt64(address))))
            nodes.append(node)
            parent = address % 50 == 49 ? StackTable.root : node
        }
        #expect(table.frames.count == 100_000)
        #expect(Set(nodes).count == 100_000)
        for address in stride(from: 0, to: 100_000, by: 997) {
            #expect(table.stack(of: nodes[address]).last?.address == UInt64(address))
            #expect(table.stack(of: nodes[address]).count == address % 50 + 1)
        }
    }

    @Test func `merging translates strings, modules and frames and adds nothing twice`() {
        func sample(_ table: inout StackTable, _ names: [String]) -> UInt32 {
            names.reduce(StackTable.root) { node, name in
                table.intern(parent: node, frame: table.intern(Frame(kind: .kernel, name: table.intern(name))))
            }
        }
        var left = StackTable()
        let shared = sample(&left, ["a", "b"])
        var right = StackTable()
        _ = sample(&right, ["x"])
        let same = sample(&right, ["a", "b"])
        let other = sample(&right, ["a", "c"])
        let map = left.merge(right)
        #expect(map[Int(same)] == shared)
        #expect(left.stack(of: map[Int(other)]).map { left.strings[Int($0.name)] } == ["a", "c"])
        #expect(left.merge(right) == map)
    }

    @Test func `a table that was emptied starts again from the root alone`() {
        var table = StackTable()
        _ = table.intern(parent: StackTable.root, frame: table.intern(native(7)))
        table.removeAll()
        #expect(table.nodes.count == 1)
        #expect(table.frames.isEmpty)
        #expect(table.intern(parent: StackTable.root, frame: table.intern(native(8))) == 1)
    }
}
