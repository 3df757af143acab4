import Glibc

/// What /proc/PID/stat says about a process (proc_pid_stat(5)).
public struct ProcessStatus: Hashable, Sendable {
    public var process: Int32
    /// The main thread's name, at most 15 bytes.
    public var command: String
    public var parent: Int32
    /// `R`, `S`, `Z` and so on.
    public var state: UInt8
    /// CPU time of the process in user and in kernel mode, in clock ticks.
    public var userTicks: UInt64
    public var systemTicks: UInt64
    /// Start of the process in clock ticks since boot: with the PID it names a process for good.
    public var startTicks: UInt64
    /// Threads of the kernel have no program.
    public var isKernelThread: Bool

    /// nil where the process is gone or its line is not understood.
    public static func read(_ process: Int32) -> ProcessStatus? {
        ProcFile.read("/proc/\(process)/stat", limit: 4096).flatMap(parse)
    }

    /// The name may hold blanks and brackets, so the fields are counted from the last closing bracket.
    public static func parse(_ text: [UInt8]) -> ProcessStatus? {
        guard let open = text.firstIndex(of: 0x28), let close = text.lastIndex(of: 0x29), open < close else {
            return nil
        }
        var head = TextFields(text[..<open])
        guard let process = head.number().flatMap({ Int32(exactly: $0) }) else { return nil }
        let fields = text[(close + 1)...].split(whereSeparator: { $0 == 32 || $0 == 10 })
        // Fields are numbered from 1 in the manual, and the first one behind the name is number 3.
        func field(_ number: Int) -> UInt64? {
            guard fields.indices.contains(number - 3) else { return nil }
            var reader = TextFields(fields[number - 3])
            return reader.number()
        }
        guard let state = fields.first?.first, let parent = field(4).flatMap({ Int32(exactly: $0) }),
            let flags = field(9), let user = field(14), let system = field(15), let start = field(22)
        else { return nil }
        let kernelThreadFlag: UInt64 = 0x0020_0000  // PF_KTHREAD of linux/sched.h
        return ProcessStatus(
            process: process, command: String(decoding: text[(open + 1)..<close], as: UTF8.self), parent: parent,
            state: state, userTicks: user, systemTicks: system, startTicks: start,
            isKernelThread: flags & kernelThreadFlag != 0)
    }

    /// Clock ticks a second: the unit of times in /proc.
    public static let ticksPerSecond = UInt64(max(1, sysconf(Int32(_SC_CLK_TCK))))

    /// CPU time in nanoseconds.
    public var cpuNanoseconds: UInt64 {
        (userTicks &+ systemTicks).multipliedReportingOverflow(by: 1_000_000_000 / Self.ticksPerSecond).partialValue
    }
}

extension ProcFile {
    /// The PIDs of all processes that this process can see.
    public static func processes() -> [Int32] { numbers(in: "/proc") }

    /// The IDs of a process's threads.
    public static func threads(of process: Int32) -> [Int32] { numbers(in: "/proc/\(process)/task") }

    /// A thread's name; nil where it has gone.
    public static func command(of process: Int32, thread: Int32) -> String? {
        guard var name = read("/proc/\(process)/task/\(thread)/comm", limit: 64) else { return nil }
        if name.last == 10 { name.removeLast() }
        return String(decoding: name, as: UTF8.self)
    }

    /// The path of a process's program, ` (deleted)` taken off; nil for threads of the kernel, and without the right.
    public static func executable(of process: Int32) -> String? {
        guard let path = link("/proc/\(process)/exe") else { return nil }
        let deleted = " (deleted)"
        return path.hasSuffix(deleted) ? String(path.dropLast(deleted.count)) : path
    }
}
