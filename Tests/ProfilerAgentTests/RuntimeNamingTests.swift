import Formats
import Foundation
import LinuxSystem
import Profiles
import Testing
import Unwinding

@testable import LanguageRuntimes
@testable import ProfilerAgent

/// A process of a test's own, and the perf map that a runtime would write for it.
private final class MappedProgram: @unchecked Sendable {
    let process = Process()
    var identifier: Int32 { process.processIdentifier }
    var mapPath: String { "/tmp/perf-\(identifier).map" }

    init() throws {
        process.executableURL = URL(fileURLWithPath: "/bin/sleep")
        process.arguments = ["60"]
        try process.run()
    }

    deinit {
        end()
        try? FileManager.default.removeItem(atPath: mapPath)
    }

    /// Until it is gone, or dead and not waited for.
    func end() {
        kill(identifier, SIGKILL)
        for _ in 0..<1000 {
            guard let status = ProcessStatus.read(identifier), status.state != UInt8(ascii: "Z") else { return }
            usleep(1000)
        }
    }

    func write(_ text: String) throws {
        if !FileManager.default.fileExists(atPath: mapPath) {
            _ = FileManager.default.createFile(atPath: mapPath, contents: nil)
        }
        let file = try #require(FileHandle(forWritingAtPath: mapPath))
        try file.seekToEnd()
        try file.write(contentsOf: Data(text.utf8))
        try file.close()
    }
}

@Suite struct RuntimeNamingTests {
    /// A window with one sample of each process at each address.
    private func window(_ programs: [(Int32, [UInt64])]) throws -> RawWindow {
        var table = ProcessTable()
        var window = WindowTable(maximumNodes: 1000, maximumDepth: 16)
        var processes: [UInt32: SampledProcess] = [:]
        for (process, addresses) in programs {
            _ = ProcessScan.one(process, into: &table, clock: .now())
            let slot = try #require(table.slot(of: process))
            let entry = table.entries[Int(slot)]
            processes[slot] = SampledProcess(entry)
            var space = AddressSpace()
            let anonymous = MappedFileTable.anonymousFile
            let isMapped = space.map(CodeMapping(start: 0x10_0000, end: 0x20_0000, fileOffset: 0, file: anonymous))
            #expect(isMapped)
            var stack = SampledStack()
            for address in addresses {
                let chain = [UInt64(bitPattern: -512), address]
                stack.begin(kernelFramesOf: chain.span, isFull: false)
                stack.addUserFrames(of: chain.span, space: space, slot: slot)
                #expect(stack.unknownRuntimeAddress == address)
                let isAdded = window.add(
                    slot: slot, processName: entry.name, threadName: entry.name, stack: stack, weight: 1)
                #expect(isAdded)
            }
        }
        let now = HostClock.now().wall(HostClock.monotonicNow)
        return RawWindow(
            range: TimeRange(start: now, end: now), samplesPerSecond: 100, table: window, processes: processes,
            names: table.names, files: table.files, ledger: Ledger())
    }

    @Test func `a process's perf map names its addresses as it grows, and after its end`() async throws {
        let program = try MappedProgram()
        try program.write("100000 100 first\n")
        let naming = RuntimeNaming()
        let addresses: [UInt64] = [0x10_0010, 0x10_0210, 0x10_0999]
        let before = try window([(program.identifier, addresses)])
        let (slot, process) = try #require(before.processes.first)
        await naming.look(at: process, slot: slot)
        func names(_ raw: RawWindow) async -> [String?] {
            let found = await naming.names(of: raw)
            return addresses.map { found[RuntimeCodeAddress(slot: slot, address: $0)]?.map(\.function).joined() }
        }
        #expect(await names(before) == ["first", nil, nil])
        try program.write("100200 100 JS:*second /a/b.js:3:4\n")
        #expect(await names(before) == ["first", "second", nil])
        program.end()
        #expect(await names(before) == ["first", "second", nil])
        let found = await naming.names(of: before)
        let named = WindowNaming(
            modules: [:], services: [:], kernel: nil, runtimes: found, hostLabels: []
        ).name(before)
        let (stacks, series) = (named.stacks, named.series)
        #expect(series.reduce(0) { $0 + $1.stacks.sampleCount } == 3)
        #expect(stacks.frames.filter { $0.kind == .jit }.count == 2)
        #expect(stacks.strings.contains("first") && stacks.strings.contains("/a/b.js"))
        // Without a name it is what it was: an address in memory that no file stands behind.
        #expect(stacks.frames.contains { $0.kind == .native && $0.address == 0x10_0999 })
    }

