import Foundation
import ObjectFiles
import PerfEvents
import SymbolSources
import Unwinding

/// Samples of a command and of all that it starts, as the kernel gives them: registers, copies of stacks, and where code
/// was mapped at that moment.
struct StackRecording {
    struct Sample {
        var registers: UserRegisters
        var stack: [UInt8]
        /// Index into `spaces`.
        var space: Int
    }

    private(set) var samples: [Sample] = []
    private(set) var spaces: [[CodeMapping]] = []
    /// By `CodeMapping.file`; the first one is all that is no file.
    private(set) var files = [""]
    private(set) var tables: [UnwindTable?] = [nil]
    /// To make all tables.
    private(set) var tableSeconds = 0.0
    private(set) var tableBytes = 0

    /// Ends the command where it has not ended by then.
    init(_ command: [String], seconds length: Double, rate: Double, copying bytes: Int) throws {
        let copy = UserStackCopy(byteCount: bytes, registers: UserRegisters.perfMask(.current))
        var sampler = try Sampler(SamplingOptions(samplesPerSecond: rate, userStack: copy))
        sampler.start()
        let started = try Command(command[0], Array(command.dropFirst()))
        var intake = Intake(started.pid)
        let end = seconds(of: CLOCK_MONOTONIC) + length
        while seconds(of: CLOCK_MONOTONIC) < end {
            _ = sampler.wait(upTo: .milliseconds(20))
            sampler.drain(into: &intake)
        }
        started.end(SIGKILL)
        sampler.drainAll(into: &intake)
        samples = intake.samples
        spaces = intake.spaces
        files = intake.files
        var made: [UnwindTable?] = []
        tableSeconds = threadSeconds { made = files.map { try? Self.table($0) } }
        tables = made
        tableBytes = made.reduce(0) { $0 + ($1?.byteCount ?? 0) }
    }

    /// With every table, and without anything in its caches.
    func unwinder() -> Unwinder {
        var unwinder = Unwinder(.current)
        for (file, table) in tables.enumerated() {
            unwinder.set(table.map { .ready($0) } ?? .unreadable, forFile: UInt32(file))
        }
        return unwinder
    }

    private static func table(_ path: String) throws -> UnwindTable {
        let blob: [UInt8]
        if path == "[vdso]" {
            let source = ObjectBytes(ownSharedObject())
            blob = try UnwindSections.encode(ObjectFile(source), from: source)
        } else {
            guard path.hasPrefix("/") else { throw CocoaError(.fileNoSuchFile) }
            let file = try FileHandle(forReadingFrom: URL(filePath: path))
            let source = try DescriptorSource(file.fileDescriptor)
            blob = try UnwindSections.encode(ObjectFile(source), from: source)
        }
        let memory = TableMemory(blob)
        return try unsafe UnwindTable(UnsafeRawBufferPointer(memory.bytes), keeping: memory)
    }

    /// The kernel gives every process the same.
    private static func ownSharedObject() -> [UInt8] {
        let maps = FileManager.default.contents(atPath: "/proc/self/maps") ?? Data()
        for line in String(decoding: maps, as: UTF8.self).split(separator: "\n") where line.hasSuffix("[vdso]") {
            let ends = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt(String($0), radix: 16) }
            guard ends.count == 2 else { continue }
            return unsafe Array(
                UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: ends[0]), count: Int(ends[1] - ends[0])))
        }
        return []
    }
}

/// A table's bytes, for as long as it is used.
@safe private final class TableMemory: Sendable {
    nonisolated(unsafe) let bytes: UnsafeMutableRawBufferPointer

    init(_ blob: [UInt8]) {
        unsafe bytes = .allocate(byteCount: blob.count, alignment: 8)
        unsafe bytes.copyBytes(from: blob)
    }

    deinit { unsafe bytes.deallocate() }
}

/// Keeps what belongs to one process and its descendants.
private struct Intake: RecordHandler {
    var samples: [StackRecording.Sample] = []
    var spaces: [[CodeMapping]] = []
    var files = [""]

    private struct Process {
        var mappings: [CodeMapping] = []
        /// Where `mappings` stand in `spaces`, once a sample needed them.
        var space: Int?
    }

    private var processes: [Int32: Process]
    private var fileNumbers: [String: UInt32] = [:]

    init(_ pid: Int32) { processes = [pid: Process()] }

    mutating func sample(_ sample: borrowing PerfEvents.Sample) {
        guard var process = processes[sample.pid], sample.user.registers.count > 0 else { return }
        let space = process.space ?? spaces.count
        if process.space == nil {
            spaces.append(process.mappings)
            process.space = space
            processes[sample.pid] = process
        }
        let stack = unsafe sample.user.stack.withUnsafeBytes { unsafe Array($0) }
        samples.append(
            .init(
                registers: UserRegisters(perfRegisters: sample.user.registers, architecture: .current), stack: stack,
                space: space))
    }

    mutating func mapped(_ mapping: borrowing Mapping) {
        guard mapping.isExecutable, var process = processes[mapping.pid] else { return }
        let name = unsafe mapping.name.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
        let isFile = name.hasPrefix("/") && !name.hasPrefix("//") || name == "[vdso]"
        var file: UInt32 = 0
        if isFile {
            file = fileNumbers[name] ?? UInt32(files.count)
            if fileNumbers.updateValue(file, forKey: name) == nil { files.append(name) }
        }
        let new = CodeMapping(
            start: mapping.address, end: mapping.address &+ mapping.length, fileOffset: mapping.fileOffset, file: file)
        var kept: [CodeMapping] = []
        for old in process.mappings {
            if old.start < new.start {
                var part = old
                part.end = min(old.end, new.start)
                kept.append(part)
            }
            if old.end > new.end {
                var part = old
                part.start = max(old.start, new.end)
                part.fileOffset += part.start - old.start
                kept.append(part)
            }
        }
        process.mappings = (kept + [new]).sorted { $0.start < $1.start }
        process.space = nil
        processes[mapping.pid] = process
    }

    mutating func named(_ name: borrowing CommandName) {
        if name.isExec, processes[name.pid] != nil { processes[name.pid] = Process() }
    }

    mutating func forked(_ fork: Fork) {
        if fork.pid != fork.parentPID, let parent = processes[fork.parentPID] { processes[fork.pid] = parent }
    }

    mutating func exited(_ exit: Fork) {}
    mutating func cgroup(_ cgroup: borrowing CgroupPath) {}
    mutating func lost(_ count: UInt64, from ring: RingKind, cpu: Int) {}
    mutating func malformed(ring: RingKind, cpu: Int) {}
    mutating func throttled(cpu: Int, time: UInt64) {}
    mutating func unthrottled(cpu: Int, time: UInt64) {}
}
