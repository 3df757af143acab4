internal import LanguageRuntimes
internal import Profiles
internal import Unwinding

/// An interpreter whose frames are read out of its process's memory when one of its threads is sampled.
protocol SampledInterpreter: Sendable {
    /// A frame as it was read: with a number in the place of its function's name.
    associatedtype StackFrame: BitwiseCopyable & Sendable
    /// What merging has to know of the process.
    associatedtype Place: Sendable

    var process: Int32 { get }
    var place: Place { get }
    /// Whether it knows threads by the numbers of their own PID namespace.
    static var needsThreadNumbers: Bool { get }
    /// Reads the frames of a thread; false where they can't be read or trusted.
    mutating func read(thread: Int32, registers: UserRegisters, copiedStack: RawSpan) -> Bool
    /// Of a frame's function; nil where it could not be read.
    static func number(of frame: StackFrame) -> UInt32?
    /// Of the last stack, leaf first.
    var stackFrames: [StackFrame] { get }
    /// Says which functions the numbers of now name.
    var generation: UInt32 { get }
    /// Name and file of a function by its number; the file is empty where it has none.
    func source(of function: UInt32) -> (name: String, file: String)
}

extension PythonProcess: SampledInterpreter {
    static var needsThreadNumbers: Bool { true }

    /// The address range of the interpreter's loop.
    var place: Range<UInt64>? { evaluation }
    var stackFrames: [PythonFrame] { frames }
    static func number(of frame: PythonFrame) -> UInt32? { frame.code }
    var generation: UInt32 { codeGeneration }

    mutating func read(thread: Int32, registers: UserRegisters, copiedStack: RawSpan) -> Bool {
        switch stack(ofThread: thread, stackPointer: registers.stackPointer, copiedStack: copiedStack) {
        case .frames, .notInPython: true
        case .inconsistent: false
        }
    }

    func source(of code: UInt32) -> (name: String, file: String) { (function(of: code), file(of: code)) }
}

extension V8Process: SampledInterpreter {
    static var needsThreadNumbers: Bool { false }

    struct Place: Sendable {
        /// The addresses of V8's own code, and others.
        var image: Range<UInt64>
        var kinds: V8FrameKinds
    }

    var place: Place { Place(image: image, kinds: reader.frameKinds) }
    var stackFrames: [V8StackFrame] { reader.frames }
    static func number(of frame: V8StackFrame) -> UInt32? {
        frame.function == V8StackFrame.unreadable ? nil : frame.function
    }
    var generation: UInt32 { reader.generation }

    /// Frames that can't be read are told one by one.
    mutating func read(thread: Int32, registers: UserRegisters, copiedStack: RawSpan) -> Bool {
        reader.read(stackPointer: registers.stackPointer, copiedStack: copiedStack)
        return true
    }

    func source(of function: UInt32) -> (name: String, file: String) {
        let known = reader.function(function)
        return (known.function, known.file)
    }
}
