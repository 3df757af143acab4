import Glibc
import LinuxSystem
import Profiles
import SymbolSources
import SymbolTables
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
}

private func identity(_ byte: UInt8) -> ModuleIdentity { ModuleIdentity(kind: .buildID, bytes: [byte, 2, 3, 4]) }

@Suite struct SymbolTableCacheDirectoryTests {
    @Test func `tables outlive the agent, the least recently used goes first`() async throws {
        let folder = Folder()
        var cache = try SymbolTableCacheDirectory(path: folder.path + "/c", maximumBytes: 3 * 132)
        for byte in 1...3 as ClosedRange<UInt8> {
            await cache.store([UInt8](repeating: byte, count: 100), of: identity(byte))
        }
        #expect(await cache.table(of: identity(1))?.first == 1)
        await cache.store([UInt8](repeating: 4, count: 100), of: identity(4))
        #expect(await cache.table(of: identity(2)) == nil)
        #expect(await cache.statistics.evicted == 1)
        cache = try SymbolTableCacheDirectory(path: folder.path + "/c", maximumBytes: 3 * 132)
        #expect(await cache.statistics.files == 3)
        #expect(await cache.table(of: identity(1))?.count == 100)
        cache = try SymbolTableCacheDirectory(path: folder.path + "/c", maximumBytes: 140)
        #expect(await cache.statistics.files == 1)
        #expect(await cache.table(of: identity(1))?.count == 100)
    }

    @Test func `a damaged file is deleted and counted, what is no build ID is not kept`() async throws {
        let folder = Folder()
        let cache = try SymbolTableCacheDirectory(path: folder.path + "/c", maximumBytes: 1000)
        await cache.store([1, 2, 3], of: identity(1))
        await cache.store([1, 2, 3], of: ModuleIdentity(kind: .contentDigest, bytes: [9, 9]))
        await cache.store([UInt8](repeating: 0, count: 2000), of: identity(2))
        #expect(await cache.statistics.files == 1)
        #expect(folder.run("printf X | dd of=c/01020304.symbols bs=1 seek=33 conv=notrunc"))
        #expect(await cache.table(of: identity(1)) == nil)
        #expect(await cache.statistics.damaged == 1)
        #expect(await cache.statistics.bytes == 0)
        #expect(!folder.run("test -e c/01020304.symbols"))
    }
}
