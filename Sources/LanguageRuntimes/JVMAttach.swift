internal import CLinux
internal import Glibc
public import LinuxSystem

/// Asks a running HotSpot for something over its attach socket, as jcmd does.
///
/// The socket is /tmp/.java_pidPID in the JVM's own namespaces. Where it is missing the JVM opens it on SIGQUIT, if it
/// then finds a file /tmp/.attach_pidPID of its user's; without that file it would print a thread dump, and a process
/// that doesn't handle SIGQUIT would die. So the signal is sent only to a process that handles it, that has libjvm.so
/// mapped and no flag against attaching, and only after the file was made; and by pidfd, so that it meets no other.
/// This waits for the JVM up to its time limit: not for a thread that has other work.
public struct JVMAttach: Sendable {
    public enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        case gone
        case notAJVM
        /// -XX:+DisableAttachMechanism.
        case disabled
        /// SIGQUIT would kill it: -Xrs, or it is still starting.
        case ignoresSignal
        /// The JVM didn't open its socket in time.
        case noAnswer(seconds: Int)
        case foreignSocket(owner: UInt32)
        case answerTooLong(limit: Int)
        case malformedAnswer
        /// The JVM's own words.
        case refused(code: Int, text: String)
        case failed(SystemCallError)

        public var description: String {
            switch self {
            case .gone: "the process has ended"
            case .notAJVM: "the process has no libjvm.so"
            case .disabled: "the JVM was started with -XX:+DisableAttachMechanism"
            case .ignoresSignal:
                "the JVM does not handle SIGQUIT (-Xrs, or it is still starting), which attaching needs"
            case .noAnswer(let seconds): "the JVM did not answer within \(seconds) s"
            case .foreignSocket(let owner): "the JVM's socket belongs to user \(owner), not to its own"
            case .answerTooLong(let limit): "the JVM's answer is longer than \(limit) bytes"
            case .malformedAnswer: "the JVM's answer does not begin with a number"
            case .refused(let code, let text): "the JVM refused (\(code)): \(text)"
            case .failed(let error): "\(error)"
            }
        }
    }

    public let process: Int32
    public var seconds: Int
    public static let mostAnswerBytes = 1 << 20

    public init(_ process: Int32, seconds: Int = 6) {
        self.process = process
        self.seconds = seconds
    }

    /// Makes the JVM write its code cache to /tmp/perf-PID.map (JDK 17 and later); `PerfMapFile` reads it. Older ones
    /// refuse: they have no such command, and an agent library is the only other way, which is not taken.
    public func writePerfMap() throws(Failure) {
        _ = try ask("jcmd", ["Compiler.perfmap"])
    }

    /// The answer to a command with up to three arguments, without its result code, which was 0.
    public func ask(_ command: String, _ arguments: [String]) throws(Failure) -> String {
        guard let identity = NamespacedIdentity.read(process) else { throw .gone }
        let folder: OwnedDescriptor
        do {
            folder = try temporaryFolder()
        } catch {
            throw error.code == ENOENT || error.code == ESRCH ? .gone : .failed(error)
        }
        let socket = ".java_pid\(identity.innermostProcess)"
        if try owner(of: socket, in: folder) == nil { try makeListen(identity, folder, socket) }
        guard let owner = try owner(of: socket, in: folder) else { throw .noAnswer(seconds: seconds) }
        guard owner == identity.user || owner == 0 else { throw .foreignSocket(owner: owner) }
        let connection = unsafe linux_unix_connect_as(
            "/proc/self/fd/\(folder.rawValue)/\(socket)", identity.user, identity.group, Int32(seconds))
        guard connection >= 0 else { throw .failed(SystemCallError("connect", on: socket, code: -connection)) }
        let descriptor = OwnedDescriptor(connection)
        let words = ["1", command] + (arguments + ["", "", ""]).prefix(3)
        try send(words.flatMap { Array($0.utf8) + [0] }, descriptor)
        return try Self.parse(try receive(descriptor))
    }

    private func temporaryFolder() throws(SystemCallError) -> OwnedDescriptor {
        let root = try OwnedDescriptor.open("/proc/\(process)/root", flags: Int32(LINUX_O_PATH) | O_DIRECTORY)
        let resolve = UInt64(LINUX_RESOLVE_IN_ROOT | LINUX_RESOLVE_NO_MAGICLINKS)
        let flags = UInt64(Int(LINUX_O_PATH) | Int(O_CLOEXEC) | Int(O_DIRECTORY))
        let number = unsafe linux_openat2(root.rawValue, "/tmp", flags, resolve)
        guard number >= 0 else { throw SystemCallError("openat2", on: "/tmp") }
        return OwnedDescriptor(number)
    }

    /// nil where the socket doesn't exist.
    private func owner(of socket: String, in folder: borrowing OwnedDescriptor) throws(Failure) -> UInt32? {
        let owner = unsafe linux_owner_of(folder.rawValue, socket, S_IFSOCK)
        if owner == -Int64(ENOENT) { return nil }
        guard owner >= 0 else { throw .failed(SystemCallError("fstatat", on: socket, code: Int32(-owner))) }
        return UInt32(owner)
    }

    /// Makes the JVM open its socket.
    private func makeListen(
        _ identity: NamespacedIdentity, _ folder: borrowing OwnedDescriptor, _ socket: String
    ) throws(Failure) {
        let number = linux_pidfd_open(process)
        guard number >= 0 else {
            throw number == -ESRCH ? .gone : .failed(SystemCallError("pidfd_open", code: -number))
        }
        let pidfd = OwnedDescriptor(number)
        // What is asked now holds for the process that the descriptor names.
        guard let text = ProcFile.read("/proc/\(process)/maps") else { throw .gone }
        guard ProcessMaps.parse(text).contains(where: { $0.path.hasSuffix("/libjvm.so") }) else { throw .notAJVM }
        for file in ["cmdline", "environ"] {
            guard let words = ProcFile.read("/proc/\(process)/\(file)", limit: 1 << 20) else { continue }
            if String(decoding: words, as: UTF8.self).contains("-XX:+DisableAttachMechanism") { throw .disabled }
        }
        guard let now = NamespacedIdentity.read(process), now.innermostProcess == identity.innermostProcess else {
            throw .gone
        }
        guard now.caughtSignals & 1 << UInt64(SIGQUIT - 1) != 0 else { throw .ignoresSignal }
        let mark = ".attach_pid\(identity.innermostProcess)"
        let code = unsafe linux_create_file_for(folder.rawValue, mark, identity.user, identity.group)
        // One that is there already was made by somebody who attaches too, and is theirs to remove.
        if code == -EEXIST {
            let owner = unsafe linux_owner_of(folder.rawValue, mark, S_IFREG)
            guard owner == Int64(identity.user) || owner == 0 else {
                throw .failed(SystemCallError("open", on: mark, code: EEXIST))
            }
        } else if code < 0 {
            throw .failed(SystemCallError("open", on: mark, code: -code))
        }
        defer {
            if code == 0 { unsafe unlinkat(folder.rawValue, mark, 0) }
        }
        let sent = linux_pidfd_send_signal(pidfd.rawValue, SIGQUIT)
        guard sent == 0 else { throw sent == -ESRCH ? .gone : .failed(SystemCallError("kill", code: -sent)) }
        let end = Clocks.monotonic() + UInt64(seconds) * 1_000_000_000
        var wait: UInt32 = 10_000
        while Clocks.monotonic() < end {
            usleep(wait)
            if try owner(of: socket, in: folder) != nil { return }
            wait = min(wait * 2, 200_000)
        }
        throw .noAnswer(seconds: seconds)
    }

    private func send(_ bytes: [UInt8], _ descriptor: borrowing OwnedDescriptor) throws(Failure) {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.send(
                    descriptor.rawValue, buffer.baseAddress.map { unsafe $0 + sent }, buffer.count - sent,
                    Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw waiting("send") }
            sent += count
        }
    }

    private func receive(_ descriptor: borrowing OwnedDescriptor) throws(Failure) -> [UInt8] {
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        let end = Clocks.monotonic() + UInt64(seconds) * 1_000_000_000
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { memory in
                unsafe recv(descriptor.rawValue, memory.baseAddress, memory.count, 0)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw waiting("recv") }
            if count == 0 { return answer }
            answer += buffer[..<count]
            guard answer.count <= Self.mostAnswerBytes else { throw .answerTooLong(limit: Self.mostAnswerBytes) }
            // One that sends a byte now and then doesn't hold us either.
            guard Clocks.monotonic() < end else { throw .noAnswer(seconds: seconds) }
        }
    }

    private func waiting(_ call: String) -> Failure {
        errno == EAGAIN ? .noAnswer(seconds: seconds) : .failed(SystemCallError(call))
    }

    /// A result code on the first line, then text.
    static func parse(_ answer: [UInt8]) throws(Failure) -> String {
        let end = answer.firstIndex(of: 10) ?? answer.endIndex
        guard let code = Int(String(decoding: answer[..<end], as: UTF8.self)) else { throw .malformedAnswer }
        let rest = end < answer.endIndex ? answer[(end + 1)...] : []
        let text = String(decoding: rest.map { $0 < 0x20 && $0 != 10 && $0 != 9 ? 0x3F : $0 }, as: UTF8.self)
        guard code == 0 else { throw .refused(code: code, text: String(text.prefix(400))) }
        return text
    }
}
