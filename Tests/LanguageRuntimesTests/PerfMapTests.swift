import Foundation
import LinuxSystem
import Testing

@testable import LanguageRuntimes

private func bytes(_ text: String) -> ArraySlice<UInt8> { Array(text.utf8)[...] }

struct PerfMapTests {
    @Test func `a line that is not ended waits for its rest`() {
        var map = PerfMap()
        map.append(bytes("1000 10 one\n2000 20 tw"), at: 1)
        #expect(map.names.match(0x1008, at: 1)?.name == "one")
        #expect(map.names.match(0x2008, at: 1) == nil)
        map.append(bytes("o\n"), at: 2)
        #expect(map.names.match(0x201F, at: 2)?.name == "two")
        #expect(map.names.match(0x2020, at: 2) == nil)
    }

    @Test func `a name is valid until another covers its address`() {
        var map = PerfMap()
        map.append(bytes("1000 100 old\n"), at: 10)
        map.append(bytes("1040 20 new\n"), at: 20)
        #expect(map.names.match(0x1050, at: 15)?.name == "old")
        #expect(map.names.match(0x1050, at: 20)?.name == "new")
        #expect(map.names.match(0x1030, at: 20)?.name == "old")
        #expect(map.names.match(0x1060, at: 99)?.name == "old")
        // Code runs before its line is read.
        #expect(map.names.match(0x1050, at: 1)?.name == "old")
    }

