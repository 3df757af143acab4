import ByteCoding
import Compression
import Profiles
import SymbolTables
import Testing

private func table(_ functions: [(UInt64, UInt64, String)], quality: SymbolQuality = .symbols) -> SymbolTable {
    let segments = [
        LoadSegment(fileOffset: 0, fileSize: 0x1000, virtualAddress: 0x40_0000, isExecutable: false),
        LoadSegment(fileOffset: 0x1000, fileSize: 0x5000, virtualAddress: 0x40_2000, isExecutable: true),
    ]
    var builder = SymbolTableBuilder(quality: quality, loadSegments: segments)
    for (start, end, name) in functions {
        guard let index = builder.index(ofName: Array(name.utf8)) else { continue }
        builder.add(start, end, name: index)
    }
    return builder.finish()
}

private let small = table([(10, 20, "a"), (20, 25, "b::c(int)"), (100, 101, "d"), (200, .max, "a")])

@Suite struct SymbolTableTests {
    @Test(
        arguments: [
            (0, nil), (9, nil), (10, "a"), (19, "a"), (20, "b::c(int)"), (24, "b::c(int)"), (25, nil), (99, nil),
            (100, "d"), (101, nil), (200, "a"), (.max - 1, "a"), (.max, nil),
        ] as [(UInt64, String?)])
    func `an address is looked up to the function that holds it`(address: UInt64, name: String?) throws {
        #expect(small.lookUp(address)?.name == name)
        let decoded = try SymbolTable(decoding: small.encoded())
        #expect(decoded.lookUp(address)?.name == name)
        #expect(decoded.nameIndex(at: address).map { decoded.name($0) } == name)
    }

    @Test func `a table reads back with its quality and segments`() throws {
        let decoded = try SymbolTable(decoding: small.encoded())
        #expect(decoded.quality == .symbols)
        #expect(decoded.loadSegments == small.loadSegments)
        #expect(decoded.rangeCount == 4)
        #expect(decoded.nameCount == 3)
    }

    @Test func `a file offset becomes an address, preferably of code`() {
        #expect(small.loadSegments.address(ofFileOffset: 0x10) == 0x40_0010)
        #expect(small.loadSegments.address(ofFileOffset: 0x1000) == 0x40_2000)
        #expect(small.loadSegments.address(ofFileOffset: 0x6000) == nil)
    }

    @Test func `an empty table knows nothing and is coded all the same`() throws {
        let empty = try SymbolTable(decoding: table([], quality: .none).encoded())
        #expect(empty.lookUp(0) == nil)
        #expect(empty.quality == .none)
    }

    @Test func `ranges that overlap or are empty are not taken, neighbours of one name are joined`() {
        var builder = SymbolTableBuilder(quality: .symbols, loadSegments: [])
        let name = builder.index(ofName: Array("f".utf8)) ?? 9
        var taken: [Bool] = []
        for (start, end, name) in [
            (10, 20, name), (19, 30, name), (20, 20, name), (20, 30, name + 1), (20, 30, name),
        ] as [(UInt64, UInt64, UInt32)] {
            taken.append(builder.add(start, end, name: name))
        }
        #expect(taken == [true, false, false, false, true])
        #expect(builder.finish().rangeCount == 1)
    }

    @Test func `random tables answer as a list of their functions does`() throws {
        let seed = testSeed()
        var generator = SplitMix64(state: seed)
        for _ in 0..<20 {
            var functions: [(UInt64, UInt64, String)] = []
            var position: UInt64 = 0
            for _ in 0..<Int.random(in: 0...300, using: &generator) {
                position += UInt64.random(in: 0...3, using: &generator)
                let end = position + UInt64.random(in: 1...40, using: &generator)
                functions.append((position, end, "f\(UInt8.random(in: 0...200, using: &generator))"))
                position = end
            }
            let decoded = try SymbolTable(decoding: table(functions).encoded())
            for address in 0..<position + 3 {
                let expected = functions.first { $0.0 <= address && address < $0.1 }?.2
                #expect(decoded.lookUp(address)?.name == expected)
            }
        }
    }

