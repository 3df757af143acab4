/// Builds records as the kernel writes them, field by field.
struct RecordBytes {
    var bytes: [UInt8] = []

    /// What follows the call chain where registers and stack are sampled.
    struct UserPart {
        var abi: UInt64 = 2
        var registers: [UInt64] = []
        var stack: [UInt8] = []
        /// Bytes of the stack that are valid.
        var valid: UInt64 = 0
    }

    static func sample(
        pid: UInt32 = 7, tid: UInt32 = 8, time: UInt64, cpu: UInt32 = 0, chain: [UInt64] = [], user: UserPart? = nil
    ) -> [UInt8] {
        var record = RecordBytes()
        record.add(pid)
        record.add(tid)
        record.add(time)
        record.add(cpu)
        record.add(UInt32(0))
        record.add(UInt64(chain.count))
        for entry in chain { record.add(entry) }
        if let user {
            record.add(user.abi)
            for value in user.registers { record.add(value) }
            record.add(UInt64(user.stack.count))
            record.bytes += user.stack
            if !user.stack.isEmpty { record.add(user.valid) }
        }
        return record.finished(type: 9, misc: 2)
    }

    static func commandName(pid: UInt32 = 7, name: String, time: UInt64, isExec: Bool = false) -> [UInt8] {
        var record = RecordBytes()
        record.add(pid)
        record.add(pid)
        record.add(text: name)
        return record.finished(type: 3, misc: isExec ? 1 << 13 : 0, trailerTime: time)
    }

    static func fork(pid: UInt32, parent: UInt32, time: UInt64, isExit: Bool = false) -> [UInt8] {
        var record = RecordBytes()
        for value in [pid, parent, pid, parent] { record.add(value) }
        record.add(time)
        return record.finished(type: isExit ? 4 : 7, trailerTime: time)
    }

    static func lost(_ count: UInt64, time: UInt64) -> [UInt8] {
        var record = RecordBytes()
        record.add(UInt64(1))
        record.add(count)
        return record.finished(type: 2, trailerTime: time)
    }

    static func cgroup(id: UInt64, path: String, time: UInt64) -> [UInt8] {
        var record = RecordBytes()
        record.add(id)
        record.add(text: path)
        return record.finished(type: 19, trailerTime: time)
    }

    static func mapping(buildID: [UInt8], name: String, time: UInt64) -> [UInt8] {
        var record = RecordBytes()
        record.add(UInt32(7))
        record.add(UInt32(8))
        for value in [0x1000, 0x2000, 0x3000] as [UInt64] { record.add(value) }
        record.add(UInt32(buildID.count))
        record.bytes += buildID + [UInt8](repeating: 0, count: 20 - min(20, buildID.count))
        record.add(UInt32(5))
        record.add(UInt32(2))
        record.add(text: name)
        return record.finished(type: 10, misc: 1 << 14 | 2, trailerTime: time)
    }

    mutating func add(_ value: some FixedWidthInteger) {
        var rest = value.littleEndian
        for _ in 0..<MemoryLayout.size(ofValue: value) {
            bytes.append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    /// With at least one zero, up to a multiple of 8.
    mutating func add(text: String) {
        bytes += text.utf8
        repeat { bytes.append(0) } while bytes.count % 8 != 0
    }

    /// With a header, and the trailer of sample_id_all where a time is given.
    func finished(type: UInt32, misc: UInt16 = 0, trailerTime: UInt64? = nil) -> [UInt8] {
        var body = self
        if let trailerTime {
            body.add(UInt32(7))
            body.add(UInt32(8))
            body.add(trailerTime)
            body.add(UInt32(0))
            body.add(UInt32(0))
        }
        var record = RecordBytes()
        record.add(type)
        record.add(misc)
        record.add(UInt16(8 + body.bytes.count))
        return record.bytes + body.bytes
    }
}
