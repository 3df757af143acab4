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

/// The Python side of the sampling thread's samples: what was read when a sample was taken (`PythonArrivals`) takes the
/// place of the interpreter's own frames once the native stack has been followed (`PythonMerge`).
final class PythonStacks {
    private let arrivals: PythonArrivals
    private var kinds: [PythonMerge.NativeFrame] = []
    private var merged: [PythonMerge.Frame] = []
    private var python: [PythonFrame] = []
    private let box: AnswerBox<PythonAnswer>

    /// Nanoseconds from a sample's arrival to its being handed on. One that waits for an unwind table is not merged.
    private static let longestDelay: UInt64 = 1_000_000_000

    init(box: AnswerBox<PythonAnswer>, arrivals: PythonArrivals) {
        self.box = box
        self.arrivals = arrivals
    }

    /// Takes the interpreters that were found. `serial` gives the entry that now has a PID.
    func takeFound(serial: (Int32) -> UInt64?) {
        for found in box.takeAll() where serial(found.python.process) == found.serial { arrivals.add(found) }
    }

    /// The window has closed: forgets processes that have ended or run another program, and what no sample claimed.
    func closeWindow(at end: UInt64, serial: (Int32) -> UInt64?) {
        arrivals.forget(before: end > Self.longestDelay ? end - Self.longestDelay : 0, serial: serial)
    }

    /// Numbers of names mean nothing any more.
    func forgetNames() { arrivals.forgetNumbers() }

    /// Puts what was read when the sample was taken in the place of the interpreter's frames of `stack`, whose user part
    /// begins behind `kernelFrames` and is `native`. `intern` numbers a name.
    func merge(
        _ sample: borrowing Sample, native: borrowing [UnwoundFrame], kernelFrames: Int, into stack: inout SampledStack,
        intern: (String) -> UInt32
    ) {
        guard let reading = arrivals.take(thread: sample.tid, time: sample.time, into: &python),
            let evaluation = reading.process.evaluation
        else { return }
        kinds.removeAll(keepingCapacity: true)
        var loops = 0
        for frame in native.indices {
            let isLoop = evaluation.contains(native[frame].address)
            kinds.append(isLoop ? .evaluation : .other)
            loops += isLoop ? 1 : 0
        }
        guard reading.isReadable, reading.generation == reading.process.generation else {
            if loops > 0 { stack.end = .broken(.interpreterUnreadable) }
            return
        }
        guard loops > 0 || !python.isEmpty else { return }
        let isCut = stack.end == .cut
        let verdict = PythonMerge.merge(native: kinds.span, python: python.span, isCut: isCut, into: &merged)
        stack.replaceUserFrames(from: kernelFrames, count: merged.count) { place, own in
            switch merged[place] {
            case .native(let number): return own[number]
            case .interpreted(let number):
                let (name, file) = reading.process.numbers(
                    of: python[number].code, generation: reading.generation, intern)
                return Frame(kind: .interpreted, name: name, file: file, line: python[number].line)
            }
        }
        switch verdict {
        case .whole: break
        case .completed: stack.end = .whole
        case .skewed: stack.end = .broken(.interpreterMovedOn)
        }
    }
}