    @Test func `a name is of the process that has the map`() async throws {
        let programs = [try MappedProgram(), try MappedProgram()]
        for (index, program) in programs.enumerated() { try program.write("100000 100 of\(index)\n") }
        let raw = try window(programs.map { ($0.identifier, [0x10_0010]) })
        let found = await RuntimeNaming().names(of: raw)
        for (index, program) in programs.enumerated() {
            let slot = try #require(raw.processes.first { $0.value.process == program.identifier }?.key)
            #expect(found[RuntimeCodeAddress(slot: slot, address: 0x10_0010)]?.map(\.function) == ["of\(index)"])
        }
    }

    @Test func `another process under the same PID has other names`() async throws {
        let program = try MappedProgram()
        try program.write("100000 100 first\n")
        var raw = try window([(program.identifier, [0x10_0010])])
        for slot in raw.processes.keys { raw.processes[slot]?.startTime -= 10_000_000_000 }
        #expect(await RuntimeNaming().names(of: raw).isEmpty)
    }

    @Test func `processes and bytes are bounded, the longest unused go first`() async throws {
        let programs = [try MappedProgram(), try MappedProgram(), try MappedProgram()]
        for program in programs { try program.write("100000 100 name\n") }
        var limits = RuntimeNaming.Limits()
        limits.processes = 2
        let naming = RuntimeNaming(limits: limits)
        _ = await naming.names(of: try window(programs.map { ($0.identifier, [0x10_0010]) }))
        #expect(await naming.statistics.processes == 2)
        limits.memoryBytes = 0
        let narrow = RuntimeNaming(limits: limits)
        #expect(try await narrow.names(of: window([(programs[0].identifier, [0x10_0010])])).count == 1)
        #expect(await narrow.statistics.processes == 0)
        withExtendedLifetime(programs) {}
    }
}

/// A JVM of a version that is not known: the answer is made up, the JVM is real.
@Suite(
    .enabled(
        if: FileManager.default.isExecutableFile(atPath: "/usr/lib/jvm/java-17-openjdk-amd64/bin/javac"),
        "no JDK 17; Deploy/install-packages.sh installs it"))
struct UnknownJVMTests {
    private final class SpinningJVM {
        let folder: URL
        let process = Process()
        var map: String { "/tmp/perf-\(process.processIdentifier).map" }

        init() throws {
            folder = FileManager.default.temporaryDirectory.appending(path: "perf-fleet-jvm-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let source = folder.appending(path: "Spin.java")
            try """
            public class Spin {
                static volatile long sink;
                static long turn(long x) { return x * 31 + 7; }
                public static void main(String[] arguments) {
                    for (int i = 0; i < 1_000_000; i++) sink = turn(sink);
                    new java.io.File(arguments[0]).mkdir();
                    while (true) sink = turn(sink);
                }
            }
            """.write(to: source, atomically: true, encoding: .utf8)
            process.executableURL = URL(filePath: "/usr/lib/jvm/java-17-openjdk-amd64/bin/java")
            process.arguments = [source.path, folder.appending(path: "ready").path]
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
        }

        func waitUntilReady() -> Bool {
            for _ in 0..<1_200 {
                if FileManager.default.fileExists(atPath: folder.appending(path: "ready").path) { return true }
                usleep(50_000)
            }
            return false
        }

        deinit {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            try? FileManager.default.removeItem(atPath: map)
            try? FileManager.default.removeItem(at: folder)
        }
    }

