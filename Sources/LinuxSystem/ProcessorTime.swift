/// The kernel's own account of how long the host's CPUs were busy (`cpu` of /proc/stat, proc_stat(5)).
public struct ProcessorTime: Hashable, Sendable {
    /// Nanoseconds in user and kernel mode and in interrupts, summed over CPUs since boot. Idle, waiting for I/O, and
    /// time that a hypervisor gave to others (steal) are left out; guests are within user time.
    public var busyNanoseconds: UInt64

    public static func read() -> ProcessorTime? {
        ProcFile.read("/proc/stat", limit: 4096).flatMap { parse($0, ticksPerSecond: ProcessStatus.ticksPerSecond) }
    }

    /// From the first line of a text of the form of /proc/stat.
    public static func parse(_ text: [UInt8], ticksPerSecond: UInt64) -> ProcessorTime? {
        guard text.starts(with: "cpu ".utf8), ticksPerSecond > 0 else { return nil }
        var fields = TextFields((text.split(separator: 10, maxSplits: 1).first ?? []).dropFirst(4))
        var values: [UInt64] = []
        fields.skipSpaces()
        while let value = fields.number(), values.count < 10 {
            values.append(value)
            fields.skipSpaces()
        }
        guard values.count >= 4 else { return nil }
        // user, nice, system, idle, iowait, irq, softirq, steal
        let busy = values.enumerated().reduce(UInt64(0)) { sum, entry in
            [0, 1, 2, 5, 6].contains(entry.offset) ? sum &+ entry.element : sum
        }
        return ProcessorTime(
            busyNanoseconds: busy.multipliedReportingOverflow(by: 1_000_000_000 / ticksPerSecond).partialValue)
    }
}
