import Foundation
import LinuxSystem
import Synchronization
import Testing

@testable import LanguageRuntimes

private let chain = """
    function leaf(n) {
      let x = n;
      for (let i = 0; i < 3000; i++) { x = (x * 16807 + i) % 2147483647; }
      return x;
    }
    function middle(n) {
      let a = 0;
      for (let i = 0; i < 50; i++) a += leaf(n + i);
      return a;
    }
    const outer = (n) => {
      let a = 0;
      for (let i = 0; i < 20; i++) a ^= middle(n * i);
      return a;
    };
    class Worker {
      run(n) { return outer(n); }
    }
    function main() {
      const w = new Worker();
      let n = 0, s = 0;
      while (true) { s += w.run(n++); const junk = []; for (let i = 0; i < 1000; i++) junk.push({ i }); }
    }
    main();
    """

private let node = ["/usr/bin/node", "/usr/local/bin/node"].first {
    FileManager.default.isExecutableFile(atPath: $0)
}

@Suite(.serialized, .enabled(if: node != nil, "needs node"))
struct V8LiveTests {
    @Test(arguments: [["--no-opt", "--no-sparkplug", "--no-maglev"], ["--max-inlined-bytecode-size=0"], []])
    func `functions of a running program are named without flags for it`(flags: [String]) throws {
        let workshop = try Workshop()
        let script = try workshop.write("chain.js", chain)
        let program = try StartedProgram(node ?? "", flags + [script], folder: workshop.folder)
        Thread.sleep(forTimeInterval: 1.5)
        var v8 = try V8Process(process: program.identifier)
        let held = try #require(try HeldThread(program.identifier, of: program, in: workshop))
        let memory = ProcessMemory(process: program.identifier)
        var whole = 0
        var unreadable = 0
        var inVain: UInt64 = 0
        var chains: [String: Int] = [:]
        let rounds = 300
        for _ in 0..<rounds {
            _ = held.stopped { registers in
                var bytes = [UInt8](repeating: 0, count: 16_384)
                // The stack may end before that.
                let count =
                    (try? memory.read([MemoryRange(address: registers.sp, byteCount: bytes.count)], into: &bytes))
                let stack = bytes.span.bytes.extracting(first: count ?? 0)
                v8.reader.read(stackPointer: registers.sp, copiedStack: stack)
                inVain += UInt64(v8.reader.frames.count { $0.function == V8StackFrame.unreadable })
                // What looks like a frame and is none lies in nobody's chain of frame pointers.
                var chain: Set<UInt64> = []
                var fp = registers.fp
                var foreign = ForeignReader(memory)
                while chain.count < 100, let next = foreign.uint64(fp), next > fp {
                    chain.insert(fp)
                    fp = next
                }
                let read = v8.reader.frames.filter { chain.contains($0.framePointer) }
                unreadable += read.count { $0.function == V8StackFrame.unreadable }
                let frames = read.map { v8.reader.function($0.function) }
                let own = frames.filter { $0.file == script }.map { "\($0.function):\($0.line)" }
                chains[own.joined(separator: " "), default: 0] += 1
                if frames.contains(where: { $0.file.hasPrefix("node:internal/modules") }),
                    "leaf:1 middle:6 outer:11 run:17 main:19 (anonymous chain.js:1:1):1".hasSuffix(
                        own.joined(separator: " ")), own.count >= 2
                {
                    whole += 1
                }
            }
        }
        let heaviest = chains.sorted { $0.value > $1.value }.prefix(8).map { "\($0.value)× \($0.key)" }
        print(flags, "\(whole) of \(rounds)", heaviest, v8.reader.counts)
        // Inlined functions are not told by the frame, so without flags only what remains of the chain is.
        #expect(whole >= rounds * 95 / 100)
        #expect(unreadable < rounds / 20)
        // Known functions cost two calls a stack, and what looks like a frame and can't be read one more in each of them.
        #expect(v8.reader.counts.systemCalls <= 2 * v8.reader.counts.stacks + 2 * inVain)
    }

