/// The records of any number of rings in one order of time.
///
/// A record is stamped before it is published, so one ring may show a later record before another shows an earlier
/// one. Taking everything out of all rings is a round, and a record is handed on only when it is older than the start
/// of an earlier round: whoever stamped before that has published by now. What comes later still is handed on too, as
/// `isLate`. The order within a release is a merge of the rings' queues by a binary heap.
public struct RecordStream: ~Copyable {
    var sources: [RecordSource] = []
    /// Indices into `sources`, those with something to release; a binary heap by time.
    private var heap: [Int] = []
    private var newestReleased: UInt64 = 0
    /// Frames at most in a chain: as many mean that it was cut.
    public var maximumCallChain: Int
    /// User registers in each sample; nil where neither they nor stacks are sampled.
    private let userRegisters: Int?

    public init(maximumCallChain: Int, userRegisters: Int? = nil) {
        self.maximumCallChain = maximumCallChain
        self.userRegisters = userRegisters
    }

    /// Adds a ring; `weights` says what the samples of its CPU stand for.
    @discardableResult
    public mutating func add(_ ring: RingBuffer, kind: RingKind, cpu: Int, weights: TickWeights? = nil) -> RecordSource
    {
        let source = RecordSource(
            ring, kind: kind, cpu: cpu, weights: weights, registers: kind == .samples ? userRegisters : nil)
        sources.append(source)
        heap.reserveCapacity(sources.count)
        return source
    }

    /// Forgets the sources that are closed and empty.
    package mutating func removeClosed() {
        guard sources.contains(where: { $0.isClosed }) else { return }
        sources.removeAll { $0.isClosed && $0.queue.isEmpty }
    }

    /// Takes everything out of all rings. A record's time later than `now` counts as `now`: give a moment by which the
    /// call will have ended.
    public mutating func collect(now: UInt64) {
        for source in sources where !source.isClosed {
            source.malformed += source.queue.take(from: source.ring, now: now)
        }
    }

    /// Hands on, in order, every record with a time up to `horizon`.
    public mutating func release(upTo horizon: UInt64, into handler: inout some RecordHandler) {
        for source in sources {
            // One call per finding: a count of its own would widen the protocol for what hardly ever happens.
            while source.malformed > 0 {
                source.malformed -= 1
                handler.malformed(ring: source.kind, cpu: source.cpu)
            }
        }
        heap.removeAll(keepingCapacity: true)
        for index in sources.indices where isReady(index, horizon) {
            heap.append(index)
            siftUp(heap.count - 1)
        }
        while let index = heap.first {
            let source = sources[index]
            deliver(source, into: &handler)
            if !isReady(index, horizon) {
                let last = heap.removeLast()
                if heap.isEmpty { break }
                heap[0] = last
            }
            siftDown()
        }
    }

    private func isReady(_ index: Int, _ horizon: UInt64) -> Bool {
        !sources[index].queue.isEmpty && sources[index].queue.nextTime <= horizon
    }

    private mutating func deliver(_ source: RecordSource, into handler: inout some RecordHandler) {
        var newest = newestReleased
        let limit = maximumCallChain
        let registers = userRegisters
        source.queue.withNext { bytes, time in
            let isLate = time < newest
            newest = max(newest, time)
            do throws(RecordError) {
                try hand(
                    RecordDecoder.decode(bytes, registers: registers), of: source, time: time, isLate: isLate,
                    limit: limit, to: &handler)
            } catch {
                handler.malformed(ring: source.kind, cpu: source.cpu)
            }
        }
        newestReleased = newest
    }

    /// Earlier first; at one time what describes processes comes before samples.
    private func precedes(_ left: Int, _ right: Int) -> Bool {
        let first = sources[left]
        let second = sources[right]
        if first.queue.nextTime != second.queue.nextTime { return first.queue.nextTime < second.queue.nextTime }
        return first.kind == .sideBand && second.kind == .samples
    }

    private mutating func siftUp(_ start: Int) {
        var place = start
        while place > 0, precedes(heap[place], heap[(place - 1) / 2]) {
            heap.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    private mutating func siftDown() {
        var place = 0
        while true {
            var first = place
            var child = 2 * place + 1
            while child <= 2 * place + 2, child < heap.count {
                if precedes(heap[child], heap[first]) { first = child }
                child += 1
            }
            if first == place { return }
            heap.swapAt(place, first)
            place = first
        }
    }
}

/// One ring of a `RecordStream` with what waits behind it.
public final class RecordSource {
    let ring: RingBuffer
    let kind: RingKind
    let cpu: Int
    let queue: RecordQueue
    var weights: TickWeights?
    var losses = LossAccount()
    var malformed = 0
    /// Nothing more comes; what waits is still handed on.
    package var isClosed = false

    init(_ ring: RingBuffer, kind: RingKind, cpu: Int, weights: TickWeights?, registers: Int?) {
        self.ring = ring
        self.kind = kind
        self.cpu = cpu
        self.weights = weights
        queue = RecordQueue(registers: registers)
    }
}

/// Losses of one ring, from two tellers: LOST records, which are written when there is room again, and the event's own
/// count (PERF_FORMAT_LOST), which also knows those that no record tells of. Each loss is reported once.
package struct LossAccount {
    package init() {}

    private var byRecords: UInt64 = 0
    private var byCount: UInt64 = 0
    private var reported: UInt64 = 0
    private var weighed: UInt64 = 0
    private var weight: UInt64 = 0

    /// What is new by a LOST record of `count`.
    package mutating func recordSays(_ count: UInt64) -> UInt64 {
        byRecords &+= count
        return report()
    }

    /// What is new by the event's total so far.
    package mutating func countSays(_ total: UInt64) -> UInt64 {
        byCount = max(byCount, total)
        return report()
    }

    /// The nanoseconds that all reported losses stand for; those that are new since the last call weigh `period` each.
    package mutating func weigh(period: UInt64) -> UInt64 {
        weight &+= (reported - weighed) &* period
        weighed = reported
        return weight
    }

    private mutating func report() -> UInt64 {
        let known = max(byRecords, byCount)
        guard known > reported else { return 0 }
        defer { reported = known }
        return known - reported
    }
}

/// Gives a decoded record to the handler's right method.
private func hand(
    _ record: consuming Record, of source: RecordSource, time: UInt64, isLate: Bool, limit: Int,
    to handler: inout some RecordHandler
) {
    switch record {
    case .sample(let sample):
        // The idle task is not CPU time (`exclude_idle`); a process of another PID namespace shows as 0 as well.
        guard sample.pid != 0 else { return }
        var frames = 0
        for index in sample.callChain.indices where !CallChain.isMarker(sample.callChain[index]) { frames += 1 }
        handler.sample(
            Sample(
                pid: sample.pid, tid: sample.tid, cpu: source.cpu, time: sample.time,
                weight: source.weights?.weigh(at: time) ?? 0, isLate: isLate, callChain: sample.callChain,
                isChainFull: frames >= limit, user: sample.user))
    case .mapping(let mapping): handler.mapped(mapping)
    case .commandName(let name): handler.named(name)
    case .fork(let fork): handler.forked(fork)
    case .exit(let exit): handler.exited(exit)
    case .cgroup(let cgroup): handler.cgroup(cgroup)
    case .lost(let count):
        let new = source.losses.recordSays(count)
        if new > 0 { handler.lost(new, from: source.kind, cpu: source.cpu) }
    case .throttle: handler.throttled(cpu: source.cpu, time: time)
    case .unthrottle:
        source.weights?.restart(at: time)
        handler.unthrottled(cpu: source.cpu, time: time)
    case .other: break
    }
}