    private func sampled(_ process: Int32) throws -> SampledProcess {
        var table = ProcessTable()
        let slot = try #require(ProcessScan.one(process, into: &table, clock: .now()))
        return SampledProcess(table.entries[Int(slot)])
    }

    @Test func `it is asked for its perf map where that is allowed, and never else`() async throws {
        let jvm = try SpinningJVM()
        #expect(jvm.waitUntilReady())
        let process = try sampled(jvm.process.processIdentifier)
        let unknown: RuntimeNaming.OpenJVM = { (_) throws(JVMError) in throw .unknownVersion(missing: "anything") }
        let other: RuntimeNaming.OpenJVM = { (_) throws(JVMError) in throw .noDescription }
        for naming in [
            RuntimeNaming(openJVM: unknown), RuntimeNaming(attachesToJVMs: true, openJVM: other),
            RuntimeNaming(attachesToJVMs: true),
        ] {
            for _ in 0..<3 { await naming.look(at: process, slot: 0) }
            #expect(await naming.mapRequests == 0)
        }
        let naming = RuntimeNaming(attachesToJVMs: true, openJVM: unknown)
        for _ in 0..<400 where !FileManager.default.fileExists(atPath: jvm.map) {
            await naming.look(at: process, slot: 0)
            try await Task.sleep(for: .milliseconds(50))
        }
        for _ in 0..<20 { await naming.look(at: process, slot: 0) }
        #expect(await naming.mapRequests == 1)
        let text = try String(contentsOfFile: jvm.map, encoding: .utf8)
        #expect(text.contains("Spin.main") || text.contains("Spin.turn"))
        withExtendedLifetime(jvm) {}
    }
}

@Suite struct RuntimeChainTests {
    @Test func `a frame stands for the functions compiled into one, outermost first`() {
        var table = ProcessTable()
        let slot = table.found(
            process: 10, parent: 1, startTime: 5, name: "java", threads: 1, isKernelThread: false)
        guard let slot else { return #expect(Bool(false)) }
        var space = AddressSpace()
        _ = space.map(
            CodeMapping(start: 0x1000, end: 0x2000, fileOffset: 0, file: MappedFileTable.anonymousFile))
        var window = WindowTable(maximumNodes: 100, maximumDepth: 16)
        var stack = SampledStack()
        // Leaf 0x1010, called from 0x1020 twice: the chain of one place is repeated.
        let chain = [UInt64(bitPattern: -512), 0x1010, 0x1021, 0x1021]
        stack.begin(kernelFramesOf: chain.span, isFull: false)
        stack.addUserFrames(of: chain.span, space: space, slot: slot)
        _ = window.add(slot: slot, processName: 0, threadName: 0, stack: stack, weight: 7)
        let raw = RawWindow(
            range: TimeRange(start: Timestamp(seconds: 10), end: Timestamp(seconds: 20)), samplesPerSecond: 100,
            table: window, processes: [slot: SampledProcess(table.entries[Int(slot)])], names: table.names,
            files: table.files, ledger: Ledger())
        let naming = WindowNaming(
            modules: [:], services: [:], kernel: nil,
            runtimes: [
                RuntimeCodeAddress(slot: slot, address: 0x1010): [
                    RuntimeCodeName(kind: .jit, function: "outer", file: "A.java", line: 3),
                    RuntimeCodeName(kind: .jit, function: "inner", file: "B.java", line: 4),
                ],
                RuntimeCodeAddress(slot: slot, address: 0x1020): [
                    RuntimeCodeName(kind: .jit, function: "a"), RuntimeCodeName(kind: .interpreted, function: "b"),
                ],
            ], hostLabels: [])
        let named = naming.name(raw)
        let (stacks, series) = (named.stacks, named.series)
        #expect(series.first?.stacks.totalWeight == 7)
        let frames = series.first?.stacks.nodes.first.map { stacks.stack(of: $0) } ?? []
        let user = frames.filter { $0.kind == .jit || $0.kind == .interpreted }
        #expect(user.map { stacks.strings[Int($0.name)] } == ["a", "b", "a", "b", "outer", "inner"])
        #expect(user.map(\.line) == [0, 0, 0, 0, 3, 4])
        #expect(user.map(\.kind) == [.jit, .interpreted, .jit, .interpreted, .jit, .jit])
    }

    @Test(
        arguments: [
            ("JS:*hot /path/n n.js:1:13", "hot", "/path/n n.js"),
            ("JS:~get size node:internal/a:10:2", "get size", "node:internal/a"),
            ("LazyCompile:~ /a/b.js:7:9", "(anonymous b.js:7:9)", "/a/b.js"),
            ("JS:^native", "native", ""), ("JS:", "JS:", ""), ("Builtin:Call", "Builtin:Call", ""),
            ("JS:*x /:", "x", "/:"), ("plain name /x", "plain name /x", ""),
        ])
    func `V8's names are taken apart`(text: String, function: String, file: String) {
        let name = RuntimeCodeName(.init(name: text, file: "", line: 0, range: 0..<1))
        #expect(name.function == function && name.file == file && name.line == 0)
    }

    @Test func `a process is asked about at its first sample, then seldom, and not for code that is known`() {
        let box = AnswerBox<RuntimeCodeAnswer>()
        var runtimes = RuntimeProcesses(box: box)
        let second: UInt64 = 1_000_000_000
        func asks(_ address: UInt64, _ time: UInt64, serial: UInt64 = 9) -> Bool {
            runtimes.shouldAsk(slot: 3, serial: serial, address: address, time: time)
        }
        #expect(asks(0x1000, second))
        #expect(!asks(0x1000, second + 1))
        var questions = 0
        for step in 0..<10_000 where asks(0x1000, second + UInt64(step) * 10_000_000) { questions += 1 }
        #expect((95...110).contains(questions))
        // An answer about an entry that is gone is about nobody.
        let code = RuntimeCode([.init(start: 0x1000, end: 0x1100, frameBytes: 32, completeOffset: 0)])
        box.put(.init(slot: 3, serial: 8, code: code, bounds: 0x1000..<0x2000, readAt: second))
        var taken = runtimes.takeAnswers()
        #expect(!taken)
        #expect(runtimes.code(ofSlot: 3) == nil && !runtimes.isSizeMissing(slot: 3, address: 0x1800))
        box.put(.init(slot: 3, serial: 9, code: code, bounds: 0x1000..<0x2000, readAt: second))
        taken = runtimes.takeAnswers()
        #expect(taken)
        let later = 1000 * second
        #expect(runtimes.code(ofSlot: 3) != nil)
        #expect(!asks(0x1010, later))
        #expect(!asks(0x9000, later))
        #expect(runtimes.isSizeMissing(slot: 3, address: 0x1800) && !runtimes.isSizeMissing(slot: 3, address: 0x1010))
        #expect(asks(0x1800, later))
        // The slot went to another process.
        #expect(asks(0x1800, later, serial: 10))
        let forgotten = runtimes.code(ofSlot: 3) == nil
        #expect(forgotten)
        runtimes.forgetEnded(ProcessTable())
        #expect(asks(0x1800, later, serial: 10))
    }

    /// A stack that leads through code made at run time at 0x1010.
    private func stack(end: StackEnd = .whole) -> SampledStack {
        var space = AddressSpace()
        _ = space.map(CodeMapping(start: 0x1000, end: 0x2000, fileOffset: 0, file: MappedFileTable.anonymousFile))
        var stack = SampledStack()
        let chain = [UInt64(bitPattern: -512), 0x1010]
        stack.begin(kernelFramesOf: chain.span, isFull: false)
        stack.addUserFrames(of: chain.span, space: space, slot: 3)
        stack.end = end
        return stack
    }

    @Test func `a stack that is newer than what is known of a JVM waits for the next reading`() {
        let box = AnswerBox<RuntimeCodeAnswer>()
        var runtimes = RuntimeProcesses(box: box)
        let second: UInt64 = 1_000_000_000
        func isDoubtful(_ stack: SampledStack, _ time: UInt64) -> Bool {
            runtimes.isDoubtful(stack, slot: 3, time: time)
        }
        func due(_ time: UInt64) -> [UInt32] { runtimes.dueQuestions(at: time) }
        // A runtime that tells nothing of its frames is not waited for.
        #expect(!isDoubtful(stack(), second))
        runtimes.found(slot: 3, serial: 9)
        #expect(isDoubtful(stack(), second))
        var found = due(second)
        #expect(found.isEmpty)
        runtimes.waits(slot: 3, time: second)
        found = due(second)
        #expect(found == [3])
        // One question at a time, then again after a pause, until the answer is new enough.
        found = due(second + 1)
        #expect(found.isEmpty)
        let code = RuntimeCode([.init(start: 0x1000, end: 0x1100, frameBytes: 32, completeOffset: 0)])
        box.put(.init(slot: 3, serial: 9, code: code, bounds: 0x1000..<0x2000, readAt: second - 1))
        var taken = runtimes.takeAnswers()
        #expect(taken)
        #expect(isDoubtful(stack(end: .broken(.outsideCode)), second))
        found = due(2 * second)
        #expect(found == [3])
        box.put(.init(slot: 3, serial: 9, code: code, bounds: 0x1000..<0x2000, readAt: second + 1))
        taken = runtimes.takeAnswers()
        #expect(taken)
        #expect(!isDoubtful(stack(end: .broken(.outsideCode)), second))
        found = due(4 * second)
        #expect(found.isEmpty)
        // Newer ones wait, but not those that came to a good end through code that is known.
        #expect(isDoubtful(stack(end: .broken(.noRule)), 5 * second) && isDoubtful(stack(end: .cut), 5 * second))
        #expect(!isDoubtful(SampledStack(), 5 * second))
        // Nothing more will be known: it has ended, or it can't be read.
        box.put(.init(slot: 3, serial: 9, code: nil, readAt: .max))
        taken = runtimes.takeAnswers()
        #expect(taken)
        #expect(!isDoubtful(stack(), 6 * second))
    }

    @Test(arguments: [("/tmp/jit-12.dump", true), ("/tmp/jit-a.dump", false), ("/usr/lib/libc.so.6", false)])
    func `a jitdump that is mapped executable is no module`(path: String, isNone: Bool) {
        #expect(MappedFile.isAnonymous(path: path) == isNone)
    }
}

@Suite struct RuntimeFindingTests {
    @Test func `node with both flags is told what stays missing, without them the flags`() throws {
        func checks(_ arguments: [String]) -> String {
            let facts = RuntimeAdvice.Facts(program: "/usr/bin/node", arguments: ["node"] + arguments)
            let advice = RuntimeAdvice.about(facts)
            let finding = RuntimeFinding(name: "node", advice: advice, processes: [1, 2, 3, 4, 5, 6, 7])
            return RuntimeFinding.checks([finding]).map { "\($0.state) \($0.detail) \($0.remedy ?? "")" }.joined()
        }
        let whole = checks(["--perf-basic-prof", "--interpreted-frames-native-stack"])
        #expect(
            whole.hasPrefix("ok node (1, 2, 3, 4, 5 and 2 more)") && whole.contains("into their callers are missing"))
        #expect(checks([]).contains("start it with --perf-basic-prof --interpreted-frames-native-stack"))
        #expect(RuntimeFinding.checks([]).map(\.state) == [.ok])
        let other = RuntimeFinding.checks([RuntimeFinding(name: "ruby", advice: nil, processes: [4])])
        #expect(other.map(\.state) == [.limited] && other[0].detail.contains("ruby (4)"))
    }
}
