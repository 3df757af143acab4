import Glibc
import LinuxSystem
import Profiles
import SymbolSources
import SymbolTables
import Synchronization
import Testing

@testable import ProfilerAgent

private let helperProgram: String = {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
    let path = String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return path.prefix(through: path.lastIndex(of: "/") ?? path.startIndex) + "ObjectHelperProgram"
}()

private final class Folder: Sendable {
    let path = "/tmp/module-symbols-\(getpid())-\(UInt32.random(in: 0 ... .max))"

    init() { unsafe mkdir(path, 0o700) }

    func run(_ command: String) -> Bool { unsafe system("cd \(path) && { \(command) ; } >/dev/null 2>&1") == 0 }

    deinit { unsafe _ = system("rm -rf \(path)") }
}

@Suite(.serialized) struct ModuleSymbolsTests {
    @Test func `a stripped program is named by the debug file beside it, then by the cache`() async throws {
        let folder = Folder()
        try #require(
            folder.run(
                """
                printf 'static inline int __attribute__((always_inline)) sq(int x) {\\n return x * x; }\\nint main(int c, char **v) {\\n return sq(c) + 1; }\\n' > p.c \
                && gcc -g -O2 p.c -o full && objcopy --only-keep-debug full p.debug && strip full -o program \
                && objcopy --add-gnu-debuglink=p.debug program
                """))
        let reader = ObjectReader(executable: helperProgram, arguments: [])
        let cache = try SymbolTableCacheDirectory(path: folder.path + "/cache", maximumBytes: 1 << 20)
        let symbols = ModuleSymbols(reader: reader, cache: cache)
        let file = try OwnedDescriptor.open(folder.path + "/program")
        let module = try await reader.debugLinks(file).get()
        #expect(module.links.link?.name == "p.debug")
        func made() async throws -> [UInt8] {
            try await symbols.table(
                of: file, identity: module.identity, path: folder.path + "/program", process: getpid()
            ).get()
        }
        let bytes = try await made()
        let table = try SymbolTable(decoding: bytes)
        #expect(table.quality == .debugInformation)
        #expect(table.gaps == [])
        #expect(table.inlinedCallCount == 1)
        #expect(await cache.statistics.misses == 1)
        let requests = reader.statistics.requests
        #expect(try await made() == bytes)
        #expect(await cache.statistics.hits == 1)
        #expect(reader.statistics.requests == requests)
    }

    @Test(arguments: ["", "mkdir moved && mv program *.dwo moved", "dwp -e program -o program.dwp && rm *.dwo"])
    func `units that were split off are read where they are`(change: String) async throws {
        let folder = Folder()
        try #require(
            folder.run(
                """
                printf 'static inline int __attribute__((always_inline)) sq(int x) {\\n return x * x; }\\nint main(int c, char **v) {\\n return sq(c) + 1; }\\n' > p.c \
                && gcc -g -gsplit-dwarf -gdwarf-4 -O2 p.c -o program && { \(change.isEmpty ? "true" : change) ; }
                """))
        let path = folder.path + (change.contains("moved") ? "/moved/program" : "/program")
        let reader = ObjectReader(executable: helperProgram, arguments: [])
        let file = try OwnedDescriptor.open(path)
        let identity = try await reader.identify(file).get().identity
        let symbols = ModuleSymbols(reader: reader, cache: nil)
        func made() async throws -> SymbolTable {
            try SymbolTable(
                decoding: try await symbols.table(of: file, identity: identity, path: path, process: getpid()).get())
        }
        let whole = try await made()
        #expect(whole.gaps == [])
        #expect(whole.inlinedCallCount == 1)
        #expect(folder.run("rm -f *.dwo *.dwp moved/*.dwo"))
        let poor = try await made()
        #expect(poor.gaps == [.splitUnits])
        #expect(poor.quality == .debugInformation)
        #expect(poor.inlinedCallCount == 0)
    }

    @Test func `a poor table is kept until a debug file comes`() async throws {
        let folder = Folder()
        try #require(
            folder.run(
                """
                printf 'int f(int c) { return c * 2; }\\nint main(int c, char **v) { return f(c); }\\n' > p.c \
                && gcc -g -O0 p.c -o full && objcopy --only-keep-debug full hidden && strip -g full -o program \
                && objcopy --add-gnu-debuglink=hidden program && mv hidden elsewhere
                """))
        let reader = ObjectReader(executable: helperProgram, arguments: [])
        let file = try OwnedDescriptor.open(folder.path + "/program")
        let identity = try await reader.identify(file).get().identity
        func made() async throws -> SymbolTable {
            let cache = try SymbolTableCacheDirectory(path: folder.path + "/cache", maximumBytes: 1 << 20)
            let bytes = try await ModuleSymbols(reader: reader, cache: cache).table(
                of: file, identity: identity, path: folder.path + "/program", process: getpid()
            ).get()
            return try SymbolTable(decoding: bytes)
        }
        #expect(try await made().quality == .symbols)
        let requests = reader.statistics.requests
        #expect(try await made().quality == .symbols)
        // Whether there is something better was asked, nothing more.
        #expect(reader.statistics.requests == requests + 1)
        #expect(folder.run("mv elsewhere hidden"))
        #expect(try await made().quality == .debugInformation)
        #expect(folder.run("rm hidden"))
        #expect(try await made().quality == .debugInformation)
    }
}

