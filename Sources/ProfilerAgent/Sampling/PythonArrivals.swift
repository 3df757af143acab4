internal import LanguageRuntimes
internal import PerfEvents
internal import Profiles
internal import Synchronization
internal import Unwinding

/// The Python stacks of samples, read when they were taken and kept until these are handed on in their order.
///
/// Written by the threads of `SampleArrivals`, read by the sampling thread. Two threads of one process wait for each
/// other, those of different processes only for some microseconds.
final class PythonArrivals: Sendable {
    /// A known interpreter.
    final class Process: Sendable {
        let serial: UInt64
        /// The address range of the interpreter's loop.
        let evaluation: Range<UInt64>?
        fileprivate let python: Mutex<PythonProcess>
        private let names = Mutex(Names())

        fileprivate init(_ found: PythonAnswer) {
            serial = found.serial
            evaluation = found.python.evaluation
            python = Mutex(found.python)
        }

        /// Says which code objects the numbers of now name.
        var generation: UInt32 { python.withLock { $0.codeGeneration } }

        /// Name and file of a code object, numbered by `intern`.
        func numbers(
            of code: UInt32, generation: UInt32, _ intern: (String) -> UInt32
        ) -> (name: UInt32, file: UInt32) {
            names.withLock { names in
                if names.generation != generation { names = Names(generation: generation) }
                let place = Int(code)
                while names.numbers.count <= place { names.numbers.append(nil) }
                if let known = names.numbers[place] { return known }
                let (function, file) = python.withLock { ($0.function(of: code), $0.file(of: code)) }
                let new = (name: intern(function), file: file.isEmpty ? Frame.none : intern(file))
                names.numbers[place] = new
                return new
            }
        }

        fileprivate func forgetNumbers() { names.withLock { $0 = Names() } }
    }

    /// What names and files of one process are numbered as, by the numbers of their code objects.
    private struct Names {
        var generation: UInt32 = 0
        var numbers: [(name: UInt32, file: UInt32)?] = []
    }

    private struct Arrival {
        var thread: Int32
        var time: UInt64
        var process: Process
        var generation: UInt32
        var frames: Range<Int>
        var isReadable: Bool
    }

    private struct State {
        var processes: [Int32: Process] = [:]
        var arrivals: [Arrival] = []
        var frames: [PythonFrame] = []
        var threadNumbers: [Int32: Int32] = [:]
    }

    /// What was read for one sample.
    struct Reading {
        var process: Process
        var generation: UInt32
        var isReadable: Bool
    }

    private let state = Mutex(State())
    private let architecture = UserArchitecture.current

    /// Processes at a time; each keeps the names of up to 8,192 functions.
    private static let maximumProcesses = 256
    /// Samples that may have arrived and not been handed on.
    private static let maximumArrivals = 4096
    private static let maximumThreads = 65_536
    private static let framesBeforePacking = 65_536

    init() {}

    var isEmpty: Bool { state.withLock { $0.processes.isEmpty } }

    func knows(_ process: Int32) -> Bool { state.withLock { $0.processes[process] != nil } }

    func add(_ found: PythonAnswer) {
        let process = Process(found)
        state.withLock { state in
            guard state.processes.count < Self.maximumProcesses else { return }
            state.processes[found.python.process] = process
        }
    }

    /// Forgets processes that have ended or run another program (`serial` gives the entry that now has a PID), and what
    /// arrived before a moment and was claimed by no sample.
    func forget(before time: UInt64, serial: (Int32) -> UInt64?) {
        state.withLock { state in
            Self.pack(&state, from: time)
            for (process, known) in state.processes where serial(process) != known.serial {
                state.processes[process] = nil
            }
            if state.processes.isEmpty || state.threadNumbers.count > Self.maximumThreads {
                state.threadNumbers.removeAll()
            }
        }
    }

    /// Numbers that names were given mean nothing any more.
    func forgetNumbers() {
        let known = state.withLock { Array($0.processes.values) }
        for process in known { process.forgetNumbers() }
    }

    /// Reads the Python stack of a thread that has just been sampled.
    func arrived(_ sample: borrowing SampleRecord) {
        guard !sample.user.registers.isEmpty, let (process, number) = look(sample.pid, sample.tid) else { return }
        let registers = UserRegisters(perfRegisters: sample.user.registers, architecture: architecture)
        let stack = sample.user.stack
        let (thread, time) = (sample.tid, sample.time)
        process.python.withLock { python in
            let outcome = python.stack(
                ofThread: number, stackPointer: registers.stackPointer, copiedStack: stack)
            state.withLock { state in
                let first = state.frames.count
                var isReadable = true
                switch outcome {
                case .frames: state.frames += python.frames
                case .notInPython: break
                case .inconsistent: isReadable = false
                }
                state.arrivals.append(
                    Arrival(
                        thread: thread, time: time, process: process, generation: python.codeGeneration,
                        frames: first..<state.frames.count, isReadable: isReadable))
            }
        }
    }

    /// Hands out what was read for a sample, its frames into `frames`; nil where nothing was.
    func take(thread: Int32, time: UInt64, into frames: inout [PythonFrame]) -> Reading? {
        frames.removeAll(keepingCapacity: true)
        return state.withLock { state -> Reading? in
            guard let index = state.arrivals.firstIndex(where: { $0.time == time && $0.thread == thread }) else {
                return nil
            }
            let arrival = state.arrivals.remove(at: index)
            frames += state.frames[arrival.frames]
            if state.arrivals.isEmpty {
                state.frames.removeAll(keepingCapacity: true)
            } else if state.frames.count > Self.framesBeforePacking {
                Self.pack(&state, from: 0)
            }
            return Reading(
                process: arrival.process, generation: arrival.generation, isReadable: arrival.isReadable)
        }
    }

    // MARK: Inside

    /// The process, and the number that its interpreter knows the thread by: that of its own PID namespace.
    private func look(_ process: Int32, _ thread: Int32) -> (Process, Int32)? {
        let (known, number) = state.withLock { state -> (Process?, Int32?) in
            guard state.arrivals.count < Self.maximumArrivals else { return (nil, nil) }
            return (state.processes[process], state.threadNumbers[thread])
        }
        guard let known else { return nil }
        if let number { return (known, number) }
        let read = PythonProcess.threadNumber(thread, of: process) ?? thread
        state.withLock { $0.threadNumbers[thread] = read }
        return (known, read)
    }

    /// Forgets what arrived before a moment, and the frames that belong to no arrival.
    private static func pack(_ state: inout State, from time: UInt64) {
        var kept: [PythonFrame] = []
        state.arrivals.removeAll { $0.time < time }
        for index in state.arrivals.indices {
            let start = kept.count
            kept += state.frames[state.arrivals[index].frames]
            state.arrivals[index].frames = start..<kept.count
        }
        state.frames = kept
    }
}