    @Test func `of one reading the last entry for an address wins`() {
        var map = PerfMap()
        map.append(bytes("1000 100 first\n1000 80 second\n1010 10 third\n"), at: 1)
        #expect(
            [0x1000, 0x1010, 0x101F, 0x1020, 0x1080].map { map.names.match($0, at: 1)?.name }
                == ["second", "third", "third", "second", "first"])
    }

    @Test(
        arguments: [
            ("0x00007fc518451f60 0x0000000000000098 long T.f(long)\n", 0x7FC5_1845_1F60, "long T.f(long)"),
            ("7fc518451f60 98 JS:*hot /path/n n.js:1:13\n", 0x7FC5_1845_1F60, "JS:*hot /path/n n.js:1:13"),
            ("10 10 a\u{1}b\u{7F}\n", 0x10, "a?b?"),
            ("10 FF  twice\n", 0x10, "twice"),
        ] as [(String, UInt64, String)])
    func `lines of all writers are read`(line: String, address: UInt64, name: String) {
        var map = PerfMap()
        map.append(bytes(line), at: 1)
        #expect(map.names.match(address, at: 1)?.name == name)
    }

    @Test(arguments: [
        "zz 10 a\n", "10\n", "10 20\n", "10 20 \n", "11112222333344445 10 a\n", "-1 10 a\n", "10  \n", "0x 10 a\n",
    ])
    func `lines that are no entries are counted`(line: String) {
        var map = PerfMap()
        map.append(bytes(line), at: 1)
        #expect(map.malformedLines == 1 && map.names.isEmpty)
    }

    @Test func `what is too long or too much is left out and counted`() {
        var limits = RuntimeCodeNames.Limits()
        limits.entries = 100
        limits.bytesOfAName = 16
        var map = PerfMap(limits: limits)
        map.append(bytes("10 10 " + String(repeating: "é", count: 1 << 19)), at: 1)
        map.append(bytes(String(repeating: "é", count: 1 << 19) + "\n"), at: 1)
        #expect(map.names.match(0x10, at: 1)?.name == String(repeating: "é", count: 8))
        #expect(map.names.losses.namesCut == 1)
        for index in 0..<200 { map.append(bytes("\(String(index * 16 + 4096, radix: 16)) 10 n\n"), at: 2) }
        #expect(map.names.count == 100 && map.names.losses.entriesOverLimit == 101)
        map.append(bytes("ffffffffffffffff 10 end\n10 0 none\n"), at: 3)
        #expect(map.names.losses.malformedEntries == 2)
    }

    /// Random entries beside a plain list of them, asked in reverse.
    @Test func `any history of entries gives what a plain list gives`() {
        let asked = ProcessInfo.processInfo.environment["SEED"].flatMap { UInt64($0) }
        let seed = asked ?? UInt64.random(in: 0...UInt64.max)
        print("SEED=\(seed)")
        var state = seed
        func random(_ bound: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % bound
        }
        for _ in 0..<60 {
            var map = PerfMap()
            var list: [(start: UInt64, end: UInt64, time: UInt64, name: String)] = []
            var time: UInt64 = 0
            for _ in 0..<random(20) + 1 {
                time += 10
                var text = ""
                for _ in 0..<random(12) + 1 {
                    let start = random(400)
                    let size = random(60) + 1
                    let name = "f\(list.count)"
                    list.append((start, start + size, time, name))
                    text += "\(String(start, radix: 16)) \(String(size, radix: 16)) \(name)\n"
                }
                // In two pieces, cut anywhere.
                let all = Array(text.utf8)
                let cut = Int(random(UInt64(all.count)))
                map.append(all[..<cut], at: time)
                map.append(all[cut...], at: time)
            }
            for address in UInt64(0)..<460 {
                let truth = list.last { $0.start <= address && address < $0.end }?.name
                #expect(map.names.match(address, at: time)?.name == truth, "now, address \(address)")
                let past = random(time + 10)
                let known = list.last { $0.start <= address && address < $0.end && $0.time <= past }?.name
                if let known {
                    let found = map.names.match(address, at: past)?.name
                    #expect(found == known, "at \(past) of \(time), address \(address)")
                }
            }
        }
    }

    @Test func `a file is read on as it grows, and anew when it is another`() throws {
        let process = getpid()
        let path = "/tmp/perf-\(process).map"
        defer { try? FileManager.default.removeItem(atPath: path) }
        var file = PerfMapFile(process)
        #expect(throws: RuntimeFile.Failure.missing(path: path)) { try file.refresh(at: 1) }
        func write(_ text: String) throws { try text.write(toFile: path, atomically: false, encoding: .utf8) }
        try write("1000 10 one\n")
        #expect(try file.refresh(at: 2) == .read(bytes: 12))
        #expect(try file.refresh(at: 3) == .unchanged)
        try write("1000 10 one\n2000 10 two\n")
        #expect(try file.refresh(at: 4) == .read(bytes: 12))
        #expect(file.match(0x1000, at: 4)?.name == "one" && file.match(0x2000, at: 4)?.name == "two")
        // Longer than before, but another content in the same file.
        try write("3000 10 three and more\n4000 10 four and more\n")
        _ = try file.refresh(at: 5)
        #expect(file.restarts == 1 && file.match(0x1000, at: 5) == nil && file.match(0x3000, at: 5) != nil)
        try write("5000 10 five\n")
        _ = try file.refresh(at: 6)
        #expect(file.restarts == 2 && file.match(0x5000, at: 6)?.name == "five")
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/etc/passwd")
        #expect(throws: RuntimeFile.Failure.notRegular(path: path)) { try file.refresh(at: 7) }
        #expect(file.match(0x5000, at: 7)?.name == "five")
        try FileManager.default.removeItem(atPath: path)
        _ = unsafe mkfifo(path, 0o600)
        #expect(throws: RuntimeFile.Failure.notRegular(path: path)) { try file.refresh(at: 8) }
    }

    @Test(.enabled(if: getuid() == 0, "needs root to give a file away"))
    func `a file of another user is not believed`() throws {
        let workshop = try Workshop()
        let program = try StartedProgram("/bin/sleep", ["20"], folder: workshop.folder)
        let path = "/tmp/perf-\(program.identifier).map"
        try "1000 10 one\n".write(toFile: path, atomically: false, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        _ = unsafe chown(path, 12345, 12345)
        var file = PerfMapFile(program.identifier)
        #expect(throws: RuntimeFile.Failure.foreign(path: path, owner: 12345)) { try file.refresh(at: 1) }
    }

    @Test func `a sparse file of ten gigabytes costs a bounded reading`() throws {
        let workshop = try Workshop()
        let program = try StartedProgram("/bin/sleep", ["20"], folder: workshop.folder)
        let path = "/tmp/perf-\(program.identifier).map"
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        defer { try? FileManager.default.removeItem(atPath: path) }
        _ = unsafe truncate(path, 10 << 30)
        var limits = PerfMapFile.Limits()
        limits.bytesAtOnce = 4 << 20
        limits.fileBytes = 16 << 20
        var file = PerfMapFile(program.identifier, limits: limits)
        #expect(try file.refresh(at: 1) == .behind(bytes: 12 << 20))
        for time in 2..<4 { _ = try file.refresh(at: UInt64(time)) }
        #expect(try file.refresh(at: 4) == .overLimit(unreadBytes: (10 << 30) - (16 << 20)))
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/node"), "needs node"))
    func `node's map names what its frames say`() throws {
        let workshop = try Workshop()
        let script = try workshop.write(
            "spin.js", "function spin(n) { let x = n; while (x) x = (x * 16807 + 1) % 2147483647; }\nspin(1);\n")
        let program = try StartedProgram("/usr/bin/node", ["--perf-basic-prof", script], folder: workshop.folder)
        defer { try? FileManager.default.removeItem(atPath: "/tmp/perf-\(program.identifier).map") }
        Thread.sleep(forTimeInterval: 1.5)
        var file = PerfMapFile(program.identifier)
        _ = try file.refresh(at: Clocks.monotonic())
        let held = try #require(try HeldThread(program.identifier, of: program, in: workshop))
        var named = 0
        for _ in 0..<50 {
            _ = held.stopped { registers in
                if file.match(registers.pc, at: Clocks.monotonic())?.name.contains("spin") ?? false { named += 1 }
            }
        }
        #expect(named >= 49)
        #expect(file.map.malformedLines == 0)
    }
}
