internal import LanguageRuntimes
internal import PerfEvents
internal import Profiles
internal import Synchronization
internal import Unwinding

/// An interpreter that was found in a process.
struct FoundInterpreter<Interpreter: SampledInterpreter>: Identifiable, Sendable {
    /// Of the process's entry.
    var serial: UInt64
    var interpreter: Interpreter

    var id: UInt64 { serial }
}

/// The interpreted stacks of samples, read when they were taken and kept until these are handed on in their order.
///
/// Written by the threads of `SampleArrivals`, read by the sampling thread. Two threads of one process wait for each
/// other, those of different processes only for some microseconds.
final class InterpreterArrivals<Interpreter: SampledInterpreter>: ArrivalReader {
    /// A known interpreter, which is read or passed over.
    final class Process: Sendable {
        let serial: UInt64
        /// Samples from then on should be read (CLOCK_MONOTONIC nanoseconds).
        let readableFrom: UInt64
        let place: Interpreter.Place
        /// nil where there were too many to read them all: samples say that they were not read.
        fileprivate let interpreter: Mutex<Interpreter?>
        fileprivate let isRead: Bool
        /// Laid here by who reads: the sampling thread must not wait for a read of another process's memory.
        private let sources = Mutex(Sources())
        private let names = Mutex(Names())

        fileprivate init(_ found: FoundInterpreter<Interpreter>, isRead: Bool) {
            serial = found.serial
            readableFrom = HostClock.monotonicNow &+ InterpreterArrivals.startingTime
            place = found.interpreter.place
            interpreter = Mutex(isRead ? found.interpreter : nil)
            self.isRead = isRead
        }

        /// Says which functions the numbers of now name.
        var generation: UInt32 { sources.withLock { $0.generation } }

        fileprivate func publish(_ interpreter: Interpreter) {
            sources.withLock { sources in
                if sources.generation != interpreter.generation {
                    sources = Sources(generation: interpreter.generation)
                }
                for frame in interpreter.stackFrames {
                    guard let number = Interpreter.number(of: frame), sources.names[number] == nil else { continue }
                    sources.names[number] = interpreter.source(of: number)
                }
            }
        }

        /// Name and file of a function, numbered by `intern`.
        func numbers(
            of function: UInt32, generation: UInt32, _ intern: (String) -> UInt32
        ) -> (name: UInt32, file: UInt32) {
            names.withLock { names in
                if names.generation != generation { names = Names(generation: generation) }
                let place = Int(function)
                while names.numbers.count <= place { names.numbers.append(nil) }
                if let known = names.numbers[place] { return known }
                let source = sources.withLock { $0.generation == generation ? $0.names[function] : nil }
                let (name, file) = source ?? ("[unknown]", "")
                let new = (name: intern(name), file: file.isEmpty ? Frame.none : intern(file))
                names.numbers[place] = new
                return new
            }
        }

        fileprivate func forgetNumbers() { names.withLock { $0 = Names() } }
    }

    /// Names and files of one process's functions by their numbers, as they were read.
    private struct Sources {
        var generation: UInt32 = 0
        var names: [UInt32: (name: String, file: String)] = [:]
    }

