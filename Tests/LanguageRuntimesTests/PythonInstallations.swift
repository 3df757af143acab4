import Glibc
import LinuxSystem
import ToolOutput

/// A CPython of this machine: tests run with each version that is there.
struct PythonInstallation: Sendable, CustomStringConvertible {
    var path: String
    var major: UInt8
    var minor: UInt8
    var micro: UInt8

    var description: String { "\(path) \(major).\(minor).\(micro)" }

    /// The interpreters of pyenv, of the system, and those named in PERF_FLEET_PYTHONS, separated by colons.
    static let all: [PythonInstallation] = {
        let listing = output(
            of: """
                (ls -d "$(pyenv root 2>/dev/null)"/versions/*/bin/python[23].[0-9]* /usr/bin/python3 2>/dev/null; \
                echo "${PERF_FLEET_PYTHONS:-}" | tr : '\\n') | grep -v -e config -e gdb | sort -u
                """)
        return listing.split(separator: "\n").compactMap { path in
            let version = output(
                of: "'\(path)' -c 'import sys; print(*sys.version_info[:3])' 2>/dev/null"
            ).split(whereSeparator: { $0 == " " || $0 == "\n" || $0 == "(" || $0 == "," || $0 == ")" })
            guard version.count == 3, let major = UInt8(version[0]), let minor = UInt8(version[1]) else { return nil }
            return PythonInstallation(
                path: String(path), major: major, minor: minor, micro: UInt8(version[2]) ?? 0)
        }
    }()

    static let readable = all.filter { $0.major == 3 && (8...14).contains($0.minor) }
    static let unreadable = all.filter { $0.major == 2 || ($0.major == 3 && $0.minor < 8) }
    static let pySpy = output(of: "command -v \"${PERF_FLEET_PY_SPY:-py-spy}\"").split(separator: "\n").first.map {
        String($0)
    }
    static let gdb = output(of: "command -v gdb").split(separator: "\n").first.map { String($0) }
}

/// A program that runs for as long as this value lives.
final class RunningPython: Sendable {
    let process: Int32

    /// Starts it and waits, 30 seconds at most, until it has made the file that is its last argument.
    init?(_ arguments: [String]) {
        let mark = "/tmp/perf-fleet-python-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
        var pid: pid_t = 0
        var strings = (arguments + [mark]).map { unsafe strdup($0) } + [nil]
        defer { for index in strings.indices { unsafe free(strings[index]) } }
        guard unsafe posix_spawn(&pid, arguments[0], nil, nil, &strings, environ) == 0 else { return nil }
        process = pid
        for _ in 0..<3000 where unsafe access(mark, F_OK) != 0 { usleep(10_000) }
        defer { unsafe unlink(mark) }
        guard unsafe access(mark, F_OK) == 0 else { return nil }
    }

    deinit {
        kill(process, SIGKILL)
        _ = waitpid(process, nil, 0)
    }

    var mappings: [ProcessMapping] { ProcessMaps.parse(ProcFile.read("/proc/\(process)/maps") ?? []) }

    /// Stops the process and waits until all its threads are stopped.
    func stop() {
        kill(process, SIGSTOP)
        for _ in 0..<1000 {
            let states = threads.map { ProcFile.read("/proc/\(process)/task/\($0)/stat", limit: 4096).map(Self.state) }
            if states.allSatisfy({ $0 == nil || $0 == 0x54 }) { return }
            usleep(500)
        }
    }

    func resume() { kill(process, SIGCONT) }

    var threads: [Int32] {
        output(of: "ls /proc/\(process)/task").split(separator: "\n").compactMap { Int32($0) }
    }

    /// The stack pointer of a stopped thread (proc_pid_syscall(5)).
    func stackPointer(_ thread: Int32) -> UInt64? {
        let fields = String(
            decoding: ProcFile.read("/proc/\(process)/task/\(thread)/syscall", limit: 4096) ?? [], as: UTF8.self
        ).split(whereSeparator: { $0 == " " || $0 == "\n" })
        guard fields.count >= 3 else { return nil }
        return UInt64(fields[fields.count - 2].dropFirst(2), radix: 16)
    }

    private static func state(_ line: [UInt8]) -> UInt8 {
        guard let end = line.lastIndex(of: 0x29), end + 2 < line.count else { return 0 }
        return line[end + 2]
    }
}

/// A folder for a test's own files, removed with this value.
final class TemporaryFolder: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/perf-fleet-XXXXXX\0".utf8CString.dropLast())
        path = unsafe String(cString: mkdtemp(&template))
    }

    deinit { _ = output(of: "rm -rf '\(path)'") }

    func write(_ text: String, as name: String) -> String {
        let file = path + "/" + name
        guard let stream = unsafe fopen(file, "w") else { return file }
        unsafe fputs(text, stream)
        unsafe fclose(stream)
        return file
    }
}
