public import LinuxSystem

/// Why a stack could not be read or not be trusted. Most come from a process that changed while it was read; such a
/// read has been tried again before it is told.
public enum PythonInconsistency: Error, Hashable, Sendable, CustomStringConvertible {
    /// The process has ended.
    case gone
    case notPermitted
    /// A pointer of the interpreter led where nothing can be read.
    case unreadable(address: UInt64)
    /// What a frame calls its code is not a code object.
    case notCode(address: UInt64)
    /// A name or a line table is not what it should be.
    case damagedCode(address: UInt64)
    /// A frame is at an instruction outside its code.
    case instructionOutside(address: UInt64)
    /// A frame was left, or not begun yet, when it was read.
    case frameLeft
    /// The stack begins at another frame each time it is read.
    case rootChanged
    /// The chain of frames, threads or interpreters comes back to itself.
    case cycle
    /// The thread's state doesn't point back to its interpreter: not the structures of this version.
    case layout
    /// More bytes or system calls than a stack may cost.
    case tooMuchToRead
    case failed(ProcessMemoryError)

    init(_ error: ProcessMemoryError, address: UInt64) {
        switch error {
        case .gone: self = .gone
        case .notPermitted: self = .notPermitted
        case .unreadable, .short: self = .unreadable(address: address)
        case .overLimit: self = .tooMuchToRead
        case .failed: self = .failed(error)
        }
    }

    /// Not worth another try.
    var isFinal: Bool {
        switch self {
        case .gone, .notPermitted, .failed: true
        default: false
        }
    }

    public var description: String {
        func hexadecimal(_ address: UInt64) -> String { "0x" + String(address, radix: 16) }
        return switch self {
        case .gone: "the process has ended"
        case .notPermitted: "no right to read the process's memory: run as root or with CAP_SYS_PTRACE"
        case .unreadable(let address):
            "a pointer of the interpreter leads to \(hexadecimal(address)), which can't be read"
        case .notCode(let address): "a frame's code at \(hexadecimal(address)) is no code object"
        case .damagedCode(let address):
            "the code object at \(hexadecimal(address)) holds no readable name or line table"
        case .instructionOutside(let address): "a frame is at \(hexadecimal(address)), outside its code"
        case .frameLeft: "the thread left its frames while they were read"
        case .rootChanged: "the stack begins at another frame each time it is read"
        case .cycle: "the interpreter's chain of frames or threads comes back to itself"
        case .layout: "the interpreter's structures are not those of its version"
        case .tooMuchToRead: "the stack takes more memory or reads than a sample may cost"
        case .failed(let error): error.description
        }
    }
}
