internal import ArgumentParser
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
        write(Array((isTerminal ? escaped(line) : line).utf8) + [10])
    }

    /// What came from outside: on a terminal, control characters other than line ends are escaped.
    func writeForeign(_ bytes: [UInt8]) throws(Failure) {
        var output = bytes
        if isTerminal {
            let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            output = Array(lines.map { escaped(String($0)) }.joined(separator: "\n").utf8)
        }
        guard write(output) else {
            throw Failure(
                "can't write to standard output: \(unsafe String(cString: strerror(errno)))", code: .impossible)
        }
    }
}

/// C0 and C1 controls, DEL and the marks that turn the direction of text, as \u{…}: names come from other people's
/// programs, and a terminal obeys what it is sent.
func escaped(_ text: String) -> String {
    func isHarmful(_ value: UInt32) -> Bool {
        value < 32 || (127...159).contains(value) || (0x202A...0x202E).contains(value)
            || (0x2066...0x2069).contains(value)
    }
    guard text.unicodeScalars.contains(where: { isHarmful($0.value) }) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
        if isHarmful(scalar.value) {
            result += "\\u{\(String(scalar.value, radix: 16))}"
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
    return result
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
