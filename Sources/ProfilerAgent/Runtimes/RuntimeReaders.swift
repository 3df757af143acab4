internal import LanguageRuntimes
internal import LinuxSystem
internal import Profiles
internal import Unwinding

/// The readers of one process's code made at run time. Belongs to one actor.
final class RuntimeReaders {
    /// When something that failed is tried again.
    private struct Attempts {
        private var failures: UInt64 = 0
        private var next: UInt64 = 0

        func isDue(at now: UInt64) -> Bool { now >= next }

        mutating func failed(at now: UInt64, forGood: Bool = false) {
            next = forGood ? .max : now &+ min(250_000_000 << min(failures, 8), 60_000_000_000)
            failures += 1
        }

        mutating func succeeded() { self = Attempts() }
    }

    let process: SampledProcess
    /// CLOCK_MONOTONIC nanoseconds of the last use.
    var lastUsed: UInt64 = 0
    /// Nothing more can be read; what was read stays good.
    private(set) var isGone = false
    private var auxiliaryVector: [UInt8]?
    private var map: PerfMapFile
    private var mapAttempts = Attempts()
    private var dump: JITDumpFile?
    private var dumpAttempts = Attempts()
    private var jvm: JVMReader<ProcessMemory>?
    private var jvmAttempts = Attempts()
    /// There is a JVM, but none that can be read.
    private var isWithoutJVM = false
    /// It is HotSpot, which lets itself be asked for a perf map.
    private(set) var isOfUnknownVersion = false
    var mapRequest: JVMMapRequest?
    /// CLOCK_MONOTONIC nanoseconds.
    var nextMapRequest: UInt64 = 0
    private let openJVM: RuntimeNaming.OpenJVM
    /// Frames of the JVM's code as of the last reading.
    private(set) var code: RuntimeCode?
    /// Where the JVM's code lies.
    private(set) var codeBounds: Range<UInt64> = 0..<0
    /// A code cache is read all over each time: it must not take more than a fiftieth of a CPU.
    private var nextJVMRefresh: UInt64 = 0
    private static let refreshShare: UInt64 = 50

    /// Of places in a JVM's code: what was found while the process lived and the code lay there, and when.
    private var early: [RuntimeCodeAddress: (names: [RuntimeCodeName], time: UInt64)] = [:]
    private static let mostEarly = 16_384

    /// Of one map or dump.
    private static let limits: RuntimeCodeNames.Limits = {
        var limits = RuntimeCodeNames.Limits()
        limits.entries = 200_000
        limits.nameBytes = 16 << 20
        return limits
    }()
    /// Parts of a file that one refresh reads; one is 32 MiB or 200,000 records.
    private static let partsAtOnce = 4

    init(_ process: SampledProcess, openJVM: @escaping RuntimeNaming.OpenJVM) {
        self.process = process
        self.openJVM = openJVM
        var limits = PerfMapFile.Limits()
        limits.names = Self.limits
        map = PerfMapFile(process.process, limits: limits)
    }

    /// Roughly.
    var memoryBytes: Int {
        map.map.names.memoryBytes + (dump?.dump.names.memoryBytes ?? 0)
            + (jvm.map { $0.names.memoryBytes + $0.ranges.count * 256 + (1 << 20) } ?? 0)
    }

    /// Reads what is new. Answers up to when `code` holds now; nil where it was not the time to read that.
    func refresh(at now: UInt64) -> UInt64? {
        guard !isGone else { return .max }
        guard isStillThere() else {
            isGone = true
            return .max
        }
        refreshMap(at: now)
        refreshDump(at: now)
        return refreshJVM(at: now)
    }

    /// A PID may have gone to another process, or the process to another program: an exec draws new places for
    /// everything, which the auxiliary vector tells.
    private func isStillThere() -> Bool {
        guard let status = ProcessStatus.read(process.process) else { return false }
        let vector = ProcFile.read("/proc/\(process.process)/auxv", limit: 4096)
        if auxiliaryVector == nil { auxiliaryVector = vector }
        guard vector == auxiliaryVector else { return false }
        let start = HostClock.now().monotonic(ofBootTicks: status.startTicks)
        let distance = start > process.startTime ? start - process.startTime : process.startTime - start
        return distance <= ProcessTable.startTolerance
    }

    private func refreshMap(at now: UInt64) {
        guard mapAttempts.isDue(at: now) else { return }
        do throws(RuntimeFile.Failure) {
            for _ in 0..<Self.partsAtOnce {
                guard case .behind = try map.refresh(at: now) else { break }
            }
            mapAttempts.succeeded()
        } catch {
            mapAttempts.failed(at: now)
        }
    }

