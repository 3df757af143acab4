/// Where the interpreter keeps what a stack is read from: offsets in bytes within its structures, on a 64-bit system
/// with CPython built for release.
///
/// 3.8 to 3.12 don't tell them; the tables are `offsetof` of each version's own headers (Include/internal,
/// Include/cpython), the same in all its patch releases. 3.13 and later carry a table (`PythonDebugOffsets`).
package struct PythonLayout: Hashable, Sendable {
    /// How a frame refers to the instruction that it is at.
    package enum Instruction: Hashable, Sendable {
        /// f_lasti counts bytes of co_code (3.8, 3.9) or units of two bytes (3.10).
        case index(unit: Int64)
        /// An address within the code object.
        case pointer
    }

    /// What `co_lnotab` or `co_linetable` is made of.
    package enum LineTable: Hashable, Sendable {
        /// Pairs of address and line increments (3.8, 3.9; Objects/lnotab_notes.txt).
        case increments
        /// Pairs of a range's length and a line increment, −128 for none (PEP 626, 3.10).
        case ranges
        /// Location entries of variable length (3.11 and later; Objects/locations.md).
        case locations
    }

    /// How a frame says that the interpreter's loop was entered for it.
    package enum Entry: Hashable, Sendable {
        /// Each frame is run by a loop of its own (3.8 to 3.10).
        case always
        /// A byte of the frame (3.11).
        case flag(Int)
        /// A frame in the loop's own C frame lies beneath it, whose owner is this or higher (3.12 and later).
        case shim(owner: UInt8)
    }

    // _PyRuntimeState, PyInterpreterState.
    package var interpretersHead: Int
    package var nextInterpreter: Int
    package var threadsHead: Int

    // PyThreadState.
    package var nextThread: Int
    package var interpreter: Int
    package var threadID: Int
    /// nil before 3.11.
    package var nativeThreadID: Int?
    /// The frame that runs, or the _PyCFrame that points to it.
    package var currentFrame: Int
    /// 3.11 and 3.12: where a _PyCFrame holds the frame, and the _PyCFrame before it.
    package var controlFrame: ControlFrame?
    package struct ControlFrame: Hashable, Sendable {
        package var currentFrame: Int
        package var previous: Int
    }

    // PyFrameObject or _PyInterpreterFrame.
    package var frameCode: Int
    package var framePrevious: Int
    package var frameInstruction: Int
    /// nil before 3.11, where frames are objects.
    package var frameOwner: Int?
    /// Up to 3.10: a byte of the frame that says whether it is run now (f_executing, f_state), and its value if so.
    package var frameState: State?
    package struct State: Hashable, Sendable {
        package var offset: Int
        package var running: UInt8
    }
    package var entry: Entry
    package var instruction: Instruction

    // PyCodeObject.
    package var codeFirstLine: Int
    package var codeFilename: Int
    package var codeName: Int
    /// nil before 3.11.
    package var codeQualifiedName: Int?
    package var codeLineTable: Int
    /// Where the instructions begin, for `Instruction.pointer`.
    package var codeStart: Int
    package var lineTable: LineTable
    /// Bits of a frame's reference to its code that are no part of the address (3.14: 2 bits of a tagged reference).
    package var codeTagMask: UInt64 = 0
    /// Instructions may lie outside the code object (free-threaded 3.14): then a line can't be had.
    package var instructionsMayMove = false

    // PyObject, PyBytesObject, PyASCIIObject, PyCompactUnicodeObject, PyTypeObject.
    package var objectType = 8
    package var typeName = 24
    package var bytesSize = 16
    package var bytesValue = 32
    package var textLength = 16
    package var textState = 32
    /// Size of PyASCIIObject, behind which ASCII text lies.
    package var asciiHeader: Int
    /// Size of PyCompactUnicodeObject, behind which other text lies.
    package var compactHeader: Int

    /// The layout of 3.8 to 3.12; nil for other versions.
    package init?(_ version: PythonVersion) {
        guard version.major == 3 else { return nil }
        switch version.minor {
        case 8, 9:
            self.init(frameObjects: 104, unit: 1, lines: .increments, state: State(offset: 116, running: 1))
        case 10:
            self.init(frameObjects: 96, unit: 2, lines: .ranges, state: State(offset: 108, running: 0))
        case 11: self = .threeEleven
        case 12: self = .threeTwelve
        default: return nil
        }
    }

    private init(
        interpretersHead: Int, nextInterpreter: Int, threadsHead: Int, threadID: Int, nativeThreadID: Int?,
        currentFrame: Int, controlFrame: ControlFrame?, frameCode: Int, framePrevious: Int, frameInstruction: Int,
        frameOwner: Int?, entry: Entry, instruction: Instruction, codeFirstLine: Int, codeFilename: Int, codeName: Int,
        codeQualifiedName: Int?, codeLineTable: Int, codeStart: Int, lineTable: LineTable, asciiHeader: Int
    ) {
        self.interpretersHead = interpretersHead
        self.nextInterpreter = nextInterpreter
        self.threadsHead = threadsHead
        nextThread = 8
        interpreter = 16
        self.threadID = threadID
        self.nativeThreadID = nativeThreadID
        self.currentFrame = currentFrame
        self.controlFrame = controlFrame
        self.frameCode = frameCode
        self.framePrevious = framePrevious
        self.frameInstruction = frameInstruction
        self.frameOwner = frameOwner
        self.entry = entry
        self.instruction = instruction
        self.codeFirstLine = codeFirstLine
        self.codeFilename = codeFilename
        self.codeName = codeName
        self.codeQualifiedName = codeQualifiedName
        self.codeLineTable = codeLineTable
        self.codeStart = codeStart
        self.lineTable = lineTable
        self.asciiHeader = asciiHeader
        // Up to 3.11 both headers end with fields of wchar_t text; behind utf8_length and utf8 the compact one has its
        // length.
        compactHeader = asciiHeader == 48 ? 72 : asciiHeader + 16
    }

    private init(frameObjects instructionIndex: Int, unit: Int64, lines: LineTable, state: State) {
        self.init(
            interpretersHead: 32, nextInterpreter: 0, threadsHead: 8, threadID: 176, nativeThreadID: nil,
            currentFrame: 24, controlFrame: nil, frameCode: 32, framePrevious: 24, frameInstruction: instructionIndex,
            frameOwner: nil, entry: .always, instruction: .index(unit: unit), codeFirstLine: 40, codeFilename: 104,
            codeName: 112, codeQualifiedName: nil, codeLineTable: 120, codeStart: 0, lineTable: lines, asciiHeader: 48)
        frameState = state
    }

    private static let threeEleven = PythonLayout(
        interpretersHead: 40, nextInterpreter: 0, threadsHead: 16, threadID: 152, nativeThreadID: 160,
        currentFrame: 56, controlFrame: ControlFrame(currentFrame: 8, previous: 16), frameCode: 32, framePrevious: 48,
        frameInstruction: 56, frameOwner: 69, entry: .flag(68), instruction: .pointer, codeFirstLine: 72,
        codeFilename: 112, codeName: 120, codeQualifiedName: 128, codeLineTable: 136, codeStart: 184,
        lineTable: .locations, asciiHeader: 48)

    private static let threeTwelve = PythonLayout(
        interpretersHead: 40, nextInterpreter: 0, threadsHead: 72, threadID: 136, nativeThreadID: 144,
        currentFrame: 56, controlFrame: ControlFrame(currentFrame: 0, previous: 8), frameCode: 0, framePrevious: 8,
        frameInstruction: 56, frameOwner: 70, entry: .shim(owner: 3), instruction: .pointer, codeFirstLine: 68,
        codeFilename: 112, codeName: 120, codeQualifiedName: 128, codeLineTable: 136, codeStart: 192,
        lineTable: .locations, asciiHeader: 40)

    /// From the table that 3.13 and later carry; nil where its offsets can't be those of such structures.
    package init?(_ table: PythonDebugOffsets) {
        let offsets = table.offsets
        guard offsets.allSatisfy({ $0 < 1 << 20 }) else { return nil }
        func offset(_ index: Int) -> Int { Int(offsets[index]) }
        let isNewer = table.version >= PythonVersion(3, 14)
        self.init(
            interpretersHead: offset(0), nextInterpreter: offset(1), threadsHead: offset(2), threadID: offset(6),
            nativeThreadID: offset(7), currentFrame: offset(5), controlFrame: nil, frameCode: offset(9),
            framePrevious: offset(8), frameInstruction: offset(10), frameOwner: offset(11), entry: .shim(owner: 3),
            instruction: .pointer, codeFirstLine: offset(16), codeFilename: offset(12), codeName: offset(13),
            codeQualifiedName: offset(14), codeLineTable: offset(15), codeStart: offset(17), lineTable: .locations,
            asciiHeader: offset(24))
        nextThread = offset(3)
        interpreter = offset(4)
        objectType = offset(18)
        typeName = offset(19)
        bytesSize = offset(20)
        bytesValue = offset(21)
        textState = offset(22)
        textLength = offset(23)
        compactHeader = asciiHeader + 16
        codeTagMask = isNewer ? 3 : 0
        instructionsMayMove = isNewer && table.isFreeThreaded
        // What is read of a structure at once has a limit; of these only the interpreter's is large.
        guard threadBytes <= 4096, frameBytes <= 1024, codeBytes <= 1024, asciiHeader <= 256, bytesValue <= 256 else {
            return nil
        }
    }

    /// Bytes of a thread state, frame and code object that hold all that is read of them.
    package var threadBytes: Int {
        max(nextThread, interpreter, threadID, nativeThreadID ?? 0, currentFrame) + 8
    }
    package var frameBytes: Int {
        max(frameCode, framePrevious, frameInstruction, frameOwner ?? 0, frameState?.offset ?? 0) + 8
    }
    package var codeBytes: Int {
        max(codeFirstLine, codeFilename, codeName, codeQualifiedName ?? 0, codeLineTable, objectType) + 8
    }
    package var controlFrameBytes: Int { controlFrame.map { max($0.currentFrame, $0.previous) + 8 } ?? 0 }
}
