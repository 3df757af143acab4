internal import LanguageRuntimes
internal import PerfEvents
internal import Profiles
internal import Unwinding

/// To `SamplerQuestion.python`: the interpreter that was found.
struct PythonAnswer: Identifiable, Sendable {
    /// Of the process's entry.
    var serial: UInt64
    var python: PythonProcess

    var id: UInt64 { serial }
}

/// The Python side of the sampling thread's samples.
///
/// A Python stack lies in the process's memory and must be read at once: when a sample arrives, not when it is handed
/// on in its order. What was read then is put in the place of the interpreter's own frames once the native stack has
/// been followed (`PythonMerge`).
final class PythonStacks {
    /// A class, so that looking at one copies nothing of its reader.
    private final class Process {
        let serial: UInt64
        var python: PythonProcess
        /// By code number: numbers of name and file in the process table, `unknown` until they are asked for.
        var names: [(name: UInt32, file: UInt32)] = []
        var generation: UInt32 = 0

        init(_ found: PythonAnswer) {
            serial = found.serial
            python = found.python
        }
    }

    /// What was read when a sample arrived.
    private struct Arrival {
        var thread: Int32
        var time: UInt64
        var process: Int32
        var generation: UInt32
        var frames: Range<Int>
        var isReadable: Bool
    }

    private var processes: [Int32: Process] = [:]
    private var arrivals: [Arrival] = []
    private var frames: [PythonFrame] = []
    private var threadNumbers: [Int32: Int32] = [:]
    private var kinds: [PythonMerge.NativeFrame] = []
    private var merged: [PythonMerge.Frame] = []
    private var python: [PythonFrame] = []
    private let box: AnswerBox<PythonAnswer>
    private let architecture = UserArchitecture.current

    private static let unknown = UInt32.max
    /// Processes at a time; each keeps the names of up to 8,192 functions.
    private static let maximumProcesses = 256
    /// Samples that may have arrived and not been handed on.
    private static let maximumArrivals = 4096
    private static let maximumThreads = 65_536
    private static let framesBeforePacking = 65_536
    /// Nanoseconds from a sample's arrival to its being handed on. One that waits for an unwind table is not merged.
    private static let longestDelay: UInt64 = 1_000_000_000

    init(box: AnswerBox<PythonAnswer>) { self.box = box }

    var isEmpty: Bool { processes.isEmpty }

    /// Takes the interpreters that were found. `serial` gives the entry that now has a PID.
    func takeFound(serial: (Int32) -> UInt64?) {
        for found in box.takeAll() {
            let process = found.python.process
            guard serial(process) == found.serial, processes.count < Self.maximumProcesses else { continue }
            processes[process] = Process(found)
        }
    }

    /// The window has closed: forgets processes that have ended or run another program, and what no sample claimed.
    func closeWindow(at end: UInt64, serial: (Int32) -> UInt64?) {
        pack(from: end > Self.longestDelay ? end - Self.longestDelay : 0)
        for (process, known) in processes where serial(process) != known.serial { processes[process] = nil }
        if processes.isEmpty || threadNumbers.count > Self.maximumThreads { threadNumbers.removeAll() }
    }

    /// Numbers of names mean nothing any more.
    func forgetNames() {
        for process in processes.values { process.names.removeAll(keepingCapacity: true) }
    }

    /// Reads the Python stack of a thread that has just been sampled.
    func arrived(_ sample: borrowing SampleRecord) {
        guard arrivals.count < Self.maximumArrivals, let process = processes[sample.pid],
            !sample.user.registers.isEmpty
        else { return }
        let number = threadNumber(sample.tid, of: sample.pid)
        let registers = UserRegisters(perfRegisters: sample.user.registers, architecture: architecture)
        let outcome = process.python.stack(
            ofThread: number, stackPointer: registers.stackPointer, copiedStack: sample.user.stack)
        var arrival = Arrival(
            thread: sample.tid, time: sample.time, process: sample.pid, generation: 0,
            frames: frames.count..<frames.count, isReadable: false)
        switch outcome {
        case .frames:
            frames += process.python.frames
            arrival.generation = process.python.codeGeneration
            arrival.isReadable = true
        case .notInPython: arrival.isReadable = true
        case .inconsistent: break
        }
        arrival.frames = arrival.frames.lowerBound..<frames.count
        arrivals.append(arrival)
    }