    /// What names and files of one process are numbered as, by the numbers of its functions.
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
        var frames: [Interpreter.StackFrame] = []
        var threadNumbers: [Int32: Int32] = [:]
        /// So many frames are worth packing again.
        var packAt = 0
    }

    /// What was read for one sample.
    struct Reading {
        var process: Process
        var generation: UInt32
        var isReadable: Bool
    }

    private let state = Mutex(State())
    private let box = AnswerBox<FoundInterpreter<Interpreter>>()
    private let architecture = UserArchitecture.current

    /// Processes read at a time; each keeps the names of some thousand functions.
    static var maximumRead: Int { 256 }
    /// Processes known at a time.
    private static var maximumProcesses: Int { 65_536 }
    /// Samples that may have arrived and not been handed on.
    private static var maximumArrivals: Int { 4096 }
    private static var maximumThreads: Int { 65_536 }
    private static var framesBeforePacking: Int { 65_536 }
    /// Nanoseconds that the threads may need until they look for a new process.
    private static var startingTime: UInt64 { 100_000_000 }
    /// Nanoseconds from a sample's arrival to its being handed on, unless it waits for an unwind table.
    private static var longestDelay: UInt64 { 1_000_000_000 }

    var isEmpty: Bool { state.withLock { $0.processes.isEmpty } }

    func knows(_ process: Int32) -> Bool { state.withLock { $0.processes[process] != nil } }

    /// An interpreter was found in the process of an entry. From any thread.
    func found(_ interpreter: Interpreter, serial: UInt64) {
        box.put(FoundInterpreter(serial: serial, interpreter: interpreter))
    }

    /// Takes the interpreters that were found. `serial` gives the entry that now has a PID.
    func takeFound(serial: (Int32) -> UInt64?) {
        for found in box.takeAll() where serial(found.interpreter.process) == found.serial {
            state.withLock { state in
                guard state.processes.count < Self.maximumProcesses else { return }
                let isRead = state.processes.values.count { $0.isRead } < Self.maximumRead
                state.processes[found.interpreter.process] = Process(found, isRead: isRead)
            }
        }
    }

    /// The window has closed: forgets processes that have ended or run another program (`serial` gives the entry that
    /// now has a PID), and what was claimed by no sample.
    func closeWindow(at end: UInt64, serial: (Int32) -> UInt64?) {
        let time = end > Self.longestDelay ? end - Self.longestDelay : 0
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

    /// Reads the interpreted stack of a thread that has just been sampled.
    func arrived(_ sample: borrowing SampleRecord) {
        guard !sample.user.registers.isEmpty, let (process, number) = look(sample.pid, sample.tid) else { return }
        let registers = UserRegisters(perfRegisters: sample.user.registers, architecture: architecture)
        let stack = sample.user.stack
        let (thread, time) = (sample.tid, sample.time)
        process.interpreter.withLock { interpreter in
            let isReadable = interpreter?.read(thread: number, registers: registers, copiedStack: stack) ?? false
            guard let interpreter else { return }
            if isReadable { process.publish(interpreter) }
            state.withLock { state in
                let first = state.frames.count
                if isReadable { state.frames += interpreter.stackFrames }
                state.arrivals.append(
                    Arrival(
                        thread: thread, time: time, process: process, generation: interpreter.generation,
                        frames: first..<state.frames.count, isReadable: isReadable))
            }
        }
    }

    /// Hands out what was read for a sample, its frames into `frames`; nil where nothing was to be read.
    func take(
        process: Int32, thread: Int32, time: UInt64, into frames: inout [Interpreter.StackFrame]
    ) -> Reading? {
        frames.removeAll(keepingCapacity: true)
        return state.withLock { state -> Reading? in
            guard let index = state.arrivals.firstIndex(where: { $0.time == time && $0.thread == thread }) else {
                guard let known = state.processes[process], time >= known.readableFrom else { return nil }
                return Reading(process: known, generation: 0, isReadable: false)
            }
            let arrival = state.arrivals.remove(at: index)
            frames += state.frames[arrival.frames]
            if state.arrivals.isEmpty {
                state.frames.removeAll(keepingCapacity: true)
            } else if state.frames.count > max(state.packAt, Self.framesBeforePacking) {
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
        guard let known, known.isRead else { return nil }
        guard Interpreter.needsThreadNumbers else { return (known, thread) }
        if let number { return (known, number) }
        let read = PythonProcess.threadNumber(thread, of: process) ?? thread
        state.withLock { $0.threadNumbers[thread] = read }
        return (known, read)
    }

    /// Forgets what arrived before a moment, and the frames that belong to no arrival.
    private static func pack(_ state: inout State, from time: UInt64) {
        var kept: [Interpreter.StackFrame] = []
        state.arrivals.removeAll { $0.time < time }
        for index in state.arrivals.indices {
            let start = kept.count
            kept += state.frames[state.arrivals[index].frames]
            state.arrivals[index].frames = start..<kept.count
        }
        state.frames = kept
        state.packAt = 2 * kept.count
    }
}
