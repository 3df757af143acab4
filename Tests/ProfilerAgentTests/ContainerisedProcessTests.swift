import Glibc
import LinuxSystem
import PerfEvents
import Profiles
import SymbolTables
import Testing
import ToolOutput

@testable import ProfilerAgent

private let hindrance =
    TestContainer.hindrance ?? (SamplingProbe.run().wholeHost ? nil : "needs the right to sample the whole host")

/// Processes in other mount and PID namespaces, with an overlay as root.
@Suite(.serialized, .enabled(if: hindrance == nil, "\(hindrance ?? "")"))
struct ContainerisedProcessTests {
    private struct Found {
        /// Function names of user frames, by the module's path.
        var functions: [String: Set<String>] = [:]
        var keys: Set<SeriesKey> = []
        var unread: Set<String> = []
    }

    /// Samples for as long as `work` takes and names what it finds, as the product does.
    private func sample(
        _ filter: TargetFilter, while work: (SamplingThread) async throws -> Void
    ) async throws -> Found {
        let thread = SamplingThread(
            SamplingPlan(
                options: SamplingOptions(samplesPerSecond: 500), filter: filter,
                rule: WindowRule(length: .milliseconds(250), isAligned: false)))
        let resolver = ModuleResolver(identities: helper(), tables: helper())
        let finisher = WindowFinisher(
            resolver: resolver, inspector: ProcessInspector(wantsCommandLine: false), names: ServiceNames(),
            hostLabels: [])
        try await thread.start()
        let answering = Task { await finisher.answer(thread.questions, from: thread) }
        let collecting = Task {
            var found = Found()
            var tables: [ModuleIdentity: SymbolTable] = [:]
            for await raw in thread.windows {
                let named = await finisher.finish(raw)
                let (stacks, series) = (named.stacks, named.series)
                thread.spareTables.give(raw.table)
                found.keys.formUnion(series.map(\.key))
                for frame in stacks.frames where frame.kind == .native && frame.module != Frame.none {
                    let module = stacks.modules[Int(frame.module)]
                    if tables[module.identity] == nil {
                        guard case .table(let bytes) = await resolver.symbolTable(of: module.identity) else {
                            found.unread.insert(module.name)
                            continue
                        }
                        tables[module.identity] = try? SymbolTable(decoding: bytes)
                    }
                    if let match = tables[module.identity]?.lookUp(frame.address) {
                        found.functions[module.name, default: []].insert(match.name)
                    }
                }
            }
            return found
        }
        do { try await work(thread) } catch {
            thread.stop()
            throw error
        }
        thread.stop()
        await thread.ended()
        await answering.value
        return await collecting.value
    }

    private func end(_ process: GatedProcess) {
        process.kill(SIGKILL)
        for _ in 0..<200 where (try? process.end()) == .some(nil) { usleep(10_000) }
    }

    private func check(_ found: Found, _ container: TestContainer, alsoServices: Set<String> = []) {
        #expect(found.functions[container.program]?.contains("container_loop") == true, "\(found)")
        #expect(found.functions[container.library] == ["container_library"], "\(found)")
        let all = found.functions.values.reduce(into: Set<String>()) { $0.formUnion($1) }
        #expect(!all.contains("host_loop") && !all.contains("host_library"))
        #expect(!found.keys.isEmpty)
        for key in found.keys {
            #expect(key.service == "work" || alsoServices.contains(key.service))
            if container.controlGroup != nil {
                #expect(key.labels == [Label(name: "container", value: container.id)])
            }
        }
    }

    @Test(arguments: TestContainer.Change.allCases)
    func `a program that runs in a container is named by its own files, whatever lies at their paths`(
        change: TestContainer.Change
    ) async throws {
        let container = try TestContainer()
        try await container.start(change)
        let found = try await sample(.process(container.process)) { _ in try await Task.sleep(for: .seconds(1)) }
        check(found, container)
    }

