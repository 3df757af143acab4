import SymbolTables
import Testing

private typealias Frame = SymbolTable.SourceFrame

private func builder() -> SymbolTableBuilder { SymbolTableBuilder(quality: .debugInformation, loadSegments: []) }

private func name(_ text: [UInt8], _ builder: inout SymbolTableBuilder) throws -> UInt32 {
    let index = builder.index(ofName: text)
    return try #require(index)
}

@Suite struct SourceLinesTests {
    @Test func `frames come innermost first, each with its own place`() throws {
        var builder = builder()
        let outer = try name(Array("outer".utf8), &builder)
        let middle = try name(Array("middle".utf8), &builder)
        let inner = try name(Array("inner".utf8), &builder)
        let a = builder.index(ofFile: Array("/a.c".utf8))
        let b = builder.index(ofFile: Array("/b.h".utf8))
        builder.add(100, 200, name: outer)
        let first = builder.addCall(parent: 0, name: middle, file: a, line: 10)
        let second = builder.addCall(parent: first, name: inner, file: b, line: 20)
        builder.addRow(100, inlined: 0, file: a, line: 5)
        builder.addRow(120, inlined: first, file: b, line: 19)
        builder.addRow(130, inlined: second, file: b, line: 30)
        builder.addRow(140, inlined: 0, file: a, line: 11)
        builder.addRow(150, inlined: 0, file: 0, line: 0)
        builder.gaps = [.splitUnits]
        for table in [builder.finish(), try SymbolTable(decoding: builder.finish().encoded())] {
            #expect(table.frames(at: 99).isEmpty)
            #expect(table.frames(at: 119) == [Frame(name: "outer", file: "/a.c", line: 5, isInlined: false)])
            #expect(
                table.frames(at: 139) == [
                    Frame(name: "inner", file: "/b.h", line: 30, isInlined: true),
                    Frame(name: "middle", file: "/b.h", line: 20, isInlined: true),
                    Frame(name: "outer", file: "/a.c", line: 10, isInlined: false),
                ])
            #expect(table.frames(at: 140).map(\.line) == [11])
            #expect(table.frames(at: 150) == [Frame(name: "outer", file: "", line: 0, isInlined: false)])
            #expect(table.frames(at: 200).isEmpty)
            #expect(table.gaps == [.splitUnits])
        }
        let without = try SymbolTable(decoding: builder.finish().withoutLines().encoded())
        #expect(without.frames(at: 139) == [Frame(name: "outer", file: "", line: 0, isInlined: false)])
        #expect(without.gaps == [.splitUnits, .linesTooLarge])
        #expect(without.quality == .symbols)
    }

    @Test func `random rows are found as a list of them finds them`() throws {
        var generator = SplitMix64(state: testSeed())
        for _ in 0..<30 {
            var builder = builder()
            let name = try SymbolTablesTests.name(Array("f".utf8), &builder)
            builder.add(0, 1 << 40, name: name)
            let files = (0..<5).map { builder.index(ofFile: Array("/f\($0)".utf8)) }
            var calls: [UInt32] = [0]
            for _ in 0..<Int.random(in: 0...20, using: &generator) {
                let parent = calls.randomElement(using: &generator) ?? 0
                calls.append(
                    builder.addCall(
                        parent: parent, name: name, file: files[0], line: UInt32.random(in: 0...99, using: &generator)))
            }
            var rows: [(start: UInt64, call: UInt32, file: UInt32, line: UInt32)] = []
            var start = UInt64.random(in: 0...1 << 33, using: &generator)
            for _ in 0..<Int.random(in: 0...200, using: &generator) {
                let row = (
                    start: start, call: calls.randomElement(using: &generator) ?? 0,
                    file: ([0] + files).randomElement(using: &generator) ?? 0,
                    line: UInt32.random(in: 0 ... .max, using: &generator)
                )
                let isTaken = builder.addRow(row.start, inlined: row.call, file: row.file, line: row.line)
                #expect(isTaken)
                rows.append(row)
                start += UInt64.random(in: 1...300, using: &generator)
            }
            let table = builder.finish()
            let decoded = try SymbolTable(decoding: table.encoded())
            for row in rows {
                for address in [row.start, row.start + 1] {
                    let expected = rows.last { $0.start <= address }
                    let frames = decoded.frames(at: address)
                    #expect(frames == table.frames(at: address))
                    if let expected, expected.file > 0 || expected.call > 0 {
                        #expect(frames.first?.line == expected.line)
                        #expect(frames.first?.file == decoded.file(Int(expected.file)))
                        #expect(frames.first?.isInlined == (expected.call > 0))
                    } else {
                        #expect(frames.map(\.line) == [0])
                    }
                }
            }
        }
    }

    @Test func `rows out of order, of files and calls that are not there, are not taken`() {
        var builder = builder()
        let file = builder.index(ofFile: Array("/f".utf8))
        var taken: [Bool] = []
        for (start, call, file) in [
            (10, 0, file), (10, 0, file), (9, 0, file), (11, 1, file), (11, 0, file + 1), (11, 0, file),
        ] as [(UInt64, UInt32, UInt32)] {
            taken.append(builder.addRow(start, inlined: call, file: file, line: UInt32(taken.count)))
        }
        #expect(taken == [true, false, false, false, false, true])
        let unknown = builder.index(ofFile: [])
        #expect(unknown == 0)
    }

    @Test func `calls deeper than the limit are shown as their ancestor`() throws {
        var builder = builder()
        let name = try SymbolTablesTests.name([0x66], &builder)
        builder.add(0, 10, name: name)
        var call: UInt32 = 0
        for _ in 0..<1000 { call = builder.addCall(parent: call, name: name, file: 0, line: 1) }
        builder.addRow(0, inlined: call, file: 0, line: 3)
        #expect(try SymbolTable(decoding: builder.finish().encoded()).frames(at: 5).count == 256)
    }
}
