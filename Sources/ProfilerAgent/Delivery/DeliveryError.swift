import Glibc

/// Why the agent's own files could not be used. Every text says what, where and what to do.
public enum DeliveryError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A system call on a file failed.
    case system(operation: String, path: String, code: Int32)
    /// The directory belongs to another user, or others may write to it.
    case notPrivate(path: String, reason: String)
    /// Another agent holds the spool's lock.
    case spoolInUse(path: String)
    /// A batch is larger than the spool accepts, in bytes.
    case recordTooLarge(bytes: Int, limit: Int)
    /// A window that can't be written as a batch.
    case unencodable(reason: String)
    /// The kernel gave a file of ours that isn't a regular file.
    case notRegular(path: String)

    public var description: String {
        switch self {
        case .system(let operation, let path, let code):
            "can't \(operation) \(path): \(Self.text(of: code)); check the path, its owner and the space on its disk"
                + " (--spool, spool.directory)"
        case .notPrivate(let path, let reason):
            "\(path) \(reason); it must belong to the agent's user with mode 0700: "
                + "change it (chown, chmod) or name another directory with --spool"
        case .spoolInUse(let path):
            "another agent is using the spool \(path); stop it or name another directory with --spool"
        case .recordTooLarge(let bytes, let limit):
            "a batch of \(bytes) bytes is over the spool's limit of \(limit) bytes for one record; "
                + "raise the spool's size limit"
        case .unencodable(let reason):
            "a window can't be written as a batch: \(reason)"
        case .notRegular(let path):
            "\(path) is not a regular file; remove it or name another directory with --spool"
        }
    }

    /// What happened, without advice: for other directories than the spool's.
    var reason: String {
        switch self {
        case .system(let operation, let path, let code): "can't \(operation) \(path): \(Self.text(of: code))"
        case .notPrivate(let path, let reason): "\(path) \(reason)"
        case .notRegular(let path): "\(path) is not a regular file"
        case .spoolInUse, .recordTooLarge, .unencodable: description
        }
    }

    /// The error number of a `system` case, else 0.
    var code: Int32 {
        if case .system(_, _, let code) = self { return code }
        return 0
    }

    private static func text(of code: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 128)
        let count = buffer.count
        let text = unsafe buffer.withUnsafeMutableBufferPointer { bytes -> String? in
            guard let start = bytes.baseAddress, unsafe strerror_r(code, start, count) == 0 else { return nil }
            return unsafe String(validatingCString: start)
        }
        return text ?? "error \(code)"
    }
}
