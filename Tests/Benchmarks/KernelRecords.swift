import ByteCoding

/// Records as the kernel writes them for the events of `PerfEvents` (linux/perf_event.h).
enum KernelRecords {
    static func sample(pid: Int32, tid: Int32, time: UInt64, cpu: UInt32, chain: [UInt64]) -> [UInt8] {
        var body = ByteWriter()
        body.write(UInt32(bitPattern: pid))
        body.write(UInt32(bitPattern: tid))
        body.write(time)
        body.write(cpu)
        body.write(UInt32(0))
        body.write(UInt64(chain.count))
        for entry in chain { body.write(entry) }
        return record(type: 9, misc: 2, body)
    }

    static func fork(pid: Int32, parent: Int32, time: UInt64) -> [UInt8] {
        var body = ByteWriter()
        for value in [pid, parent, pid, parent] { body.write(UInt32(bitPattern: value)) }
        body.write(time)
        return record(type: 7, misc: 0, body, trailer: (pid, time))
    }

    static func exec(pid: Int32, name: String, time: UInt64) -> [UInt8] {
        var body = ByteWriter()
        body.write(UInt32(bitPattern: pid))
        body.write(UInt32(bitPattern: pid))
        write(name, to: &body)
        return record(type: 3, misc: 1 << 13, body, trailer: (pid, time))
    }

    /// Executable, with a build ID of 20 bytes.
    static func mapping(
        pid: Int32, address: UInt64, length: UInt64, buildID: [UInt8], path: String, time: UInt64
    ) -> [UInt8] {
        var body = ByteWriter()
        body.write(UInt32(bitPattern: pid))
        body.write(UInt32(bitPattern: pid))
        for value in [address, length, 0] { body.write(value) }
        body.write(UInt32(20))
        body.write(buildID)
        body.write(UInt32(5))
        body.write(UInt32(2))
        write(path, to: &body)
        return record(type: 10, misc: 1 << 14 | 2, body, trailer: (pid, time))
    }

    /// With at least one zero, up to a multiple of 8.
    private static func write(_ text: String, to body: inout ByteWriter) {
        body.write(Array(text.utf8))
        repeat { body.write(UInt8(0)) } while body.bytes.count % 8 != 0
    }

    private static func record(
        type: UInt32, misc: UInt16, _ body: ByteWriter, trailer: (pid: Int32, time: UInt64)? = nil
    ) -> [UInt8] {
        var body = body
        if let trailer {
            body.write(UInt32(bitPattern: trailer.pid))
            body.write(UInt32(bitPattern: trailer.pid))
            body.write(trailer.time)
            body.write(UInt64(0))
        }
        var record = ByteWriter(reserving: 8 + body.bytes.count)
        record.write(type)
        record.write(misc)
        record.write(UInt16(8 + body.bytes.count))
        record.write(body.bytes)
        return record.bytes
    }
}
