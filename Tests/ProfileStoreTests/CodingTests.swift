import Profiles
import SymbolTables
import Testing

@testable import ProfileStore

@Suite struct CodingTests {
    @Test func `a block reads back as it was written, and its truncations and flipped bits never crash`() throws {
        var generator = SeededGenerator()
        var block = Block()
        for slice in 0..<20 {
            let rows = Int.random(in: 0..<30, using: &generator)
            let nodes = Set((0..<rows).map { _ in UInt32.random(in: 1..<1000, using: &generator) }).sorted()
            let counts = nodes.map { _ in UInt64.random(in: 1...1 << 40, using: &generator) }
            let weights = nodes.map { _ in UInt64.random(in: 0 ... .max, using: &generator) }
            let stacks = StackCounts(nodes: nodes, counts: counts, weights: weights)
            block.append(
                SliceHead(
                    host: UInt32(slice % 3), series: UInt32(slice / 3),
                    window: TimeRange(
                        start: Timestamp(nanoseconds: Int64.random(in: 0...1 << 60, using: &generator)),
                        end: Timestamp(nanoseconds: 1 << 61)),
                    samplesPerSecond: 99.5, quality: StackQuality(whole: 3, cut: nil, broken: UInt64.max),
                    rows: nodes.count, samples: stacks.sampleCount, weight: stacks.totalWeight), stacks)
        }
        let heads = block.encodedHeads
        let rows = block.encodedRows
        #expect(try Block.decodeHeads(heads) == block.heads)
        #expect(try Block(heads: block.heads, rows: rows, nodeLimit: 1000) == block)
        for length in 0..<heads.count {
            #expect(throws: (any Error).self) { try Block.decodeHeads(Array(heads[..<length])) }
        }
        for length in 0..<rows.count {
            #expect(throws: (any Error).self) {
                try Block(heads: block.heads, rows: Array(rows[..<length]), nodeLimit: 1000)
            }
        }
        for _ in 0..<2000 {
            var damaged = rows
            damaged[Int.random(in: 0..<rows.count, using: &generator)] ^=
                1 << UInt8.random(in: 0..<8, using: &generator)
            if let read = try? Block(heads: block.heads, rows: damaged, nodeLimit: 1000) {
                #expect(read.nodes.allSatisfy { $0 < 1000 })
            }
            var damagedHeads = heads
            damagedHeads[Int.random(in: 0..<heads.count, using: &generator)] ^=
                1 << UInt8.random(in: 0..<8, using: &generator)
            if let read = try? Block.decodeHeads(damagedHeads) {
                _ = try? Block(heads: read, rows: rows, nodeLimit: 1000)
            }
        }
    }

    @Test func `a dictionary grows by segments to the same table`() throws {
        var generator = SeededGenerator()
        var table = StackTable()
        var read = StackTable()
        for _ in 0..<5 {
            let extent = TableExtent(table)
            for _ in 0..<50 {
                let name = table.intern("f\(Int.random(in: 0..<200, using: &generator))")
                let module = table.intern(
                    Module(identity: ModuleIdentity(kind: .buildID, bytes: [1, UInt8(name % 7)]), name: "m\(name % 7)"))
                let frame = table.intern(
                    Frame(
                        kind: name % 2 == 0 ? .kernel : .native, name: name % 2 == 0 ? name : Frame.none,
                        module: name % 2 == 0 ? Frame.none : module, file: Frame.none, line: name,
                        address: UInt64.random(in: 0 ... .max, using: &generator)))
                let parent = UInt32.random(in: 0..<UInt32(table.nodes.count), using: &generator)
                _ = table.intern(parent: parent, frame: frame)
            }
            let bytes = DictionarySegment.encode(table, after: extent)
            for length in 0..<bytes.count where length % 7 == 0 {
                var copy = read
                #expect(throws: SegmentError.self) {
                    try DictionarySegment.decode(Array(bytes[..<length]), into: &copy)
                }
            }
            for _ in 0..<500 {
                var damaged = bytes
                damaged[Int.random(in: 0..<bytes.count, using: &generator)] ^=
                    1 << UInt8.random(in: 0..<8, using: &generator)
                var copy = read
                try? DictionarySegment.decode(damaged, into: &copy)
            }
            try DictionarySegment.decode(bytes, into: &read)
            #expect(read.strings == table.strings)
            #expect(read.modules == table.modules)
            #expect(read.frames == table.frames)
            #expect(read.nodes == table.nodes)
        }
    }

    @Test func `random bytes are refused or read back the same, in every format`() {
        var generator = SeededGenerator()
        for _ in 0..<3000 {
            let count = Int.random(in: 0..<60, using: &generator)
            let bytes = (0..<count).map { _ in
                // Small numbers most of the time: large ones are refused at the first count.
                UInt8.random(in: 0...(Bool.random(using: &generator) ? 4 : 255), using: &generator)
            }
            #expect(StoredFormats.problem(reading: bytes) == nil, "\(bytes)")
        }
    }

    @Test func `ranges of sequences are a set`() throws {
        var generator = SeededGenerator()
        var ranges = SequenceRanges()
        var set: Set<UInt64> = []
        for _ in 0..<500 {
            let value = UInt64.random(in: 1...120, using: &generator)
            ranges.insert(value)
            set.insert(value)
            #expect((1...121).allSatisfy { ranges.contains($0) == set.contains($0) })
            var contiguous: UInt64 = 0
            while set.contains(contiguous + 1) { contiguous += 1 }
            #expect(ranges.contiguous == contiguous)
            #expect(try SequenceRanges(decoding: ranges.encoded) == ranges)
        }
    }

    @Test func `a better symbol table replaces a poorer one, and the first of equals stays`() async throws {
        let directory = try TemporaryDirectory()
        let store = try openStore(directory.path, TestClock(morning))
        let module = ModuleIdentity(kind: .buildID, bytes: [1, 2, 3])
        let sender = Identifier(high: 9, low: 9)
        func table(_ quality: SymbolQuality, _ name: String) throws -> [UInt8] {
            var builder = SymbolTableBuilder(quality: quality, loadSegments: [])
            let found = builder.index(ofName: Array(name.utf8))
            let index = try #require(found)
            _ = builder.add(0x1000, 0x2000, name: index)
            return try builder.finish().encoded()
        }
        #expect(try await store.modulesWithoutTable(among: [module, .name]) == [module])
        for (quality, name, expected) in [
            (SymbolQuality.dynamicSymbols, "exported", "exported"), (.dynamicSymbols, "other", "exported"),
            (.symbols, "all", "all"), (.dynamicSymbols, "late", "all"), (.symbols, "another", "all"),
        ] {
            try await store.storeSymbolTable(
                try table(quality, name), quality: quality, of: module, from: sender, at: morning)
            let tables = try await store.symbolTables(for: [module])
            #expect(tables[module]?.lookUp(0x1234)?.name == expected)
        }
        #expect(try await store.modulesWithoutTable(among: [module]) == [])
        try await store.revokeSymbolTables(from: sender)
        #expect(try await store.modulesWithoutTable(among: [module]) == [module])
    }
}
