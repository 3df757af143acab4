internal import Glibc

/// How long each CPU has been idle since boot, from /proc/stat (proc(5)): idle and iowait. Everything else is busy; time
/// that a hypervisor took away (steal) counts as busy here, since the guest's timers can't tell it apart.
public struct CPUIdleTimes: Sendable {
    private var buffer: [UInt8] = []
    private var idle: [UInt64] = []
    private let nanosecondsPerTick: UInt64

    public init() {
        nanosecondsPerTick = 1_000_000_000 / UInt64(max(1, sysconf(Int32(_SC_CLK_TCK))))
    }

    /// Reads /proc/stat anew; allocates only the first time.
    public mutating func read() throws(SystemCallError) {
        try SmallFile.read("/proc/stat", into: &buffer)
        parse()
    }

    /// The same from given text.
    public mutating func read(text: some Sequence<UInt8>) {
        buffer.removeAll(keepingCapacity: true)
        buffer.append(contentsOf: text)
        parse()
    }

    /// Nanoseconds in steps of 10 ms; nil for a CPU that the text doesn't list (one that is offline).
    public subscript(cpu: Int) -> UInt64? {
        guard idle.indices.contains(cpu), idle[cpu] != .max else { return nil }
        return idle[cpu]
    }

    private mutating func parse() {
        for index in idle.indices { idle[index] = .max }
        var position = 0
        while position + 3 < buffer.count, buffer[position] == UInt8(ascii: "c"),
            buffer[position + 1] == UInt8(ascii: "p"), buffer[position + 2] == UInt8(ascii: "u")
        {
            position += 3
            let cpu = number(&position)
            var idleTicks: UInt64 = 0
            var isComplete = true
            // user, nice, system, idle, iowait
            for field in 0..<5 {
                guard let value = number(&position) else {
                    isComplete = false
                    break
                }
                if field >= 3 { idleTicks &+= value }
            }
            if let cpu, isComplete, cpu <= UInt64(CPUList.maximumCPU) {
                while idle.count <= Int(cpu) { idle.append(.max) }
                idle[Int(cpu)] = idleTicks &* nanosecondsPerTick
            }
            while position < buffer.count, buffer[position] != UInt8(ascii: "\n") { position += 1 }
            position += 1
        }
    }

    /// The number that begins here, and moves behind it and the spaces after it; nil where there is no digit.
    private func number(_ position: inout Int) -> UInt64? {
        var value: UInt64?
        while position < buffer.count, buffer[position] >= 48, buffer[position] <= 57 {
            value = (value ?? 0) &* 10 &+ UInt64(buffer[position] - 48)
            position += 1
        }
        while position < buffer.count, buffer[position] == UInt8(ascii: " ") { position += 1 }
        return value
    }
}
