import ByteCoding
import Glibc
import LinuxSystem
import ObjectFiles
import ProfilerAgent
import Profiles
import SymbolSources
import SymbolTables
import Testing

/// The program that stands for `perf-agent helper`; SwiftPM builds it beside the tests' own.
private let helperProgram: String = {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
    let path = String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return path.prefix(through: path.lastIndex(of: "/") ?? path.startIndex) + "ObjectHelperProgram"
}()

private func reader(_ change: (inout ObjectReader.Options) -> Void = { _ in }) -> ObjectReader {
    var options = ObjectReader.Options()
    options.firstPause = .milliseconds(10)
    change(&options)
    return ObjectReader(executable: helperProgram, arguments: [], options: options)
}

private let libc = "/lib/x86_64-linux-gnu/libc.so.6"

@Suite(.serialized) struct HelperProcessTests {
    @Test func `a library is identified and its functions are named through the helper`() async throws {
        let reader = reader()
        let file = try OwnedDescriptor.open(libc)
        let facts = try await reader.identify(file).get()
        let here = try readHere(libc)
        #expect(facts.identity == here.identity)
        #expect(facts.loadSegments == here.loadSegments)
        let table = try SymbolTable(decoding: try await reader.symbolTable(file).get())
        #expect(table.loadSegments == facts.loadSegments)
        #expect(table.rangeCount > 1000)
        #expect(reader.statistics.starts == 1)
        #expect(reader.statistics.failures == 0)
    }

    @Test func `the helper has no capabilities, gains none, and lives behind a filter`() async throws {
        let reader = reader()
        let file = try OwnedDescriptor.open(libc)
        _ = try await reader.identify(file).get()
        let helper = try #require(reader.statistics.helper)
        let status = try String(decoding: contents("/proc/\(helper)/status"), as: UTF8.self)
        func field(_ name: String) -> String? {
            status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
                .map { String($0.drop { $0 != "\t" }.dropFirst()) }
        }
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] { #expect(field(set) == "0000000000000000", "\(set)") }
        #expect(field("NoNewPrivs") == "1")
        #expect(field("Seccomp") == "2")
        #expect(field("Threads") == "1")
        if geteuid() == 0 {
            #expect(field("CapBnd") == "0000000000000000")
            #expect(field("Uid") == "65534\t65534\t65534\t65534")
            #expect(try link("/proc/\(helper)/ns/net") != link("/proc/self/ns/net"))
        }
    }

    @Test func `the helper holds its socket and nothing else`() async throws {
        try #require(geteuid() == 0, "needs root to list the descriptors of an undumpable process")
        // A descriptor that its owner forgot to close on exec.
        let leaked = unsafe open("/dev/zero", O_RDONLY)
        defer { close(leaked) }
        let reader = reader()
        let file = try OwnedDescriptor.open(libc)
        _ = try await reader.identify(file).get()
        let helper = try #require(reader.statistics.helper)
        var open: [String] = []
        // The helper closes the file right after it has answered.
        for _ in 0..<100 {
            open = (0..<64).compactMap { try? link("/proc/\(helper)/fd/\($0)") }
            if open.count == 4 { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(open.count == 4)
        #expect(open.prefix(3).allSatisfy { $0 == "/dev/null" })
        #expect(open.last?.hasPrefix("socket:") == true)
    }

    @Test func `a file that is not ELF is refused and the helper goes on`() async throws {
        let reader = reader()
        let text = try OwnedDescriptor.open("/etc/passwd")
        #expect(await reader.identify(text) == .failure(.notReadable("not an ELF file")))
        let file = try OwnedDescriptor.open(libc)
        _ = try await reader.identify(file).get()
        #expect(reader.statistics.starts == 1)
    }

    @Test func `a pipe, a device and a directory are refused`() async throws {
        let reader = reader()
        var ends: [Int32] = [-1, -1]
        #expect(unsafe pipe(&ends) == 0)
        let pipe = OwnedDescriptor(ends[0])
        let other = OwnedDescriptor(ends[1])
        let device = try OwnedDescriptor.open("/dev/zero")
        let directory = try OwnedDescriptor.open("/usr")
        let expected = Result<ModuleFacts, ObjectReaderFailure>.failure(.notReadable("could not be read (errno 22)"))
        #expect(await reader.identify(pipe) == expected)
        #expect(await reader.identify(device) == expected)
        #expect(await reader.identify(directory) == expected)
        #expect(other.rawValue >= 0)
        #expect(reader.statistics.deaths == 0)
    }

    @Test func `a huge file is refused by its size and read nowhere`() async throws {
        let reader = reader()
        var name = Array("/tmp/huge-XXXXXX".utf8CString)
        let file = OwnedDescriptor(unsafe mkstemp(&name))
        unsafe unlink(name)
        #expect(ftruncate(file.rawValue, 5 << 30) == 0)
        let answer: Result<ModuleFacts, ObjectReaderFailure> = await reader.identify(file)
        #expect(
            answer
                == Result.failure(
                    .notReadable("bytes of the file: \(UInt64(5) << 30) is over the limit of \(UInt64(4) << 30)")))
    }

    @Test func `memory and size of files are limited as the settings say`() async throws {
        let reader = reader {
            $0.memoryBytes = 300 << 20
            $0.fileBytes = 1 << 20
        }
        let size = try OwnedDescriptor.open(libc)
        let bytes = try FileBytes.size(size.rawValue)
        #expect(
            await reader.identify(size)
                == .failure(.notReadable("bytes of the file: \(bytes) is over the limit of \(1 << 20)")))
        let vdso = try VirtualSharedObject.file()
        _ = try await reader.identify(vdso).get()
        let helper = try #require(reader.statistics.helper)
        let limits = try String(decoding: contents("/proc/\(helper)/limits"), as: UTF8.self)
        let line = try #require(limits.split(separator: "\n").first { $0.hasPrefix("Max address space") })
        #expect(line.split(separator: " ").dropFirst(3).first == "\(300 << 20)")
    }

