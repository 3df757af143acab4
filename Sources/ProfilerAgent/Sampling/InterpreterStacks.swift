internal import LanguageRuntimes
internal import PerfEvents
internal import Profiles
internal import Unwinding

/// Which interpreter a process may run, by the name of a file that is mapped there.
enum InterpreterKind: Hashable, Sendable {
    case python
    case v8

    init?(_ path: String) {
        guard let slash = path.utf8.lastIndex(of: 0x2F) else { return nil }
        let name = path.utf8[path.utf8.index(after: slash)...]
        if name.starts(with: "python".utf8) || name.starts(with: "libpython".utf8) {
            self = .python
        } else if V8Process.mayHoldV8(path) {
            self = .v8
        } else {
            return nil
        }
    }
}

/// The interpreters that are read when a sample is taken.
struct SampledInterpreters: Sendable {
    let pythons = InterpreterArrivals<PythonProcess>()
    let v8s = InterpreterArrivals<V8Process>()

    var readers: [any ArrivalReader] { [pythons, v8s] }
}

/// The interpreted side of the sampling thread's samples: what was read when a sample was taken takes the place of the
/// interpreter's own frames once the native stack has been followed (`PythonMerge`, `V8Merge`).
final class InterpreterStacks {
    private let pythons: InterpreterArrivals<PythonProcess>
    private let v8s: InterpreterArrivals<V8Process>
    // Of the stack at hand; storage is kept.
    private var pythonFrames: [PythonFrame] = []
    private var pythonNative: [PythonMerge.NativeFrame] = []
    private var pythonMerged: [PythonMerge.Frame] = []
    private var v8Frames: [V8StackFrame] = []
    private var v8Native: [V8Merge.NativeFrame] = []
    private var v8Merged: [V8Merge.Frame] = []

    /// V8 tells nothing of it but that it is there.
    private static let regularExpression = "(regular expression)"

    init(_ interpreters: SampledInterpreters) {
        pythons = interpreters.pythons
        v8s = interpreters.v8s
    }

    /// Takes the interpreters that were found. `serial` gives the entry that now has a PID.
    func takeFound(serial: (Int32) -> UInt64?) {
        pythons.takeFound(serial: serial)
        v8s.takeFound(serial: serial)
    }

    /// The window has closed: forgets processes that have ended or run another program, and what no sample claimed.
    func closeWindow(at end: UInt64, serial: (Int32) -> UInt64?) {
        pythons.closeWindow(at: end, serial: serial)
        v8s.closeWindow(at: end, serial: serial)
    }

    /// Numbers of names mean nothing any more.
    func forgetNames() {
        pythons.forgetNumbers()
        v8s.forgetNumbers()
    }

    /// A sample whose stack is not followed wants nothing of what was read for it.
    func drop(process: Int32, thread: Int32, time: UInt64) {
        if !pythons.isEmpty { _ = pythons.take(process: process, thread: thread, time: time, into: &pythonFrames) }
        if !v8s.isEmpty { _ = v8s.take(process: process, thread: thread, time: time, into: &v8Frames) }
    }

    /// Puts what was read when a sample was taken in the place of the interpreter's frames of `stack`, whose user part
    /// begins behind `kernelFrames` and is `native`. `intern` numbers a name.
    func merge(
        process: Int32, thread: Int32, time: UInt64, _ user: borrowing UserState, native: borrowing [UnwoundFrame],
        kernelFrames: Int, into stack: inout SampledStack, intern: (String) -> UInt32
    ) {
        if !pythons.isEmpty,
            let reading = pythons.take(process: process, thread: thread, time: time, into: &pythonFrames)
        {
            mergePython(reading, native: native, kernelFrames: kernelFrames, into: &stack, intern: intern)
        }
        // A process with both keeps the one that was merged first: the frames are no longer those of `native`.
        if !v8s.isEmpty, let reading = v8s.take(process: process, thread: thread, time: time, into: &v8Frames),
            stack.frames.count - kernelFrames == native.count
        {
            mergeV8(reading, user, native: native, kernelFrames: kernelFrames, into: &stack, intern: intern)
        }
    }

