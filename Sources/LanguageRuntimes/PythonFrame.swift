/// A Python frame as small as a sample's path wants it: its code is a number that `PythonProcess` knows.
public struct PythonFrame: BitwiseCopyable, Hashable, Sendable {
    /// Number of the code object in the process; the same for every frame of that function until
    /// `PythonProcess.codeGeneration` changes.
    public var code: UInt32
    /// Line that is being run, from 1; 0 where unknown.
    public var line: UInt32
    /// As `InterpretedFrame.isEntry`.
    public var isEntry: Bool

    public init(code: UInt32, line: UInt32, isEntry: Bool) {
        self.code = code
        self.line = line
        self.isEntry = isEntry
    }
}

/// What came of reading a thread's Python stack.
public enum PythonStackOutcome: Hashable, Sendable {
    /// The frames are there. `isCut`: only the 1,024 nearest the leaf.
    case frames(PythonAgreement, isCut: Bool)
    /// The thread runs no Python code: it is none of the interpreter's, or has no frame now.
    case notInPython
    /// The stack can't be read or trusted.
    case inconsistent(PythonInconsistency)
}

/// What the copy of the native stack says of the frames that were read after it.
public enum PythonAgreement: UInt8, Hashable, Sendable {
    /// There was nothing to compare: no copy was given, it ends too early, or the version keeps nothing on the C stack
    /// that tells the running frame (3.8 to 3.10; 3.13 and later beyond the entries, which are compared).
    case unknown
    /// 3.11 and 3.12: the interpreter's own note on the C stack (`_PyCFrame`) named the same frame then. Frames are
    /// kept by depth, so this holds after a return and a call of another function as well; and a loop that was entered
    /// from here and ended since doesn't show here but in the number of loops (`PythonMerge`).
    case same
    /// The process had moved on: another frame ran, or another entry led to it.
    case moved
}
