import ObjectFiles
import Profiles
import SymbolSources
import SymbolTables
import Testing
import ToolOutput

private func object(_ path: String) throws -> (ObjectFile, ObjectBytes) {
    let source = ObjectBytes(contents(path))
    return (try ObjectFile(source), source)
}

/// A table of two functions, `first` at 0x401000 and `second` at 0x401040, which ends at 0x401048, in the layout of a
/// version of Go. By hand from src/debug/gosym/pclntab.go.
private func table(magic: UInt32) -> [UInt8] {
    func little(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }
    let (isFirst, isRelative) = (magic == 0xFFFF_FFFB, magic >= 0xFFFF_FFF0 && magic <= 0xFFFF_FFF1)
    let width = isRelative ? 4 : 8
    let text: UInt64 = isRelative ? 0x401000 : 0
    let names = Array("first\0second\0".utf8)
    // Magic, zeros, quantum, pointer's size; functions.
    var bytes = little(UInt64(magic), 4) + [0, 0, 1, 8] + little(2, 8)
    let headBytes = isFirst ? 16 : isRelative ? 72 : 64
    let pairsBytes = 5 * width
    let recordBytes = width + 4
    // Names behind the header, then pairs, then records; the first layout has the pairs before the names.
    let namesAt = isFirst ? headBytes + pairsBytes : headBytes
    let pairsAt = isFirst ? headBytes : headBytes + names.count
    let recordsAt = headBytes + names.count + pairsBytes
    let from = isFirst ? 0 : pairsAt
    if !isFirst {
        bytes += little(0, 8) + (isRelative ? little(text, 8) : [])
        bytes += little(UInt64(namesAt), 8) + little(0, 24) + little(UInt64(pairsAt), 8)
    }
    var pairs: [UInt8] = []
    var records: [UInt8] = []
    for (index, address) in [0x401000, 0x401040].enumerated() {
        pairs += little(UInt64(address) - text, width)
        pairs += little(UInt64(recordsAt - from + index * recordBytes), width)
        records += little(UInt64(address) - text, width)
        records += little(UInt64((isFirst ? namesAt : 0) + index * 6), 4)
    }
    pairs += little(0x401048 - text, width)
    return bytes + (isFirst ? pairs + names : names + pairs) + records
}

@Suite struct GoFunctionTests {
    @Test(arguments: [0xFFFF_FFFB, 0xFFFF_FFFA, 0xFFFF_FFF0, 0xFFFF_FFF1] as [UInt32])
    func `each layout is read, and no part of it is read beyond its end`(magic: UInt32) throws {
        let folder = try Workshop()
        let bytes = table(magic: magic)
        try #require(folder.run("gcc -O2 chain.c -o full") != nil)
        for count in [bytes.count, bytes.count - 1, bytes.count - 5, 60, 40, 17, 9, 3] {
            try folder.write("bytes", bytes.prefix(count).map { "\($0)" }.joined(separator: " "))
            try #require(
                folder.run(
                    """
                    python3 -c 'open("t","wb").write(bytes(map(int,open("bytes").read().split())))' \
                    && objcopy --add-section .gopclntab=t full program
                    """) != nil)
            let (file, source) = try object(folder.path + "/program")
            guard count == bytes.count else {
                #expect(throws: ObjectFileError.self) { try file.goFunctions(from: source) }
                continue
            }
            let functions = try #require(try file.goFunctions(from: source))
            #expect(functions.symbols.map(\.address) == [0x401000, 0x401040])
            #expect(functions.symbols.map(\.size) == [0x40, 8])
            #expect(
                functions.symbols.map { String(decoding: functions.nameBytes($0, limit: 99), as: UTF8.self) }
                    == ["first", "second"])
        }
    }

    @Test(.enabled(if: hasTools("go"), "golang-go is not installed; Deploy/install-packages.sh test installs it"))
    func `a stripped Go program's functions are named as its symbols name them`() throws {
        let folder = try Workshop()
        try folder.write(
            "main.go",
            """
            package main
            import "fmt"
            type pair[T any] struct { a, b T }
            //go:noinline
            func (p *pair[T]) swap() { p.a, p.b = p.b, p.a }
            func main() { p := pair[string]{"a", "b"}; p.swap(); func() { fmt.Println(p) }() }

            """)
        try #require(
            folder.run(
                """
                export GOCACHE=$PWD/cache GO111MODULE=off GOFLAGS=
                go build -o full main.go && go build -ldflags='-s -w' -o program main.go && chmod -R u+w cache
                """) != nil)
        let (full, fullSource) = try object(folder.path + "/full")
        let (program, source) = try object(folder.path + "/program")
        let table = try ModuleTable.build(
            program, from: source, debug: ObjectBytes?.none, alternate: ObjectBytes?.none)
        #expect(table.quality == .symbols)
        let symbols = try #require(try full.functionSymbols(.symbols, from: fullSource))
        let go = try #require(try full.goFunctions(from: fullSource))
        #expect(go.symbols.count > 1_000)
        var named = 0
        for symbol in symbols.symbols {
            // The linker's name of a function's calling convention; type arguments, which that table leaves out.
            var name = SymbolNames.short(String(decoding: symbols.nameBytes(symbol, limit: 500), as: UTF8.self))
            if let open = name.firstIndex(of: "["), let close = name.lastIndex(of: "]") {
                name.replaceSubrange(open...close, with: "[...]")
            }
            guard let found = table.lookUp(symbol.address)?.name else { continue }
            if found == name { named += 1 }
        }
        // Not those that Go hides from traces, or calls otherwise there (`type..eq.…`, `gosave…`).
        #expect(Double(named) > 0.97 * Double(symbols.symbols.count), "\(named) of \(symbols.symbols.count)")
        #expect(program.identity != full.identity)
    }

    /// Go's linker compresses it, and what unwinds needs it.
    @Test(arguments: ["zlib", "zlib-gnu", "zstd"])
    func `a compressed .debug_frame is what it was before`(method: String) throws {
        let folder = try Workshop()
        try #require(
            folder.run(
                """
                gcc -g -O2 -fno-asynchronous-unwind-tables chain.c -o full \
                && objcopy --compress-debug-sections=\(method) full program
                """) != nil)
        let (full, fullSource) = try object(folder.path + "/full")
        let plain = try #require(try full.sections.get().first { $0.name == ".debug_frame" })
        let expected = try full.contents(of: plain, from: fullSource, limit: 1 << 20)
        let (program, source) = try object(folder.path + "/program")
        let section = try #require(
            try program.sections.get().first { [".debug_frame", ".zdebug_frame"].contains($0.name) })
        // What wouldn't get smaller stays as it is.
        #expect(section.expanded(from: source, limit: 1 << 20) == expected)
        #expect(section.expanded(from: source, limit: UInt64(expected.count) - 1) == nil)
    }
}
