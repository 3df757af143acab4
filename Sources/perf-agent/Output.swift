internal import Formats
internal import Glibc

/// Where results and messages go.
enum Output {
    static let isTerminal = isatty(STDOUT_FILENO) == 1
    static let isErrorTerminal = isatty(STDERR_FILENO) == 1

    static func usesColour(_ environment: [String: String]) -> Bool {
        isTerminal && environment["NO_COLOR", default: ""].isEmpty && environment["TERM"] != "dumb"
    }

    /// A line on standard error; control characters of names from outside are escaped.
    static func message(_ text: String) {
        write(Array((EscapedText.escape(text) + "\n").utf8), to: STDERR_FILENO)
    }

    /// Rewrites the last line of a terminal; an empty text clears it.
    static func progress(_ text: String) {
        guard isErrorTerminal else { return }
        write(Array("\r\u{1B}[K\(text)".utf8), to: STDERR_FILENO)
    }

    static func result(_ bytes: [UInt8]) throws(Failure) {
        if write(bytes, to: STDOUT_FILENO) { return }
        throw Failure("can't write to standard output: \(reason(errno))")
    }

    @discardableResult
    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var start = 0
        while start < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(descriptor, buffer.baseAddress?.advanced(by: start), buffer.count - start)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            start += count
        }
        return true
    }

    static func file(_ bytes: [UInt8], path: String, flag: String) throws(Failure) {
        guard let code = ResultFile.write(bytes, to: path) else { return }
        throw Failure("can't write \(path) (\(flag)): \(reason(code))")
    }

    private static func reason(_ code: Int32) -> String { unsafe String(cString: strerror(code)) }
}

/// The environment as a dictionary; the first of equal names counts.
func environmentVariables() -> [String: String] {
    var variables: [String: String] = [:]
    var next = unsafe environ
    while let entry = unsafe next.pointee {
        let parts = unsafe String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2, variables[String(parts[0])] == nil { variables[String(parts[0])] = String(parts[1]) }
        unsafe next += 1
    }
    return variables
}
