// fuzz: PerfEvents
// Bytes of a perf ring: through one decoder, and through two rings, a merge and the weighing, in several rounds.
import PerfEvents

private struct TouchEverything: RecordHandler {
    var sum: UInt64 = 0
    var lastTime: UInt64 = 0

    mutating func sample(_ sample: borrowing Sample) {
        sum &+= sample.weight &+ sample.time
        for index in sample.callChain.indices { sum &+= sample.callChain[index] }
        for index in sample.user.registers.indices { sum &+= sample.user.registers[index] }
        for offset in 0..<sample.user.stack.byteCount {
            sum &+= unsafe UInt64(sample.user.stack.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
        }
        if sample.isLate { sum &+= 1 }
    }
    mutating func mapped(_ mapping: borrowing Mapping) {
        add(mapping.name)
        add(mapping.buildID)
        sum &+= mapping.address &+ mapping.length
    }
    mutating func named(_ name: borrowing CommandName) { add(name.name) }
    mutating func forked(_ fork: Fork) { sum &+= fork.time }
    mutating func exited(_ exit: Fork) { sum &+= exit.time }
    mutating func cgroup(_ cgroup: borrowing CgroupPath) { add(cgroup.path) }
    mutating func lost(_ count: UInt64, from ring: RingKind, cpu: Int) { sum &+= count }
    mutating func malformed(ring: RingKind, cpu: Int) { sum &+= 1 }
    mutating func throttled(cpu: Int, time: UInt64) { sum &+= time }
    mutating func unthrottled(cpu: Int, time: UInt64) { sum &+= time }

    private mutating func add(_ bytes: Span<UInt8>) {
        for index in bytes.indices { sum &+= UInt64(bytes[index]) }
    }
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    var handler = TouchEverything()
    if unsafe (try? RecordDecoder.decode(bytes.span.bytes)) != nil { handler.sum &+= 1 }
    if unsafe (try? RecordDecoder.decode(bytes.span.bytes, registers: 17)) != nil { handler.sum &+= 1 }
    guard let first = try? RingBuffer(detachedDataPages: 1), let second = try? RingBuffer(detachedDataPages: 1) else {
        return 0
    }
    var stream = RecordStream(maximumCallChain: 16)
    var weights = TickWeights(period: 1000, startedBetween: 5, and: 9)
    weights.change(to: 900, between: 100_000, and: 100_200)
    stream.add(first, kind: .samples, cpu: 0, weights: weights)
    stream.add(second, kind: .sideBand, cpu: 1)
    // Pieces of the input go to either ring in turn, cut anywhere: the first byte of each says how long it is.
    var offset = 0
    var now: UInt64 = 1 << 40
    while offset < bytes.count {
        let length = min(bytes.count - offset - 1, 8 * Int(bytes[offset]))
        let piece = bytes[(offset + 1)..<(offset + 1 + length)]
        let ring = bytes[offset] & 1 == 0 ? first : second
        ring.write(piece.span)
        offset += 1 + length
        now &+= 1000
        stream.collect(now: now)
        stream.release(upTo: now &- 500, into: &handler)
    }
    stream.collect(now: now)
    stream.release(upTo: .max, into: &handler)
    return 0
}