private func identity(_ byte: UInt8) -> ModuleIdentity { ModuleIdentity(kind: .buildID, bytes: [byte, 2, 3, 4]) }

/// Tables of one size, told apart by their function's name.
private func table(_ byte: UInt8, quality: SymbolQuality = .debugInformation) throws -> [UInt8] {
    var builder = SymbolTableBuilder(quality: quality, loadSegments: [])
    let name = builder.index(ofName: [97 + byte])
    builder.add(16, 32, name: try #require(name))
    return try builder.finish().encoded()
}

@Suite struct SymbolTableCacheDirectoryTests {
    @Test func `tables outlive the agent, the least recently used goes first`() async throws {
        let folder = Folder()
        let tables = try (0..<5).map { try table($0) }
        let size = tables[0].count + 64
        var cache = try SymbolTableCacheDirectory(path: folder.path + "/c", maximumBytes: 3 * size)
        for byte in 1...3 as ClosedRange<UInt8> {
            await cache.store(tables[Int(byte)], of: identity(byte), sources: [])
        }
        #expect(await cache.table(of: identity(1))?.table == tables[1])
        await cache.store(tables[4], of: identity(4), sources: .debugFile)
        #expect(await cache.table(of: identity(2)) == nil)
        #expect(await cache.statistics.evicted == 1)
        cache = try SymbolTableCacheDirectory(path: folder.path + "/c", maximumBytes: 3 * size)
        #expect(await cache.statistics.files == 3)
        #expect(await cache.table(of: identity(4))?.sources == .debugFile)
        #expect(await cache.table(of: identity(1))?.table == tables[1])
        cache = try SymbolTableCacheDirectory(path: folder.path + "/c", maximumBytes: size)
        #expect(await cache.statistics.files == 1)
        #expect(await cache.statistics.bytes == size)
        #expect(await cache.table(of: identity(1))?.isComplete == true)
    }

    @Test(arguments: [
        "printf X | dd of=c/01020304.symbols bs=1 seek=60 conv=notrunc", "truncate -s 20 c/01020304.symbols",
        "truncate -s 90 c/01020304.symbols", "printf X >> c/01020304.symbols", "truncate -s 0 c/01020304.symbols",
    ])
    func `a damaged file is deleted and counted`(damage: String) async throws {
        let folder = Folder()
        let cache = try SymbolTableCacheDirectory(path: folder.path + "/c", maximumBytes: 1000)
        await cache.store(try table(1), of: identity(1), sources: [])
        #expect(folder.run(damage))
        #expect(await cache.table(of: identity(1)) == nil)
        #expect(await cache.statistics.damaged == 1)
        #expect(await cache.statistics.bytes == 0)
        #expect(!folder.run("test -e c/01020304.symbols"))
        await cache.store(try table(1), of: identity(1), sources: [])
        #expect(await cache.table(of: identity(1)) != nil)
    }

    @Test func `whole files with what is no table are damaged, too`() async throws {
        let folder = Folder()
        let cache = try SymbolTableCacheDirectory(path: folder.path + "/c", maximumBytes: 1000)
        await cache.store([1, 2, 3], of: identity(1), sources: [])
        #expect(await cache.statistics.files == 1)
        #expect(await cache.table(of: identity(1)) == nil)
        #expect(await cache.statistics.damaged == 1)
    }

    @Test func `what is no build ID or too large is not kept, and a link is not followed`() async throws {
        let folder = Folder()
        let cache = try SymbolTableCacheDirectory(path: folder.path + "/c", maximumBytes: 1000)
        await cache.store(try table(1), of: ModuleIdentity(kind: .contentDigest, bytes: [9, 9]), sources: [])
        await cache.store([UInt8](repeating: 0, count: 2000), of: identity(2), sources: [])
        #expect(await cache.statistics.files == 0)
        await cache.store(try table(1), of: identity(1), sources: [])
        #expect(folder.run("mv c/01020304.symbols elsewhere && ln -s ../elsewhere c/01020304.symbols"))
        #expect(await cache.table(of: identity(1)) == nil)
        #expect(folder.run("test -e elsewhere && test ! -e c/01020304.symbols"))
    }

    @Test func `a poor table holds for a day, a complete one longer`() async throws {
        let folder = Folder()
        let made = Mutex(1_000_000_000)
        func open() throws -> SymbolTableCacheDirectory {
            try SymbolTableCacheDirectory(path: folder.path + "/c", maximumBytes: 1000) { made.withLock { $0 } }
        }
        let cache = try open()
        await cache.store(try table(1, quality: .symbols), of: identity(1), sources: [])
        await cache.store(try table(2), of: identity(2), sources: [])
        made.withLock { $0 += 86_399 }
        #expect(await cache.table(of: identity(1))?.isComplete == false)
        made.withLock { $0 += 2 }
        #expect(await cache.table(of: identity(1)) == nil)
        #expect(await cache.table(of: identity(2)) != nil)
        // A clock that was set back: nobody knows how old it is.
        await cache.store(try table(1, quality: .symbols), of: identity(1), sources: [])
        made.withLock { $0 -= 10 }
        #expect(await cache.table(of: identity(1)) == nil)
        #expect(await cache.statistics.damaged == 0)
    }

    @Test func `a user's own cache alone is used`() {
        let folder = Folder()
        #expect(
            SymbolTableCacheDirectory.path(ofUser: ["HOME": folder.path, "XDG_CACHE_HOME": ""])
                == folder.path + "/.cache/perf-fleet/symbols")
        #expect(
            SymbolTableCacheDirectory.path(ofUser: ["HOME": "/", "XDG_CACHE_HOME": folder.path])
                == folder.path + "/perf-fleet/symbols")
        if geteuid() == 0, chown(folder.path, 65534, 65534) == 0 {
            #expect(SymbolTableCacheDirectory.path(ofUser: ["HOME": folder.path]) == nil)
        }
        #expect(SymbolTableCacheDirectory.path(ofUser: [:]) == nil)
        #expect(SymbolTableCacheDirectory.path(ofUser: ["HOME": "relative"]) == nil)
        #expect(SymbolTableCacheDirectory.path(ofUser: ["XDG_CACHE_HOME": "/nonexistent"]) == nil)
    }
}
