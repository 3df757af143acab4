internal import CLinux
internal import Glibc
public import LinuxSystem

/// The Unix socket in the spool directory by which `perf-agent status` asks the running daemon.
///
/// A client sends one line, `json` or `text`, and gets the answer until the end of the stream. A socket's path may be at
/// most 108 bytes long (unix(7)); so the directory is opened first and named by its descriptor.
public enum StatusSocket {
    public static let name = "status.sock"
    private static let timeoutSeconds: Int32 = 5
    private static let maximumAnswerBytes = 1 << 20

    /// Why nobody answered.
    public enum Failure: Error, Sendable, CustomStringConvertible {
        case noDirectory(path: String, SystemCallError)
        case notRunning(path: String, SystemCallError)
        case noAnswer(path: String)

        public var description: String {
            switch self {
            case .noDirectory(let path, let error):
                "can't look into the spool directory \(path): \(error); --spool names another one"
            case .notRunning(let path, let error):
                "no agent answers in \(path) (\(error)); is `perf-agent run` running with this spool directory?"
                    + " --spool names another one"
            case .noAnswer(let path): "the agent of \(path) did not answer within \(timeoutSeconds) seconds"
            }
        }
    }

    /// Asks the daemon whose spool this is. `format` is `json` or `text`.
    public static func ask(_ format: String, spoolDirectory path: String) throws(Failure) -> String {
        let directory: OwnedDescriptor
        do { directory = try OwnedDescriptor.open(path, flags: O_RDONLY | O_DIRECTORY) } catch {
            throw .noDirectory(path: path, error)
        }
        let code = unsafe linux_unix_connect("/proc/self/fd/\(directory.rawValue)/\(name)", timeoutSeconds)
        guard code >= 0 else { throw .notRunning(path: path, SystemCallError("connect", on: name, code: -code)) }
        let connection = OwnedDescriptor(code)
        guard send(Array((format + "\n").utf8), to: connection) else { throw .noAnswer(path: path) }
        var answer: [UInt8] = []
        while answer.count < maximumAnswerBytes {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = unsafe read(connection.rawValue, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .noAnswer(path: path) }
            if count == 0 { break }
            answer += buffer[..<count]
        }
        guard !answer.isEmpty else { throw .noAnswer(path: path) }
        return String(decoding: answer, as: UTF8.self)
    }

    /// Answers on a thread of its own as long as this process lives.
    static func serve(
        spoolDirectory path: String, answer: @escaping @Sendable (_ format: String) async -> [UInt8]
    ) throws(SystemCallError) {
        let directory = try OwnedDescriptor.open(path, flags: O_RDONLY | O_DIRECTORY)
        let code = unsafe linux_unix_listen("/proc/self/fd/\(directory.rawValue)/\(name)")
        guard code >= 0 else { throw SystemCallError("bind", on: "\(path)/\(name)", code: -code) }
        try SystemThread.launch("status") {
            while true {
                let accepted = linux_unix_accept(code, timeoutSeconds)
                if accepted < 0 {
                    // Out of descriptors, for example: not a reason to spin.
                    if -accepted != EINTR { usleep(100_000) }
                    continue
                }
                serve(OwnedDescriptor(accepted), answer)
            }
        }
    }

    private static func serve(
        _ connection: consuming OwnedDescriptor, _ answer: @escaping @Sendable (String) async -> [UInt8]
    ) {
        var line = [UInt8](repeating: 0, count: 64)
        let count = unsafe read(connection.rawValue, &line, line.count)
        guard count > 0 else { return }
        let format = String(decoding: line[..<count].prefix { $0 != 10 }, as: UTF8.self)
        let descriptor = connection.release()
        Task {
            let connection = OwnedDescriptor(descriptor)
            let bytes = await answer(format)
            _ = send(bytes, to: connection)
        }
    }

    private static func send(_ bytes: [UInt8], to connection: borrowing OwnedDescriptor) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes[sent...].withUnsafeBytes {
                unsafe Glibc.send(connection.rawValue, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