    @Test func `a symbolizer names only modules that it has tables of`() {
        let identity = ModuleIdentity(kind: .buildID, bytes: [1, 2, 3])
        let symbolizer = ModuleSymbolizer(tables: [identity: small, .name: small])
        let module = Module(identity: identity, name: "/usr/lib/libx.so.1")
        #expect(
            symbolizer.frames(at: 20, in: module)
                == [NamedFrame(kind: .native, name: "b::c(int)", module: "libx.so.1")])
        #expect(symbolizer.frames(at: 30, in: module).isEmpty)
        #expect(symbolizer.frames(at: 20, in: Module(identity: .name, name: "/usr/lib/libx.so.1")).isEmpty)
    }
}

@Suite struct DamagedSymbolTableTests {
    @Test func `every truncation is refused`() throws {
        let bytes = try small.encoded()
        for length in bytes.indices {
            #expect(throws: SymbolTableError.self) { try SymbolTable(decoding: Array(bytes[..<length])) }
        }
    }

    @Test func `every flipped bit is refused`() throws {
        let bytes = try small.encoded()
        for bit in 0..<bytes.count * 8 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: SymbolTableError.self) { try SymbolTable(decoding: damaged) }
        }
    }

    @Test func `a later version is refused by its number`() throws {
        var bytes = try small.encoded()
        bytes[4] = 2
        #expect(throws: SymbolTableError.unknownVersion(2)) { try SymbolTable(decoding: bytes) }
    }

    @Test func `a part that this version does not know is passed over`() throws {
        let bytes = try encoded(parts(of: small) + part(77, [1, 2, 3]))
        #expect(try SymbolTable(decoding: bytes).lookUp(10)?.name == "a")
    }

    @Test(
        arguments: [
            ([1, 0], [1, 1, 0x61], [1, 0, 0, 0]),  // an empty range
            ([1, 0], [1, 1, 0x61], [1, 0, 1, 2]),  // name 1 of 1
            ([1, 0], [1, 1, 0x61], [1, 0, 1, 1]),  // name -1
            ([1, 0], [1, 2, 0x61], [1, 0, 1, 0]),  // a name longer than the pool
            ([1, 0], [1, 1, 0x61], [3, 0, 1, 0]),  // more ranges than bytes
            ([1, 9], [1, 1, 0x61], [1, 0, 1, 0]),  // segments that are not there
            (
                [1, 0], [1, 1, 0x61],
                [2, 10, 10]  // a range beyond the address space
                    + [255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 1, 0, 0]
            ),
        ] as [([UInt8], [UInt8], [UInt8])])
    func `contradictions behind a right checksum are refused`(
        facts: [UInt8], names: [UInt8], ranges: [UInt8]
    ) throws {
        let bytes = try encoded(part(1, facts) + part(2, names) + part(3, ranges))
        #expect(throws: SymbolTableError.self) { try SymbolTable(decoding: bytes) }
    }

    @Test func `a table beyond the limits is refused`() throws {
        var limits = SymbolTable.Limits()
        limits.expandedBytes = 10
        #expect(throws: SymbolTableError.self) { try SymbolTable(decoding: small.encoded(), limits: limits) }
        limits = SymbolTable.Limits()
        limits.ranges = 3
        #expect(throws: SymbolTableError.self) { try SymbolTable(decoding: small.encoded(), limits: limits) }
    }
}

private func part(_ tag: UInt8, _ body: [UInt8]) -> [UInt8] { [tag, UInt8(body.count)] + body }

private func parts(of table: SymbolTable) throws -> [UInt8] {
    let bytes = try table.encoded()
    return try Zstandard.decompress(Array(bytes[11...]), limit: 1 << 20)
}

/// As `SymbolTable.encoded` frames its parts, which are below 128 bytes here.
private func encoded(_ parts: [UInt8]) throws -> [UInt8] {
    let checked = [UInt8(parts.count)] + (try Zstandard.compress(parts, level: 1))
    var writer = ByteWriter()
    writer.write(Array("PFSY".utf8))
    writer.write(SymbolTable.version)
    writer.write(CRC32C.checksum(checked))
    writer.write(checked)
    return writer.bytes
}
