internal import Glibc

/// A file descriptor with one owner, closed when the owner goes.
public struct OwnedDescriptor: ~Copyable, Sendable {
    /// Stays open at least as long as this value lives.
    public let rawValue: Int32

    /// Takes over an open descriptor.
    public init(_ rawValue: Int32) {
        self.rawValue = rawValue
    }

    deinit {
        if rawValue >= 0 { _ = close(rawValue) }
    }

    /// Gives up ownership: the caller closes it.
    public consuming func release() -> Int32 {
        let value = rawValue
        discard self
        return value
    }

    /// Opens a file with the flags of open(2), for reading without any; O_CLOEXEC is always added.
    public static func open(
        _ path: String, flags: Int32 = 0, mode: UInt32 = 0o600
    ) throws(SystemCallError) -> OwnedDescriptor {
        while true {
            let descriptor = unsafe Glibc.open(path, flags | O_CLOEXEC, mode)
            if descriptor >= 0 { return OwnedDescriptor(descriptor) }
            guard errno == EINTR else { throw SystemCallError("open", on: path) }
        }
    }
}
