import Foundation

/// A program that runs beside, or to its end, in a process group of its own. It reads nothing.
struct Command {
    let pid: Int32

    struct NotStarted: Error, CustomStringConvertible {
        var path: String
        var code: Int32
        var description: String { "\(path) can't be started: \(unsafe String(cString: strerror(code)))" }
    }

    /// What it prints goes into a file, or nowhere.
    init(_ path: String, _ arguments: [String], output: String = "/dev/null") throws {
        var files = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&files)
        defer { unsafe _ = posix_spawn_file_actions_destroy(&files) }
        unsafe posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&files, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        unsafe posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0)
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe _ = posix_spawnattr_destroy(&attributes) }
        // Threads that run tasks block signals, and a child would inherit that: `end` could tell it nothing.
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        unsafe sigfillset(&signals)
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        unsafe posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var texts: [UnsafeMutablePointer<CChar>?] = unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
        defer { unsafe texts.forEach { unsafe free($0) } }
        var pid: Int32 = 0
        let code = unsafe posix_spawn(&pid, path, &files, &attributes, &texts, environ)
        guard code == 0 else { throw NotStarted(path: path, code: code) }
        self.pid = pid
    }

    /// A program that has ended and was not waited for is a zombie.
    var isRunning: Bool {
        let text = FileManager.default.contents(atPath: "/proc/\(pid)/stat").map { String(decoding: $0, as: UTF8.self) }
        return text?.split(separator: ")").last?.hasPrefix(" Z") == false
    }

    /// Tells it, and what it has started, to end; waits; returns the CPU seconds that the kernel charged for it and for
    /// the children that it waited for itself.
    @discardableResult
    func end(_ number: Int32) -> Double {
        kill(-pid, number)
        return wait()
    }

    @discardableResult
    func wait() -> Double { waitForResult().cpuSeconds }

    struct Result {
        /// -1 where a signal ended it.
        var code: Int32
        /// Of the children that it waited for as well.
        var cpuSeconds: Double
    }

    func waitForResult() -> Result {
        var status: Int32 = 0
        var usage = rusage()
        while unsafe wait4(pid, &status, 0, &usage) < 0, errno == EINTR {}
        let seconds =
            Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
        return Result(code: status & 0x7F == 0 ? status >> 8 & 0xFF : -1, cpuSeconds: seconds)
    }

    func exitCode() -> Int32 { waitForResult().code }
}

/// Gone with its last reference.
final class TemporaryFolder {
    private let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "perf-fleet-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func path(_ name: String) -> String { url.appending(path: name).path }
}
