import Foundation
import LinuxSystem
import Testing

@testable import LanguageRuntimes

/// Writes the records of tools/perf/Documentation/jitdump-specification.txt.
struct JITDumpAssembler {
    var bytes: [UInt8] = []

    static func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
        (0..<T.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> T($0 * 8)) }
    }

    init(process: UInt32, flags: UInt64 = 0) {
        bytes += [0x44, 0x54, 0x69, 0x4A] + Self.little(UInt32(1)) + Self.little(UInt32(40))
        bytes += Self.little(UInt32(62)) + Self.little(UInt32(0)) + Self.little(process)
        bytes += Self.little(UInt64(0)) + Self.little(flags)
    }

    mutating func record(_ identifier: UInt32, at time: UInt64, _ body: [UInt8]) {
        bytes += Self.little(identifier) + Self.little(UInt32(body.count + 16)) + Self.little(time) + body
    }

    mutating func load(_ name: String, _ start: UInt64, _ code: [UInt8], at time: UInt64) {
        var body = Self.little(UInt64(7))
        for word in [0, start, UInt64(code.count), 1] { body += Self.little(word) }
        record(0, at: time, body + Array(name.utf8) + [0] + code)
    }

    mutating func move(_ old: UInt64, _ new: UInt64, _ size: UInt64, at time: UInt64) {
        var body = Self.little(UInt64(7))
        for word in [0, old, new, size, 1] { body += Self.little(word) }
        record(1, at: time, body)
    }

    mutating func lines(_ start: UInt64, _ entries: [(UInt64, UInt32, [UInt8])], at time: UInt64) {
        var body = Self.little(start) + Self.little(UInt64(entries.count))
        for entry in entries {
            body += Self.little(entry.0) + Self.little(entry.1) + Self.little(UInt32(0))
            body += entry.2 + [0]
        }
        record(2, at: time, body)
    }
}

private func read(_ bytes: [UInt8], at now: UInt64 = 1000) throws -> JITDump {
    var dump = JITDump()
    var offset = 0
    while offset < bytes.count {
        switch try dump.take(bytes[offset...], at: now) {
        case .advance(let count): offset += Int(clamping: count)
        case .needs, .ended: offset = bytes.count
        }
    }
    dump.endRound()
    return dump
}

struct JITDumpTests {
    @Test func `functions have their names, files and lines at their times`() throws {
        var dump = JITDumpAssembler(process: 1)
        dump.lines(
            0x1000, [(0x1000, 3, Array("/a.js".utf8)), (0x1008, 4, [0xFF]), (0x1010, 9, Array("/b.js".utf8))], at: 5)
        dump.load("one", 0x1000, [UInt8](repeating: 0x90, count: 32), at: 10)
        dump.load("two", 0x1000, [UInt8](repeating: 0x90, count: 16), at: 20)
        dump.move(0x1010, 0x4010, 16, at: 30)
        dump.record(4, at: 31, [UInt8](repeating: 0, count: 24))
        dump.record(99, at: 31, [1, 2, 3])
        dump.record(3, at: 40, [])
        dump.load("after the end", 0x9000, [1], at: 50)
        let result = try read(dump.bytes)
        #expect(result.counts.moves == 1 && result.counts.movesNotFollowed == 0)
        #expect(result.names.match(0x1008, at: 15)?.name == "one")
        #expect(result.names.match(0x1009, at: 15).map { "\($0.file):\($0.line)" } == "/a.js:4")
        #expect(result.names.match(0x1018, at: 15).map { "\($0.file):\($0.line)" } == "/b.js:9")
        #expect(result.names.match(0x1008, at: 25)?.name == "two")
        #expect(result.names.match(0x4018, at: 35).map { "\($0.name) \($0.file):\($0.line)" } == "one /b.js:9")
        #expect(result.names.match(0x9000, at: 60) == nil)
        #expect(result.counts.functions == 2 && result.counts.unwindingRecords == 1)
        #expect(result.counts.unknownRecords == 1)
    }

    @Test func `times of the processor's own counter are not believed`() throws {
        var dump = JITDumpAssembler(process: 1, flags: 1)
        dump.load("one", 0x1000, [0x90], at: .max)
        #expect(try read(dump.bytes, at: 7).names.match(0x1000, at: 7)?.name == "one")
    }