    /// Puts what was read when the sample arrived in the place of the interpreter's frames of `stack`, whose user part
    /// begins behind `kernelFrames` and is `native`. `intern` numbers a name.
    func merge(
        _ sample: borrowing Sample, native: borrowing [UnwoundFrame], kernelFrames: Int, into stack: inout SampledStack,
        intern: (String) -> UInt32
    ) {
        guard let index = arrivals.firstIndex(where: { $0.time == sample.time && $0.thread == sample.tid }) else {
            return
        }
        let arrival = arrivals[index]
        defer { drop(index) }
        guard let process = processes[arrival.process], let evaluation = process.python.evaluation else { return }
        kinds.removeAll(keepingCapacity: true)
        var loops = 0
        for frame in native.indices {
            let isLoop = evaluation.contains(native[frame].address)
            kinds.append(isLoop ? .evaluation : .other)
            loops += isLoop ? 1 : 0
        }
        guard arrival.isReadable, arrival.generation == process.python.codeGeneration else {
            if loops > 0 { stack.end = .broken(.interpreterUnreadable) }
            return
        }
        python.removeAll(keepingCapacity: true)
        python += frames[arrival.frames]
        guard loops > 0 || !python.isEmpty else { return }
        let isCut = stack.end == .cut
        let verdict = PythonMerge.merge(native: kinds.span, python: python.span, isCut: isCut, into: &merged)
        stack.replaceUserFrames(from: kernelFrames, count: merged.count) { place, own in
            switch merged[place] {
            case .native(let number): return own[number]
            case .interpreted(let number):
                let (name, file) = Self.names(of: python[number].code, in: process, intern)
                return Frame(kind: .interpreted, name: name, file: file, line: python[number].line)
            }
        }
        switch verdict {
        case .whole: break
        case .completed: stack.end = .whole
        case .skewed: stack.end = .broken(.interpreterMovedOn)
        }
    }

    // MARK: Inside

    private func drop(_ index: Int) {
        arrivals.remove(at: index)
        if arrivals.isEmpty {
            frames.removeAll(keepingCapacity: true)
        } else if frames.count > Self.framesBeforePacking {
            pack(from: 0)
        }
    }

    /// Forgets what arrived before a moment, and the frames that belong to no arrival.
    private func pack(from time: UInt64) {
        var kept: [PythonFrame] = []
        arrivals.removeAll { $0.time < time }
        for index in arrivals.indices {
            let start = kept.count
            kept += frames[arrivals[index].frames]
            arrivals[index].frames = start..<kept.count
        }
        frames = kept
    }

    private static func names(
        of code: UInt32, in process: Process, _ intern: (String) -> UInt32
    ) -> (name: UInt32, file: UInt32) {
        if process.generation != process.python.codeGeneration {
            process.names.removeAll(keepingCapacity: true)
            process.generation = process.python.codeGeneration
        }
        let place = Int(code)
        while process.names.count <= place { process.names.append((name: unknown, file: unknown)) }
        if process.names[place].name == unknown {
            let file = process.python.file(of: code)
            process.names[place] = (
                name: intern(process.python.function(of: code)), file: file.isEmpty ? Frame.none : intern(file)
            )
        }
        return process.names[place]
    }

    /// The interpreter knows its threads by their numbers in its own PID namespace.
    private func threadNumber(_ thread: Int32, of process: Int32) -> Int32 {
        if let known = threadNumbers[thread] { return known }
        let number = PythonProcess.threadNumber(thread, of: process) ?? thread
        threadNumbers[thread] = number
        return number
    }
}