    private func refreshDump(at now: UInt64) {
        guard dumpAttempts.isDue(at: now) else { return }
        if dump == nil {
            guard let path = JITDumpFile.path(of: process.process) else { return dumpAttempts.failed(at: now) }
            var limits = JITDumpFile.Limits()
            limits.names = Self.limits
            dump = JITDumpFile(process.process, path: path, limits: limits)
        }
        do throws(JITDumpFile.Failure) {
            for _ in 0..<Self.partsAtOnce {
                guard case .behind = try dump?.refresh(at: now) else { break }
            }
            dumpAttempts.succeeded()
        } catch {
            if case .content = error { return dumpAttempts.failed(at: now, forGood: true) }
            dumpAttempts.failed(at: now)
            // Another path may be mapped by then.
            if dump?.dump.names.isEmpty ?? false { dump = nil }
        }
    }

    private func refreshJVM(at now: UInt64) -> UInt64? {
        guard !isWithoutJVM else { return .max }
        // Where reading fails nothing is worth waiting for.
        guard jvmAttempts.isDue(at: now) else { return now }
        guard now >= nextJVMRefresh else { return nil }
        // The first reading finds everything new and says little of those that follow.
        let isFirst = jvm == nil
        let before = Clocks.threadCPU()
        defer { if !isFirst { nextJVMRefresh = now &+ Self.refreshShare &* (Clocks.threadCPU() &- before) } }
        do throws(JVMError) {
            if jvm == nil { jvm = try openJVM(process.process) }
            let rangesBefore = jvm?.ranges.count
            guard let found = try jvm?.refresh(at: now), let jvm else { return nil }
            jvmAttempts.succeeded()
            codeBounds = jvm.codeBounds
            if code == nil || found.newBlobs > 0 || jvm.ranges.count != rangesBefore {
                code = RuntimeCode(jvm.ranges.map(Self.unwindRange))
            }
        } catch {
            switch error {
            // Another JVM than HotSpot might answer the signal that attaching sends with a dump of itself.
            case .noDescription:
                isWithoutJVM = true
                return .max
            case .unknownVersion:
                isWithoutJVM = true
                isOfUnknownVersion = true
                return .max
            // A JVM that is being started has no code cache yet.
            case .notAJVM, .unreadable, .inconsistent: jvmAttempts.failed(at: now)
            }
        }
        return now
    }

    private static func unwindRange(_ range: JVMCodeRange) -> RuntimeCode.Range {
        RuntimeCode.Range(
            start: range.start, end: range.end, frameBytes: range.frameBytes, completeOffset: range.completeOffset,
            isInterpreter: range.kind == .interpreter, savesFramePointer: range.kind == .compiled)
    }

    /// Whether all places lie in a JVM's code as it was last read.
    func areInKnownCode(_ places: [RuntimeCodeAddress], at now: UInt64) -> Bool {
        guard let jvm else { return false }
        return places.allSatisfy { $0.bytecodePointers != nil || jvm.names.match($0.address, at: now) != nil }
    }

    /// Keeps the functions at places of a JVM's code as it is now.
    func nameEarly(_ places: [RuntimeCodeAddress], at now: UInt64) {
        guard !isGone, jvm != nil else { return }
        for place in places where early.count < Self.mostEarly {
            let isInJVM = place.bytecodePointers != nil || jvm?.names.match(place.address, at: now) != nil
            guard isInJVM else { continue }
            let found = names(place, time: now, now: now, isInHurry: false)
            if found != [.interpreter] { early[place] = (found, now) }
        }
    }

    /// A window that ended at `time` has been named.
    func forgetEarly(until time: UInt64) {
        if !early.isEmpty { early = early.filter { $0.value.time > time } }
    }

    /// The functions at a place, outermost first; empty where nobody knows.
    ///
    /// - Parameters:
    ///   - time: The end of the window that the sample is of (CLOCK_MONOTONIC).
    ///   - now: When `refresh` was last called; code that was first seen then may have run before.
    ///   - isInHurry: Nothing may be read of the process any more.
    func names(_ place: RuntimeCodeAddress, time: UInt64, now: UInt64, isInHurry: Bool) -> [RuntimeCodeName] {
        if let known = early[place] { return known.names }
        if let pointers = place.bytecodePointers {
            let frame =
                isInHurry ? nil : jvm?.interpretedFrame(method: place.address, bytecodePointers: pointers)
            return [frame.map { RuntimeCodeName($0) } ?? .interpreter]
        }
        if let match = jvm?.names.match(place.address, at: time) {
            // Inlined functions and lines are those of what lies there now.
            let isSame = jvm?.names.match(place.address, at: now)?.name == match.name
            if isSame, !isInHurry, let frames = jvm?.frames(at: place.address, time: now), !frames.isEmpty {
                return frames.reversed().map { RuntimeCodeName($0) }
            }
            return [RuntimeCodeName(kind: .jit, function: match.name)]
        }
        if let match = dump?.match(place.address, at: time) ?? map.match(place.address, at: time) {
            return [RuntimeCodeName(match)]
        }
        return []
    }
}

extension RuntimeCodeName {
    /// HotSpot's interpreter where the method that it runs could not be read.
    static let interpreter = RuntimeCodeName(kind: .jit, function: "Interpreter")
}