    @Test(
        arguments: [
            ([0x4A, 0x69, 0x54, 0x44], JITDump.Failure.otherByteOrder), ([0x7F, 0x45, 0x4C, 0x46], .notAJITDump),
        ] as [([UInt8], JITDump.Failure)])
    func `other files are refused`(magic: [UInt8], failure: JITDump.Failure) {
        #expect(throws: failure) { try read(magic + [UInt8](repeating: 0, count: 40)) }
    }

    @Test func `a record without a sensible size ends the reading`() {
        var dump = JITDumpAssembler(process: 1)
        dump.bytes += [UInt8](repeating: 0, count: 16)
        #expect(throws: JITDump.Failure.malformedRecord(offset: 40, size: 0)) { try read(dump.bytes) }
    }

    @Test func `a file is followed record by record`() throws {
        let process = getpid()
        let path = "/tmp/jit-\(process).dump"
        defer { try? FileManager.default.removeItem(atPath: path) }
        var dump = JITDumpAssembler(process: UInt32(process))
        dump.load("one", 0x1000, [UInt8](repeating: 0x90, count: 300_000), at: 10)
        let first = dump.bytes.count
        dump.load("two", 0x200000, [0x90], at: 20)
        // Torn within the second record.
        try Data(dump.bytes[..<(first + 30)]).write(to: URL(fileURLWithPath: path))
        var file = JITDumpFile(process, path: path)
        _ = try file.refresh(at: 100)
        #expect(file.match(0x1000, at: 100)?.name == "one" && file.match(0x200000, at: 100) == nil)
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.seekToEnd()
        handle.write(Data(dump.bytes[(first + 30)...]))
        _ = try file.refresh(at: 101)
        #expect(file.match(0x200000, at: 100)?.name == "two")
        #expect(try file.refresh(at: 102) == .unchanged)
    }

    @Test func `a file that another process wrote is refused`() throws {
        let path = "/tmp/jit-\(getpid())1.dump"
        defer { try? FileManager.default.removeItem(atPath: path) }
        var dump = JITDumpAssembler(process: 1)
        dump.load("one", 0x1000, [0x90], at: 10)
        try Data(dump.bytes).write(to: URL(fileURLWithPath: path))
        var file = JITDumpFile(getpid(), path: path)
        _ = try? file.refresh(at: 100)
        #expect(file.failure == .otherProcess(1) && file.match(0x1000, at: 100) == nil)
    }

    @Test(arguments: [
        ("/home/u/jit-12.dump", true), ("/tmp/jit-.dump", false), ("/tmp/jit-1x.dump", false), ("jit-12.dump", false),
        ("/tmp/xjit-12.dump", false),
    ])
    func `mappings of a jitdump are recognised`(path: String, isDump: Bool) {
        #expect(JITDumpFile.isJITDump(path) == isDump)
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/node"), "needs node"))
    func `node's dump is read while it is written`() throws {
        let workshop = try Workshop()
        let script = try workshop.write(
            "spin.js", "function spin(n) { let x = n; while (x) x = (x * 16807 + 1) % 2147483647; }\nspin(1);\n")
        let program = try StartedProgram("/usr/bin/node", ["--perf-prof", script], folder: workshop.folder)
        Thread.sleep(forTimeInterval: 1.5)
        let path = try #require(JITDumpFile.path(of: program.identifier))
        var file = JITDumpFile(program.identifier, path: path)
        _ = try file.refresh(at: Clocks.monotonic())
        let held = try #require(try HeldThread(program.identifier, of: program, in: workshop))
        var named: [String: Int] = [:]
        for _ in 0..<30 {
            _ = held.stopped { registers in
                let match = file.match(registers.pc, at: Clocks.monotonic())
                named["\(match?.name ?? "nothing") \(match?.file ?? "") \(match?.line ?? 0)", default: 0] += 1
            }
        }
        print(path, named, file.dump.counts)
        // V8 writes in blocks of some megabytes: of what runs now the last part is not in the file yet.
        #expect(file.dump.counts.functions > 500 && file.failure == nil)
        #expect(file.dump.counts.malformedRecords == 0 && file.dump.names.losses.isEmpty)
    }
}
