public import LinuxSystem

/// A process that runs CPython 3.8 to 3.13 (and 3.14 by its table), whose threads' Python stacks are read from outside
/// while it runs on.
///
/// Meant to be asked at once after a sample of a thread: what is read is the stack of some microseconds later. How far
/// that is the sample's stack is told by `PythonAgreement` and by `PythonMerge`, which counts the interpreter's loops.
/// Everything that is read is bounded and checked (depth, bytes, system calls, types, lengths, cycles); what doesn't fit
/// together is read again, three times at most, then given up with a reason. Names and lines of code objects are kept.
public struct PythonProcess: Sendable {
    /// 1,024: frames nearer to the root are left out.
    public static let maximumDepth = PythonStackReader<ProcessMemory>.maximumDepth

    public let process: Int32
    public let version: PythonVersion
    /// The file that has the interpreter in it.
    public let path: String
    /// Address of `_PyRuntime` in the process.
    public let runtime: UInt64
    /// Where `_PyEval_EvalFrameDefault` lies in the process, if its symbol is exported. Compilers move rare parts of it
    /// elsewhere (`.cold`): a symbol table knows more.
    public let evaluation: Range<UInt64>?
    private var reader: PythonStackReader<ProcessMemory>

    /// Finds the interpreter of a process in what is mapped there. Reads memory, opens no file; some tens of system calls.
    ///
    /// - Parameters:
    ///   - mappings: All mappings of /proc/PID/maps, not only executable ones, in its order.
    ///   - symbol: Where the caller knows a symbol that the file doesn't export: its address in the process.
    public static func detect(
        process: Int32, mappings: [ProcessMapping],
        symbol: ((_ path: String, _ name: String) -> UInt64?)? = nil
    ) -> PythonDetection {
        let memory = ProcessMemory(process: process)
        switch PythonInterpreter.find(memory: memory, mappings: mappings, symbol: symbol) {
        case .none: return .notPython
        case .unsupported(let version): return .unsupported(version)
        case .unknownVersion: return .unknownVersion
        case .interpreter(let found): return .python(PythonProcess(memory, found))
        }
    }

    private init(_ memory: ProcessMemory, _ found: PythonInterpreter) {
        process = memory.process
        version = found.version
        path = found.path
        runtime = found.runtime
        evaluation = found.evaluation
        reader = PythonStackReader(
            memory: memory, layout: found.layout, runtime: found.runtime, codeType: found.codeType)
    }

    /// Reads the Python stack of a thread into `frames`.
    ///
    /// - Parameters:
    ///   - thread: Its number as the process itself sees it: in a PID namespace, `threadNumber(_:of:)`.
    ///   - threadPointer: Value of pthread_self() where it is known (x86-64: the base of fs), else 0.
    ///   - stackPointer: Of the sample, with `copiedStack`, the bytes from there upwards; both may be missing.
    public mutating func stack(
        ofThread thread: Int32, threadPointer: UInt64 = 0, stackPointer: UInt64, copiedStack: RawSpan
    ) -> PythonStackOutcome {
        reader.read(
            thread: thread, threadPointer: threadPointer, stackPointer: stackPointer, copiedStack: copiedStack)
    }

    /// The same without a copy of the native stack to compare with.
    public mutating func stack(ofThread thread: Int32, threadPointer: UInt64 = 0) -> PythonStackOutcome {
        reader.read(thread: thread, threadPointer: threadPointer, stackPointer: 0, copiedStack: RawSpan())
    }

    /// Frames of the last stack, leaf first; storage is kept from stack to stack.
    public var frames: [PythonFrame] { reader.frames }

    /// The last stack with names.
    public var interpretedFrames: [InterpretedFrame] { frames.map(interpreted) }

    /// A frame of the last stack with its names.
    public func interpreted(_ frame: PythonFrame) -> InterpretedFrame {
        InterpretedFrame(
            function: function(of: frame.code), file: file(of: frame.code), line: frame.line, isEntry: frame.isEntry)
    }

    /// The function's name: qualified from 3.11 on.
    public func function(of code: UInt32) -> String { reader.function(code) }

    /// The source's path as the program knows it.
    public func file(of code: UInt32) -> String { reader.file(code) }

    /// Changes when the numbers of code objects from before name nothing any more (8,192 of them were known).
    public var codeGeneration: UInt32 { reader.codes.generation }

    public var statistics: PythonStatistics { reader.statistics }

    /// Drops what is kept of a thread that has ended.
    public mutating func forget(thread: Int32) { reader.forget(thread: thread) }

    /// The number of a thread within its own PID namespace (the last one of NSpid in /proc/PID/task/TID/status), which
    /// is what the interpreter knows it by; nil where it can't be read.
    public static func threadNumber(_ thread: Int32, of process: Int32) -> Int32? {
        guard let text = ProcFile.read("/proc/\(process)/task/\(thread)/status", limit: 16_384) else { return nil }
        for line in text.split(separator: 10) where line.starts(with: Array("NSpid:".utf8)) {
            guard let last = line.split(whereSeparator: { $0 == 9 || $0 == 32 }).last else { return nil }
            return Int32(String(decoding: last, as: UTF8.self))
        }
        return thread
    }
}
