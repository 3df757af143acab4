/// A stack of native and Python frames, made of the one that was unwound and the one that the interpreter tells.
public enum PythonMerge {
    /// What a native frame is to a Python stack.
    public enum NativeFrame: UInt8, Sendable {
        /// Anything that stays as it is: libraries, built-in functions, the program's own code.
        case other
        /// The interpreter's loop, `_PyEval_EvalFrameDefault`: Python frames take its place.
        case evaluation
        /// A function of the interpreter that only carries a call to the loop; left out beside it.
        case glue
    }

    /// A frame of the merged stack.
    public enum Frame: Hashable, Sendable {
        /// Index among the native frames.
        case native(Int)
        /// Index among the Python frames.
        case interpreted(Int)
    }

    public enum Verdict: Hashable, Sendable {
        /// Each native frame of the loop has its Python frames.
        case whole
        /// The native stack was cut, and fits as far as it reaches: what is missing of it is there as Python frames.
        case completed
        /// The stacks are not of the same moment: there are this many loops in one and the other. The frames were put
        /// together from the root, where they last differ; loops at the leaf that got none are left as native frames,
        /// Python frames at the leaf that got none are left out.
        case skewed(native: Int, python: Int)
    }

    /// Puts the Python frames in the place of the interpreter's own, leaf first.
    ///
    /// A native frame of the loop runs the Python frames from one with `isEntry` to the next towards the leaf. So the
    /// n-th loop from the root gets the n-th such group. Functions in C that call back into Python (`sorted` with a
    /// key, `functools.partial`, an extension's callback) stand between two loops and stay there. A generator that is
    /// resumed by C code begins a loop of its own, one resumed within the loop (3.12 and later) does not: the frames'
    /// marks say which. Frames of the loop that were inlined or split (`.cold`) count once where they are one frame.
    ///
    /// - Parameters:
    ///   - native: Frames as they were unwound, leaf first.
    ///   - python: Frames as they were read, leaf first.
    ///   - isCut: The native stack ended before its root.
    ///   - merged: Emptied, then filled, leaf first; its storage is kept.
    @inlinable
    public static func merge(
        native: Span<NativeFrame>, python: Span<PythonFrame>, isCut: Bool, into merged: inout [Frame]
    ) -> Verdict {
        merged.removeAll(keepingCapacity: true)
        var loops = 0
        for index in 0..<native.count where native[index] == .evaluation { loops += 1 }
        var groups = 0
        for index in 0..<python.count where python[index].isEntry { groups += 1 }
        // Frames rootward of the last mark belong to a loop that was just entered or left.
        let fits = loops == groups && (python.count == 0 || python[python.count - 1].isEntry)
        let fitsCut = isCut && groups >= loops
        var skippedLoops = 0
        var next = 0
        if !fits && !fitsCut {
            skippedLoops = max(0, loops - groups)
            // The leaf's groups that no loop stands for.
            var skippedGroups = max(0, groups - loops)
            while skippedGroups > 0, next < python.count {
                if python[next].isEntry { skippedGroups -= 1 }
                next += 1
            }
        }
        var isBesideLoop = false
        for index in 0..<native.count {
            switch native[index] {
            case .evaluation where skippedLoops > 0:
                skippedLoops -= 1
                isBesideLoop = false
                merged.append(.native(index))
            case .evaluation:
                isBesideLoop = true
                while next < python.count {
                    merged.append(.interpreted(next))
                    next += 1
                    if python[next - 1].isEntry { break }
                }
            case .glue where isBesideLoop: break
            case .glue, .other:
                isBesideLoop = false
                merged.append(.native(index))
            }
        }
        if fits { return .whole }
        guard fitsCut else { return .skewed(native: loops, python: groups) }
        while next < python.count {
            merged.append(.interpreted(next))
            next += 1
        }
        return .completed
    }

    /// What the function of this name, as the symbol table has it, is to a Python stack.
    public static func nativeFrame(_ function: String) -> NativeFrame {
        if isEvaluation(function) { return .evaluation }
        return glue.contains(function) ? .glue : .other
    }

    /// The interpreter's loop and the parts that compilers split off it.
    private static func isEvaluation(_ function: String) -> Bool {
        let name = "_PyEval_EvalFrameDefault"
        return function == name || function.hasPrefix(name + ".")
    }

    /// Functions between a loop and the next one towards the root that a call of a Python function by another goes
    /// through (Python/ceval.c, Objects/call.c, 3.8 to 3.13).
    private static let glue: Set<String> = [
        "_PyEval_EvalFrame", "_PyEval_Vector", "_PyEval_EvalCode", "_PyEval_EvalCodeWithName", "_PyFunction_Vectorcall",
        "function_code_fastcall", "call_function", "PyObject_Vectorcall", "_PyObject_Vectorcall",
        "_PyObject_VectorcallTstate", "_PyVectorcall_Call", "PyVectorcall_Call", "PyObject_Call", "_PyObject_Call",
        "do_call_core", "method_vectorcall", "_PyObject_Call_Prepend", "PyEval_EvalFrameEx", "PyEval_EvalFrame",
    ]
}
