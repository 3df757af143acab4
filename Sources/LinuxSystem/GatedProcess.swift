internal import CLinux
internal import Glibc

/// A program that was started and waits before its first instruction until it is let go.
public final class GatedProcess: Sendable {
    public let process: Int32
    private let gate: OwnedDescriptor
    private let failure: OwnedDescriptor

    /// How a program ended.
    public struct End: Hashable, Sendable {
        /// As a shell has it: 128 + N for a program that signal N killed.
        public var exitCode: Int32
        /// CPU time of the program and of all descendants that were waited for.
        public var cpuNanoseconds: UInt64
    }

    /// - Parameters:
    ///   - arguments: The program, looked up in PATH, and its arguments; not empty.
    ///   - isOutputOnError: Whether its standard output is this process's standard error.
    public init(arguments: [String], isOutputOnError: Bool = false) throws(SystemCallError) {
        var gatePipe: [Int32] = [-1, -1]
        var failurePipe: [Int32] = [-1, -1]
        var code = unsafe linux_pipe(&gatePipe)
        guard code == 0 else { throw SystemCallError("pipe2", code: -code) }
        let gateEnd = OwnedDescriptor(gatePipe[0])
        gate = OwnedDescriptor(gatePipe[1])
        code = unsafe linux_pipe(&failurePipe)
        guard code == 0 else { throw SystemCallError("pipe2", code: -code) }
        failure = OwnedDescriptor(failurePipe[0])
        let failureEnd = OwnedDescriptor(failurePipe[1])
        var pointers: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { for index in unsafe pointers.indices { unsafe free(pointers[index]) } }
        process = unsafe linux_fork_gated(&pointers, gateEnd.rawValue, failureEnd.rawValue, isOutputOnError ? 1 : 0)
        if process < 0 { throw SystemCallError("fork", code: -process) }
    }

    /// Lets the program begin. Throws where it can't be executed; it has ended then.
    public func open() throws(SystemCallError) {
        var byte: UInt8 = 1
        guard unsafe write(gate.rawValue, &byte, 1) == 1 else { throw SystemCallError("write", code: errno) }
        // The other end closes on exec; before that it brings the error, if there is one.
        var code: Int32 = 0
        var count: Int
        repeat {
            count = unsafe read(failure.rawValue, &code, MemoryLayout<Int32>.size)
        } while count < 0 && errno == EINTR
        if count == MemoryLayout<Int32>.size { throw SystemCallError("execvp", code: code) }
    }

    /// The program's end if it has come; nil while it runs. Throws where it was waited for before.
    public func end() throws(SystemCallError) -> End? {
        var exitCode: Int32 = 0
        var nanoseconds: UInt64 = 0
        let answer = unsafe linux_wait_child(process, 0, &exitCode, &nanoseconds)
        if answer < 0 { throw SystemCallError("wait4", code: -answer) }
        return answer == 0 ? nil : End(exitCode: exitCode, cpuNanoseconds: nanoseconds)
    }

    public func kill(_ signal: Int32) { _ = Glibc.kill(process, signal) }
}
