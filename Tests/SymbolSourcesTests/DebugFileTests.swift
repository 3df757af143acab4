import Glibc
import LinuxSystem
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

@Suite struct DebugFileTests {
    @Test func `candidates come in the order of gdb, by build ID first, merged directories by both names`() {
        #expect(
            DebugFileSearch.paths(
                buildID: [0xAB, 0xCD, 0xEF], link: "x.debug", modulePath: "/usr/lib/x86_64-linux-gnu/libx.so.1")
                == [
                    "/usr/lib/debug/.build-id/ab/cdef.debug", "/usr/lib/x86_64-linux-gnu/x.debug",
                    "/usr/lib/x86_64-linux-gnu/.debug/x.debug", "/usr/lib/debug/usr/lib/x86_64-linux-gnu/x.debug",
                    "/usr/lib/debug/lib/x86_64-linux-gnu/x.debug",
                    "/usr/lib/debug/usr/lib/x86_64-linux-gnu/libx.so.1.debug",
                    "/usr/lib/debug/lib/x86_64-linux-gnu/libx.so.1.debug",
                ])
    }

    @Test(arguments: ["../../etc/shadow", "a/b", "", ".", "..", "a\0b"])
    func `a link that leads elsewhere makes no path`(link: String) {
        let paths = DebugFileSearch.paths(buildID: [], link: link, modulePath: "/opt/program")
        #expect(paths == ["/usr/lib/debug/opt/program.debug"])
    }

    @Test func `paths of modules that make no sense give no candidates`() {
        for path in ["", "x", "[vdso]", "/a/../b", "/a\0b"] {
            #expect(DebugFileSearch.paths(buildID: [1], link: "l", modulePath: path).isEmpty)
        }
    }

    @Test func `the shared file is looked for beside the debug file, in its place and by build ID`() {
        let alternate = DebugLinks.Alternate(path: "../../.dwz/x86/all.debug", buildID: [1, 2, 3])
        #expect(
            DebugFileSearch.alternatePaths(alternate, debugFilePath: "/usr/lib/debug/.build-id/ab/c.debug")
                == [
                    "/usr/lib/debug/.build-id/ab/../../.dwz/x86/all.debug", "/usr/lib/debug/.dwz/all.debug",
                    "/usr/lib/debug/.build-id/01/0203.debug",
                ])
    }

    @Test func `only regular files below the root are opened, and the next is tried`() throws {
        let folder = try Workshop()
        _ = folder.run("mkdir d; ln -s /dev/zero z; mkfifo p; echo content > file")
        var next = 0
        let paths = ["d", "z", "p", "missing", "file", "file"].map { folder.path + "/" + $0 }
        #expect(DebugFileSearch.open(paths, from: &next, below: getpid()).rawValue >= 0)
        #expect(next == 5)
        #expect(DebugFileSearch.open(paths, from: &next, below: getpid()).rawValue >= 0)
        #expect(DebugFileSearch.open(paths, from: &next, below: getpid()).rawValue == -1)
    }

    @Test func `links are read as readelf reads them`() throws {
        let folder = try Workshop()
        try #require(
            folder.run(
                """
                gcc -g -O2 chain.c -o full && objcopy --only-keep-debug full p.debug && strip full -o program \
                && objcopy --add-gnu-debuglink=p.debug program
                """) != nil)
        let (program, source) = try object(folder.path + "/program")
        let links = DebugLinks(program, from: source)
        #expect(!links.hasDebugInformation)
        #expect(!links.hasSymbols)
        #expect(links.link?.name == "p.debug")
        let crc = folder.run("python3 -c 'import zlib; print(zlib.crc32(open(\"p.debug\",\"rb\").read()))'")
        #expect(links.link.map { "\($0.checksum)\n" } == crc)
        let (debug, debugSource) = try object(folder.path + "/p.debug")
        #expect(DebugLinks(debug, from: debugSource).hasDebugInformation)
        #expect(debug.identity == program.identity)
    }

    @Test func `a debug file of another program is not taken, by build ID or checksum`() throws {
        let folder = try Workshop()
        for identifier in ["", "-Wl,--build-id=none"] {
            try #require(
                folder.run(
                    """
                    gcc -g -O2 \(identifier) chain.c -o full && objcopy --only-keep-debug full p.debug \
                    && strip full -o program && objcopy --add-gnu-debuglink=p.debug program \
                    && gcc -g -O1 \(identifier) chain.c -o p.debug
                    """) != nil)
            let (program, source) = try object(folder.path + "/program")
            let table = try ModuleTable.build(
                program, from: source, debug: ObjectBytes(contents(folder.path + "/p.debug")),
                alternate: ObjectBytes?.none)
            #expect(table.gaps == [.foreignDebugFile])
            #expect(table.lineCount == 0)
            #expect(table.quality < .symbols)
        }
    }

    @Test func `the symbols in .gnu_debugdata name a stripped program's functions`() throws {
        let folder = try Workshop()
        try #require(
            folder.run(
                """
                gcc -O2 chain.c -o full && strip --strip-debug full -o mini && xz -k mini && strip full -o program \
                && objcopy --add-section .gnu_debugdata=mini.xz program
                """) != nil)
        let (full, fullSource) = try object(folder.path + "/full")
        let expected = try ELFSymbols.table(of: full, from: fullSource)
        let (program, source) = try object(folder.path + "/program")
        let table = try ModuleTable.build(
            program, from: source, debug: ObjectBytes?.none, alternate: ObjectBytes?.none)
        #expect(table.quality == .symbols)
        let address = try #require(
            output(of: "nm \(folder.path)/full | awk '$3==\"with_constant\" || $3 ~ /^with_constant/{print $1; exit}'")
                .split(separator: "\n").first.flatMap { UInt64($0, radix: 16) })
        #expect(table.lookUp(address)?.name.hasPrefix("with_constant") == true)
        #expect(table.lookUp(address) == expected.lookUp(address))
    }

    @Test func `split DWARF gives lines, and says that inlined functions are missing`() throws {
        let folder = try Workshop()
        try #require(folder.run("gcc -g -gsplit-dwarf -O2 chain.c -o program") != nil)
        let (program, source) = try object(folder.path + "/program")
        let table = try ModuleTable.build(
            program, from: source, debug: ObjectBytes?.none, alternate: ObjectBytes?.none)
        #expect(table.gaps == [.splitUnits])
        let work = try #require(
            output(of: "nm \(folder.path)/program | awk '$3==\"work\"{print $1}'").split(separator: "\n").first
                .flatMap { UInt64($0, radix: 16) })
        #expect(table.frames(at: work).map(\.name) == ["work"])
        #expect(table.frames(at: work).first?.file == "\(folder.path)/chain.c")
        #expect(table.frames(at: work).first?.line ?? 0 > 0)
    }

    @Test func `a table over the limit keeps its functions and says that the lines are missing`() throws {
        let folder = try Workshop()
        try #require(folder.run("gcc -g -O2 chain.c -o program") != nil)
        let (program, source) = try object(folder.path + "/program")
        let table = try ModuleTable.build(
            program, from: source, debug: ObjectBytes?.none, alternate: ObjectBytes?.none)
        var limits = ModuleTable.Limits()
        limits.encodedBytes = 100
        let small = try SymbolTable(decoding: try ModuleTable.encode(table, limits: limits))
        #expect(small.gaps == [.linesTooLarge])
        #expect(small.rangeCount == table.rangeCount)
        limits.debugBytes = 1000
        let symbols = try ModuleTable.build(
            program, from: source, debug: ObjectBytes?.none, alternate: ObjectBytes?.none, limits: limits)
        #expect(symbols.gaps == [.debugInformationTooLarge])
        #expect(symbols.quality == .symbols)
    }
}
