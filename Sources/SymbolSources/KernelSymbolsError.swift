/// Why the kernel's functions have no names.
public enum KernelSymbolsError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Every address is zero: kernel.kptr_restrict, or perf_event_paranoid without CAP_SYSLOG, hides them.
    case addressesHidden
    /// No line of the text is a function.
    case noFunctions
    /// The file could not be read; errno.
    case unreadable(path: String, code: Int32)

    public var description: String {
        switch self {
        case .addressesHidden:
            "the kernel hides its addresses: CAP_SYSLOG, or kernel.kptr_restrict=0 and perf_event_paranoid<=1, shows them"
        case .noFunctions:
            "the kernel's symbol list holds no functions"
        case .unreadable(let path, let code):
            "\(path) could not be read (errno \(code))"
        }
    }
}