    private func mergePython(
        _ reading: InterpreterArrivals<PythonProcess>.Reading, native: borrowing [UnwoundFrame], kernelFrames: Int,
        into stack: inout SampledStack, intern: (String) -> UInt32
    ) {
        guard let evaluation = reading.process.place else { return }
        pythonNative.removeAll(keepingCapacity: true)
        var loops = 0
        for frame in native.indices {
            let isLoop = evaluation.contains(native[frame].address)
            pythonNative.append(isLoop ? .evaluation : .other)
            loops += isLoop ? 1 : 0
        }
        guard reading.isReadable, reading.generation == reading.process.generation else {
            if loops > 0 { stack.end = .broken(.interpreterUnreadable) }
            return
        }
        guard loops > 0 || !pythonFrames.isEmpty else { return }
        let isCut = stack.end == .cut
        let verdict = PythonMerge.merge(
            native: pythonNative.span, python: pythonFrames.span, isCut: isCut, into: &pythonMerged)
        stack.replaceUserFrames(from: kernelFrames, count: pythonMerged.count) { place, own in
            switch pythonMerged[place] {
            case .native(let number): return own[number]
            case .interpreted(let number):
                let (name, file) = reading.process.numbers(
                    of: pythonFrames[number].code, generation: reading.generation, intern)
                return Frame(
                    kind: .interpreted, name: name, file: file, line: file == Frame.none ? 0 : pythonFrames[number].line
                )
            }
        }
        switch verdict {
        case .whole: break
        case .completed: stack.end = .whole
        case .skewed: stack.end = .broken(.interpreterMovedOn)
        }
    }

    private func mergeV8(
        _ reading: InterpreterArrivals<V8Process>.Reading, _ user: borrowing UserState,
        native: borrowing [UnwoundFrame], kernelFrames: Int, into stack: inout SampledStack,
        intern: (String) -> UInt32
    ) {
        guard let first = native.first else { return }
        v8Native.removeAll(keepingCapacity: true)
        for index in native.indices {
            let frame = native[index]
            var place = V8Merge.NativeFrame.Place.other
            if frame.origin != .callFrameInformation, !frame.isSignal {
                if reading.process.place.image.contains(frame.address) {
                    place = .builtin
                } else if frame.mapping < 0 || stack.frames[kernelFrames + index].kind == .jit {
                    place = .runtimeCode
                }
            }
            // The caller's stack begins behind the frame pointer and the return address that the frame saved.
            let framePointer = index + 1 < native.count ? native[index + 1].stackPointer &- 16 : 0
            let marker = SampledStack.word(user.stack, framePointer &- 8 &- first.stackPointer) ?? .max
            v8Native.append(V8Merge.NativeFrame(place: place, framePointer: framePointer, marker: marker))
        }
        guard reading.isReadable, reading.generation == reading.process.generation else {
            if v8Native.contains(where: { $0.place == .runtimeCode }) { stack.end = .broken(.interpreterUnreadable) }
            return
        }
        let unreadable = V8Merge.merge(
            native: v8Native.span, functions: v8Frames.span, kinds: reading.process.place.kinds, into: &v8Merged)
        stack.replaceUserFrames(from: kernelFrames, count: v8Merged.count) { place, own in
            switch v8Merged[place] {
            case .native(let number): return own[number]
            case .function(let number, let isCompiled):
                let (name, file) = reading.process.numbers(
                    of: v8Frames[number].function, generation: reading.generation, intern)
                return Frame(
                    kind: isCompiled ? .jit : .interpreted, name: name, file: file,
                    line: file == Frame.none ? 0 : v8Frames[number].line,
                    address: isCompiled ? SampledStack.namedAddress : 0)
            case .regularExpression:
                return Frame(
                    kind: .jit, name: intern(Self.regularExpression), address: SampledStack.namedAddress)
            }
        }
        if unreadable > 0, stack.end == .whole { stack.end = .broken(.interpreterMovedOn) }
    }
}