    @Test func `a helper killed between requests is replaced`() async throws {
        let reader = reader()
        let file = try OwnedDescriptor.open(libc)
        _ = try await reader.identify(file).get()
        kill(try #require(reader.statistics.helper), SIGKILL)
        #expect(await reader.identify(file) == .failure(.helperDied(.killed(signal: SIGKILL))))
        _ = try await reader.identify(file).get()
        #expect(reader.statistics.starts == 2)
        #expect(reader.statistics.deaths == 1)
    }

    @Test func `a helper killed in the middle of a request fails that request alone`() async throws {
        let reader = reader()
        let file = try OwnedDescriptor.open(libc)
        _ = try await reader.identify(file).get()
        let helper = try #require(reader.statistics.helper)
        kill(helper, SIGSTOP)
        async let answer = reader.symbolTable(file)
        try await Task.sleep(for: .milliseconds(50))
        kill(helper, SIGKILL)
        #expect(await answer == .failure(.helperDied(.killed(signal: SIGKILL))))
        _ = try await reader.symbolTable(file).get()
    }

    @Test func `a helper that does not answer in time is killed and replaced`() async throws {
        let reader = reader { $0.timeLimit = .milliseconds(500) }
        let file = try OwnedDescriptor.open(libc)
        _ = try await reader.identify(file).get()
        let helper = try #require(reader.statistics.helper)
        kill(helper, SIGSTOP)
        #expect(await reader.identify(file) == .failure(.tookTooLong(.milliseconds(500))))
        #expect(kill(helper, 0) != 0)
        _ = try await reader.identify(file).get()
        #expect(reader.statistics.kills == 1)
    }

    @Test func `a file made to keep the helper busy costs its own request and no other`() async throws {
        let reader = reader { $0.timeLimit = .milliseconds(700) }
        let place = "/tmp/helper-slow-\(getpid())"
        let slow = try OwnedDescriptor.open(place, flags: O_RDWR | O_CREAT)
        defer { unsafe unlink(place) }
        let bytes = slowFile()
        #expect(unsafe write(slow.rawValue, bytes, bytes.count) == bytes.count)
        #expect(try await reader.identify(slow).get().identity.kind == .contentDigest)
        #expect(await reader.symbolTable(slow) == .failure(.tookTooLong(.milliseconds(700))))
        let file = try OwnedDescriptor.open(libc)
        _ = try await reader.identify(file).get()
        #expect(reader.statistics.kills == 1)
        #expect(reader.statistics.starts == 2)
    }

    @Test func `a program that is no helper is given up, and the pauses between starts grow`() async throws {
        var options = ObjectReader.Options()
        options.firstPause = .milliseconds(20)
        let reader = ObjectReader(executable: "/bin/true", arguments: [], options: options)
        let file = try OwnedDescriptor.open(libc)
        let begin = ContinuousClock.now
        for _ in 0..<4 {
            #expect(await reader.identify(file) == .failure(.helperDied(.exited(code: 0))))
        }
        // 20 + 40 + 80 ms.
        #expect(ContinuousClock.now - begin >= .milliseconds(140))
        #expect(reader.statistics.deaths == 4)
    }

    @Test func `a program that can't be started says so`() async throws {
        let reader = ObjectReader(executable: "/nonexistent/program")
        let file = try OwnedDescriptor.open(libc)
        let expected = SystemCallError("posix_spawn", on: "/nonexistent/program", code: ENOENT)
        #expect(await reader.identify(file) == .failure(.notStarted(expected)))
    }

    @Test func `an idle helper ends, and the next request starts another`() async throws {
        let reader = reader { $0.idleLimit = .milliseconds(50) }
        let file = try OwnedDescriptor.open(libc)
        _ = try await reader.identify(file).get()
        let helper = try #require(reader.statistics.helper)
        try await Task.sleep(for: .milliseconds(300))
        #expect(reader.statistics.helper == nil)
        #expect(kill(helper, 0) != 0)
        _ = try await reader.identify(file).get()
        #expect(reader.statistics.starts == 2)
        #expect(reader.statistics.deaths == 0)
    }

    @Test func `many requests at once are all answered`() async throws {
        let reader = reader { $0.requestsPerHelper = 10 }
        let answers = try await withThrowingTaskGroup(of: ModuleFacts.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    let file = try OwnedDescriptor.open(libc)
                    return try await reader.identify(file).get()
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(answers).count == 1)
        #expect(reader.statistics.starts == 5)
    }

    @Test func `the kernel's own shared object is identified and named like a file`() async throws {
        let reader = reader()
        let file = try VirtualSharedObject.file()
        let facts = try await reader.identify(file).get()
        #expect(facts.identity.kind == .buildID)
        let table = try SymbolTable(decoding: try await reader.symbolTable(file).get())
        let names = Set((0..<table.nameCount).map { table.name($0) })
        #expect(names.contains { $0.hasSuffix("clock_gettime") })
    }
}

/// A well-formed ELF file of 3 MB with 120,000 functions of one name of 8,000 bytes, which takes a demangler long.
private func slowFile() -> [UInt8] {
    let count = 120_000
    let name = Array("_Z1f".utf8) + Array(String(repeating: "PKc", count: 2600).utf8)
    let strings = [0] + name + [0]
    let symbolBytes = (count + 1) * 24
    var writer = ByteWriter()
    writer.write([0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0] as [UInt8])
    for value in [3, 62] as [UInt16] { writer.write(value) }
    writer.write(1 as UInt32)
    for value in [0, 0, 64] as [UInt64] { writer.write(value) }
    writer.write(0 as UInt32)
    for value in [64, 0, 0, 64, 3, 0] as [UInt16] { writer.write(value) }
    let tables = UInt64(64 + 3 * 64)
    for (type, offset, size, link) in [
        (0, 0, 0, 0), (2, tables, UInt64(symbolBytes), 2), (3, tables + UInt64(symbolBytes), UInt64(strings.count), 0),
    ] as [(UInt32, UInt64, UInt64, UInt32)] {
        for value in [0, type] { writer.write(value) }
        for value in [0, 0, offset, size] { writer.write(value) }
        for value in [link, 0] { writer.write(value) }
        for value in [8, 24] as [UInt64] { writer.write(value) }
    }
    writer.write([UInt8](repeating: 0, count: 24))
    for index in 0..<count {
        writer.write(1 as UInt32)
        writer.write([0x12, 0] as [UInt8])
        writer.write(1 as UInt16)
        writer.write(UInt64(0x1000 + index * 16))
        writer.write(16 as UInt64)
    }
    writer.write(strings)
    return writer.bytes
}

/// The same, read without the helper.
private func readHere(_ path: String) throws -> ModuleFacts {
    let file = try OwnedDescriptor.open(path)
    let object = try ObjectFile(try DescriptorSource(file.rawValue))
    return ModuleFacts(identity: object.identity, loadSegments: object.loadSegments)
}

private func contents(_ path: String) throws -> [UInt8] {
    let file = try OwnedDescriptor.open(path)
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = unsafe read(file.rawValue, &buffer, buffer.count)
    return Array(buffer.prefix(max(count, 0)))
}

private func link(_ path: String) throws -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = unsafe readlink(path, &buffer, buffer.count)
    guard count >= 0 else { throw SystemCallError("readlink", on: path) }
    return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
