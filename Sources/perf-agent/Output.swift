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

    /// Writes beside the target and renames, so that a reader never sees half a file. What lies at `path` is never
    /// written through: a symbolic link there is replaced, and nothing but a regular file is.
    static func file(_ bytes: [UInt8], path: String, flag: String) throws(Failure) {
        func failure(_ code: Int32) -> Failure { Failure("can't write \(path) (\(flag)): \(reason(code))") }
        var status = stat()
        if unsafe lstat(path, &status) == 0 {
            let kind = status.st_mode & S_IFMT
            guard kind == S_IFREG || kind == S_IFLNK else {
                throw Failure("can't write \(path) (\(flag)): something other than a regular file lies there")
            }
        }
        let beside = "\(path).\(getpid()).new"
        let descriptor = unsafe open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure(errno) }
        var code: Int32 = write(bytes, to: descriptor) ? 0 : errno
        if close(descriptor) != 0, code == 0 { code = errno }
        if code == 0, unsafe rename(beside, path) != 0 { code = errno }
        if code != 0 {
            unsafe unlink(beside)
            throw failure(code)
        }
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