    @Test func `a container that starts while its group is sampled is followed, and nothing else`() async throws {
        let container = try TestContainer()
        try #require(container.controlGroup != nil, "needs a unified hierarchy that can be written")
        // Beside it, and in no group of the kind.
        let beside = try GatedProcess(arguments: ["sh", "-c", "while :; do :; done"])
        defer { end(beside) }
        try beside.open()
        let found = try await sample(.group(.container(container.id))) { thread in
            #expect(thread.targetsAtStart.isEmpty)
            try await container.start()
            try await Task.sleep(for: .seconds(1))
        }
        // What sets the container up is in its group before the program is.
        let setUp: Set<String> = ["mount", "pivot_root", "chroot", "dash", "sh", "unshare"]
        check(found, container, alsoServices: setUp)
        #expect(found.keys.contains { $0.service == "work" })
        let own = try #require(ProcFile.executable(of: beside.process)?.split(separator: "/").last)
        #expect(found.keys.allSatisfy { $0.service != String(own) || !$0.labels.isEmpty })
    }

    @Test func `links out of the root, pipes, devices and magic links of a container are refused`() async throws {
        let container = try TestContainer()
        try await container.start()
        let root = "/proc/\(container.process)/root"
        let made = output(
            of: """
                exec 2>&1; set -e; cd \(root); mkdir \(root)/evil; cd evil
                ln -s \(container.secret) absolute
                ln -s ../../../../../../../../..\(container.secret) relative
                ln -s \(container.folder) folder
                ln -s /proc/1/root/etc magic
                ln -s loop loop
                mkfifo pipe
                mknod zero c 1 5
                mknod disk b 7 0
                echo inside > regular
                ln -s /evil/regular within
                echo made
                """)
        try #require(made == "made\n", "\(made)")
        func failure(_ path: String) -> ProcessFileOpener.Failure? {
            do {
                _ = try ProcessFileOpener.openModule(container.process, path: path)
                return nil
            } catch { return error }
        }
        // The host has this file; the container's root doesn't.
        #expect(contents(container.secret) == Array("secret\n".utf8))
        for name in ["absolute", "relative", "folder/secret"] {
            #expect(failure("/evil/\(name)") == .failed(SystemCallError("openat2", on: "/evil/\(name)", code: ENOENT)))
        }
        for name in ["magic/passwd", "loop"] {
            #expect(failure("/evil/\(name)") == .failed(SystemCallError("openat2", on: "/evil/\(name)", code: ELOOP)))
        }
        for name in ["pipe", "zero", "disk"] { #expect(failure("/evil/\(name)") == .notRegular(path: "/evil/\(name)")) }
        for name in ["regular", "within", "../../evil/regular"] {
            let file = try ProcessFileOpener.openModule(container.process, path: "/evil/\(name)")
            #expect(try FileBytes.read(file.rawValue, at: 0, count: 6) == Array("inside".utf8))
        }
    }

    @Test func `a process that has gone never lends its path to a file of the host's`() async throws {
        let container = try TestContainer()
        let resolver = ModuleResolver(identities: helper(), tables: helper())
        let gone = MappedFileOwner(process: 1 << 22, start: 0x1000, end: 0x2000)
        _ = output(
            of: "cd \(container.folder)/app && gcc -shared -Wl,--build-id=none -o plain.so ../libwork.c -DLIBRARY=f")
        let plain = "\(container.folder)/app/plain.so"
        var status = stat()
        try #require(unsafe stat(plain, &status) == 0)
        let own = output(of: "stat -c '%Hd %Ld' \(plain)").split(whereSeparator: \.isWhitespace)
        try #require(own.count == 2)
        let (major, minor) = (try #require(UInt32(own[0])), try #require(UInt32(own[1])))
        func identity(_ file: MappedFile) async -> ModuleIdentity.Kind {
            await resolver.resolve(file, owner: gone).module.identity.kind
        }
        // Another build ID, and one where the host's file has none.
        for path in [container.program, plain] {
            #expect(await identity(MappedFile(path: path, buildID: [UInt8](repeating: 7, count: 20))) == .name)
        }
        let inode = UInt64(status.st_ino)
        #expect(
            await identity(MappedFile(path: plain, deviceMajor: major, deviceMinor: minor &+ 1, inode: inode)) == .name)
        #expect(
            await identity(MappedFile(path: plain, deviceMajor: major, deviceMinor: minor, inode: inode)) != .name)
    }

    private func helper() -> ObjectReader {
        let own = ProcFile.link("/proc/self/exe") ?? ""
        let folder = own.prefix(through: own.lastIndex(of: "/") ?? own.startIndex)
        return ObjectReader(executable: folder + "ObjectHelperProgram", arguments: [])
    }
}
