import PerfEvents

/// Keeps a copy of everything that it is handed.
struct RecordCollector: RecordHandler {
    struct SampleCopy: Equatable {
        var pid: Int32
        var tid: Int32
        var cpu: Int
        var time: UInt64
        var weight: UInt64
        var isLate: Bool
        var callChain: [UInt64]
        var isChainFull: Bool
        var registers: [UInt64]
        var stack: [UInt8]
    }

    struct MappingCopy: Equatable {
        var pid: Int32
        var address: UInt64
        var length: UInt64
        var fileOffset: UInt64
        var buildID: [UInt8]
        var name: String
    }

    struct NameCopy: Equatable {
        var pid: Int32
        var tid: Int32
        var time: UInt64
        var isExec: Bool
        var name: String
    }

    var samples: [SampleCopy] = []
    var mappings: [MappingCopy] = []
    var names: [NameCopy] = []
    var forks: [Fork] = []
    var exits: [Fork] = []
    var cgroups: [String] = []
    var lost: [RingKind: UInt64] = [:]
    var lostSamplesByCPU: [Int: UInt64] = [:]
    var malformed = 0
    var throttled = 0
    /// What came, in order: the records' times.
    var times: [UInt64] = []

    mutating func sample(_ sample: borrowing Sample) {
        var chain: [UInt64] = []
        for index in sample.callChain.indices { chain.append(sample.callChain[index]) }
        times.append(sample.time)
        var registers: [UInt64] = []
        for index in sample.user.registers.indices { registers.append(sample.user.registers[index]) }
        let stack = unsafe sample.user.stack.withUnsafeBytes { unsafe [UInt8]($0) }
        samples.append(
            SampleCopy(
                pid: sample.pid, tid: sample.tid, cpu: sample.cpu, time: sample.time, weight: sample.weight,
                isLate: sample.isLate, callChain: chain, isChainFull: sample.isChainFull,
                registers: registers, stack: stack))
    }

    mutating func mapped(_ mapping: borrowing Mapping) {
        times.append(mapping.time)
        mappings.append(
            MappingCopy(
                pid: mapping.pid, address: mapping.address, length: mapping.length, fileOffset: mapping.fileOffset,
                buildID: Self.bytes(mapping.buildID), name: Self.text(mapping.name)))
    }

    mutating func named(_ name: borrowing CommandName) {
        times.append(name.time)
        names.append(
            NameCopy(pid: name.pid, tid: name.tid, time: name.time, isExec: name.isExec, name: Self.text(name.name)))
    }

    mutating func forked(_ fork: Fork) {
        times.append(fork.time)
        forks.append(fork)
    }

    mutating func exited(_ exit: Fork) {
        times.append(exit.time)
        exits.append(exit)
    }

    mutating func cgroup(_ cgroup: borrowing CgroupPath) {
        times.append(cgroup.time)
        cgroups.append(Self.text(cgroup.path))
    }

    mutating func lost(_ count: UInt64, from ring: RingKind, cpu: Int) {
        lost[ring, default: 0] += count
        if ring == .samples { lostSamplesByCPU[cpu, default: 0] += count }
    }

    mutating func malformed(ring: RingKind, cpu: Int) { malformed += 1 }
    mutating func throttled(cpu: Int, time: UInt64) { throttled += 1 }
    mutating func unthrottled(cpu: Int, time: UInt64) {}

    private static func bytes(_ span: Span<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        for index in span.indices { bytes.append(span[index]) }
        return bytes
    }

    private static func text(_ span: Span<UInt8>) -> String { String(decoding: bytes(span), as: UTF8.self) }
}
