import Foundation
import LinuxSystem
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
        var v8 = try V8Reader(process: program.identifier)
        let held = try #require(try HeldThread(program.identifier, of: program, in: workshop))
        var whole = 0
        var chains: [String: Int] = [:]
        let rounds = 300
        for _ in 0..<rounds {
            _ = held.stopped { registers in
                var memory = ForeignReader(ProcessMemory(process: program.identifier))
                var frames: [V8Frame] = []
                var fp = registers.fp
                while frames.count < 100, let next = memory.uint64(fp), next > fp {
                    if let frame = v8.frame(framePointer: fp, stack: { memory.uint64($0) }) { frames.append(frame) }
                    fp = next
                }
                let own = frames.filter { $0.file == script }.map { "\($0.function):\($0.line)" }
                chains[own.joined(separator: " "), default: 0] += 1
                if frames.contains(where: { $0.file.hasPrefix("node:internal/modules") }),
                    "leaf:1 middle:6 outer:11 run:17 main:19 (anonymous):1".hasSuffix(own.joined(separator: " ")),
                    own.count >= 2
                {
                    whole += 1
                }
            }
        }
        let heaviest = chains.sorted { $0.value > $1.value }.prefix(8).map { "\($0.value)× \($0.key)" }
        print(flags, "\(whole) of \(rounds)", heaviest, v8.counts)
        // Inlined functions are not told by the frame, so without flags only what remains of the chain is.
        #expect(whole >= rounds * 95 / 100)
    }
}