    /// Where the layout of V8's objects comes from must not matter: what is read is held against what the program says.
    @Test func `names, files and lines are those that V8 tells of itself`() throws {
        let workshop = try Workshop()
        let program = """
            const many = {};
            many.inferred = function () { return spin(); };
            const arrow = () => many.inferred();
            class Box { get value() { return arrow(); } static make() { return new Box().value; } }
            function spin() { let x = 0; while (true) { x = (x * 16807 + 1) % 2147483647; } }
            (function () { Box.make(); })();
            """
        let script = try workshop.write("names.js", program)
        let running = try StartedProgram(node ?? "", ["--no-opt", script], folder: workshop.folder)
        // On a busy machine the script begins late.
        let end = Date().addingTimeInterval(20)
        let found = { try? V8Process(process: running.identifier) }
        while found() == nil, Date() < end { Thread.sleep(forTimeInterval: 0.05) }
        var v8 = try #require(found())
        let held = try #require(try HeldThread(running.identifier, of: running, in: workshop))
        var own: [String] = []
        while own.first != "spin:5", Date() < end {
            let isHeld = held.stopped { registers in
                let bytes = (try? ProcessMemory(process: running.identifier).bytes(at: registers.sp, count: 2048)) ?? []
                v8.reader.read(stackPointer: registers.sp, copiedStack: bytes.span.bytes)
                own = v8.reader.frames.map { v8.reader.function($0.function) }.filter { $0.file == script }
                    .map { "\($0.function):\($0.line)" }
            }
            try #require(isHeld)
        }
        #expect(
            own == [
                "spin:5", "many.inferred:2", "arrow:3", "get value:4", "make:4", "(anonymous names.js:6:11):6",
                "(anonymous names.js:1:1):1",
            ])
    }

    @Test func `a process whose objects never come to rest does not make each sample dear`() throws {
        let workshop = try Workshop()
        let script = try workshop.write("chain.js", chain)
        let program = try StartedProgram(node ?? "", ["--no-opt", script], folder: workshop.folder)
        let end = Date().addingTimeInterval(20)
        let found = { try? V8Process(process: program.identifier) }
        while found() == nil, Date() < end { Thread.sleep(forTimeInterval: 0.05) }
        let v8 = try #require(found())
        let held = try #require(try HeldThread(program.identifier, of: program, in: workshop))
        let memory = RestlessMemory(ProcessMemory(process: program.identifier))
        var reader = V8Reader(memory, layout: v8.reader.layout)
        var rounds = 100
        var dear = 0
        let isHeld = held.stopped { registers in
            var bytes = [UInt8](repeating: 0, count: 16_384)
            let count = memory.read(registers.sp, into: &bytes)
            let stack = bytes.span.bytes.extracting(first: count)
            for _ in 0..<rounds { reader.read(stackPointer: registers.sp, copiedStack: stack) }
            dear = memory.pagesRead / rounds
            guard dear > PageAllowance.perSample else { return }
            // Enough rounds to come to the allowance's end.
            rounds += 2 * PageAllowance.first / (dear - PageAllowance.perSample)
            for _ in 100..<rounds { reader.read(stackPointer: registers.sp, copiedStack: stack) }
        }
        try #require(isHeld && dear > PageAllowance.perSample, "\(dear) pages a stack")
        #expect(memory.pagesRead <= PageAllowance.first + rounds * PageAllowance.perSample)
        #expect(dear * rounds > PageAllowance.first + rounds * PageAllowance.perSample)
    }
}

/// The memory of a process whose functions have another name each time one looks.
private final class RestlessMemory: ForeignMemory {
    private let memory: ProcessMemory
    private let count = Mutex((pages: 0, gathers: UInt8(0)))

    init(_ memory: ProcessMemory) { self.memory = memory }

    var pagesRead: Int { count.withLock { $0.pages } }

    /// As many bytes as there are.
    func read(_ address: UInt64, into bytes: inout [UInt8]) -> Int {
        (try? memory.read([MemoryRange(address: address, byteCount: bytes.count)], into: &bytes)) ?? 0
    }

    func read(_ address: UInt64, into bytes: inout [UInt8], at offset: Int, count byteCount: Int) -> Bool {
        count.withLock { $0.pages += (byteCount + 4095) / 4096 }
        return memory.read(address, into: &bytes, at: offset, count: byteCount)
    }

    func gather(_ ranges: [MemoryRange], into bytes: inout [UInt8], at offset: Int) -> Int {
        let result = memory.gather(ranges, into: &bytes, at: offset)
        // What is longer than a pointer is a function's shared data; its second word is its name or what leads to it.
        guard let size = ranges.first?.byteCount, size > 8, result > 0 else { return result }
        let salt = count.withLock { count in
            count.gathers &+= 1
            return count.gathers
        }
        for start in stride(from: offset, to: offset + result - size + 1, by: size) {
            for word in stride(from: start + 8, to: start + size, by: 8) { bytes[word + 1] ^= salt }
        }
        return result
    }
}
