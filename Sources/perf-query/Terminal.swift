internal import ArgumentParser
internal import Formats
internal import FoundationEssentials
internal import Glibc

/// A standard stream, and what it is connected to.
struct Terminal {
    let descriptor: Int32
    let isTerminal: Bool

    static let standardOutput = Terminal(descriptor: STDOUT_FILENO, isTerminal: isatty(STDOUT_FILENO) == 1)
    static let standardError = Terminal(descriptor: STDERR_FILENO, isTerminal: isatty(STDERR_FILENO) == 1)

    /// Writes everything; false where it can't be (a full disk, a closed pipe).
    @discardableResult
    func write(_ bytes: [UInt8]) -> Bool {
        var start = 0
        while start < bytes.count {
            let written = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(descriptor, buffer.baseAddress?.advanced(by: start), buffer.count - start)
            }
            if written < 0 {
                if errno == EINTR { continue }
                return false
            }
            start += written
        }
        return true
    }

    /// One line; on a terminal its control characters are escaped.
    func writeLine(_ line: String) {
        write(Array((isTerminal ? EscapedText.escape(line) : line).utf8) + [10])
    }

    /// What came from outside: on a terminal, control characters other than line ends are escaped.
    func writeForeign(_ bytes: [UInt8]) throws(Failure) {
        var output = bytes
        if isTerminal {
            let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            output = Array(lines.map { EscapedText.escape(String($0)) }.joined(separator: "\n").utf8)
        }
        try writeResult(output)
    }

    /// Everything, or the end of the program: silently where the reader has gone, as others do in a pipe.
    func writeResult(_ bytes: [UInt8]) throws(Failure) {
        if write(bytes) { return }
        let number = errno
        if number == EPIPE {
            // NIO ignores the signal.
            _ = signal(SIGPIPE, SIG_DFL)
            raise(SIGPIPE)
        }
        throw Failure("can't write to standard output: \(unsafe String(cString: strerror(number)))", code: .impossible)
    }
}

/// When to use colour.
enum ColorChoice: String, ExpressibleByArgument, CaseIterable {
    case auto, always, never

    /// Whether standard output gets colour.
    var isUsed: Bool {
        switch self {
        case .always: true
        case .never: false
        case .auto:
            Terminal.standardOutput.isTerminal
                && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
                && ProcessInfo.processInfo.environment["TERM"] != "dumb"
        }
    }
}
