internal import Glibc

/// A system call that failed: which one, on what, and the kernel's reason.
public struct SystemCallError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The call's name as in its manual page: `open`, `mmap`.
    public var call: String
    /// A path or another word for what it was tried on; empty where there is none.
    public var subject: String
    /// The value of errno.
    public var code: Int32

    public init(_ call: String, on subject: String = "", code: Int32) {
        self.call = call
        self.subject = subject
        self.code = code
    }

    /// Takes the code from errno: call it before anything else can change that.
    public init(_ call: String, on subject: String = "") {
        self.init(call, on: subject, code: errno)
    }

    public var description: String {
        let reason = unsafe String(cString: strerror(code))
        return subject.isEmpty ? "\(call): \(reason)" : "\(call) \(subject): \(reason)"
    }
}
