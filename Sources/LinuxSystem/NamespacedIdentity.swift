/// Who a process is inside its own namespaces (/proc/PID/status, proc_pid_status(5)).
public struct NamespacedIdentity: Hashable, Sendable {
    /// The PID that the process itself sees; in a container another than ours.
    public var innermostProcess: Int32
    /// Effective IDs, as our user namespace sees them.
    public var user: UInt32
    public var group: UInt32
    /// Bit n − 1 is set where the process handles signal n itself.
    public var caughtSignals: UInt64

    public init(innermostProcess: Int32, user: UInt32, group: UInt32, caughtSignals: UInt64) {
        self.innermostProcess = innermostProcess
        self.user = user
        self.group = group
        self.caughtSignals = caughtSignals
    }

    /// nil where the process is gone or its status is not understood.
    public static func read(_ process: Int32) -> NamespacedIdentity? {
        ProcFile.read("/proc/\(process)/status", limit: 1 << 16).flatMap(parse)
    }

    public static func parse(_ text: [UInt8]) -> NamespacedIdentity? {
        var process: UInt64?
        var user: UInt64?
        var group: UInt64?
        var caught: UInt64?
        for line in text.split(separator: 10) {
            guard let colon = line.firstIndex(of: 0x3A) else { continue }
            let numbers = line[(colon + 1)...].split(whereSeparator: { $0 == 9 || $0 == 32 })
            func number(_ index: Int, radix: UInt64 = 10) -> UInt64? {
                guard numbers.indices.contains(index) else { return nil }
                var field = TextFields(numbers[index])
                return field.number(radix: radix)
            }
            switch String(decoding: line[..<colon], as: UTF8.self) {
            // Kernels without PID namespaces have no NSpid.
            case "Pid": if process == nil { process = number(0) }
            case "NSpid": process = number(numbers.count - 1) ?? process
            // Real, effective, saved, file system.
            case "Uid": user = number(1)
            case "Gid": group = number(1)
            case "SigCgt": caught = number(0, radix: 16)
            default: continue
            }
        }
        guard let process = process.flatMap({ Int32(exactly: $0) }), let user = user.flatMap({ UInt32(exactly: $0) }),
            let group = group.flatMap({ UInt32(exactly: $0) })
        else { return nil }
        return NamespacedIdentity(innermostProcess: process, user: user, group: group, caughtSignals: caught ?? 0)
    }
}
