internal import Glibc

/// A child that runs a program and is connected to us by one descriptor; killed and reaped when its owner lets go.
public struct ChildProcess: ~Copyable, Sendable {
    public let identifier: Int32
    private var isReaped = false

    /// The descriptor's number in the child.
    public static let inheritedDescriptor: Int32 = 3

    /// Starts `executable` in a process group of its own, with default signals, standard streams to /dev/null, and
    /// `inherited` as descriptor 3. `arguments` begins with the program's name. What else is open must be closed on
    /// exec.
    public init(
        executable: String, arguments: [String], environment: [String], inherited: Int32
    ) throws(SystemCallError) {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        unsafe posix_spawn_file_actions_adddup2(&actions, inherited, Self.inheritedDescriptor)
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var signals = sigset_t()
        unsafe sigfillset(&signals)
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
        var pid: Int32 = 0
        let code = unsafe withStringPointers(arguments) { argv in
            unsafe withStringPointers(environment) { envp in
                unsafe posix_spawn(&pid, executable, &actions, &attributes, argv, envp)
            }
        }
        guard code == 0 else { throw SystemCallError("posix_spawn", on: executable, code: code) }
        identifier = pid
    }

    /// How a child ended.
    public enum Ending: Hashable, Sendable, CustomStringConvertible {
        case exited(code: Int32)
        case killed(signal: Int32)

        public var description: String {
            switch self {
            case .exited(let code): "exited with code \(code)"
            case .killed(let signal): "was killed by signal \(signal)"
            }
        }
    }

    /// Kills the child unless it has ended, and waits for its end.
    public mutating func end() -> Ending {
        guard !isReaped else { return .exited(code: 0) }
        isReaped = true
        return Self.killAndReap(identifier)
    }

    private static func killAndReap(_ identifier: Int32) -> Ending {
        // A child that has ended already keeps its own status.
        _ = kill(identifier, SIGKILL)
        var status: Int32 = 0
        while unsafe waitpid(identifier, &status, 0) < 0 {
            guard errno == EINTR else { return .exited(code: 0) }
        }
        let signal = status & 0x7F
        return signal == 0 ? .exited(code: status >> 8 & 0xFF) : .killed(signal: signal)
    }

    deinit {
        if !isReaped { _ = Self.killAndReap(identifier) }
    }
}

/// Lends a null-ended array of C strings to a call that gives an error number.
private func withStringPointers(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Int32
) -> Int32 {
    var pointers = unsafe strings.map { unsafe strdup($0) } + [nil]
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe pointers.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return EINVAL }
        return unsafe body(UnsafePointer(base))
    }
}
