/// What was taken out of one ring and not yet handed on, sorted by time.
///
/// Records are copied out of the ring at once, so that the kernel has its room back while they wait for the other
/// CPUs'. The memory is kept from round to round: after the first busy rounds nothing is allocated.
@safe final class RecordQueue {
    struct Entry {
        var time: UInt64
        var offset: Int
        var size: Int
    }

    private var memory: UnsafeMutableRawPointer
    private var capacity: Int
    private var used = 0
    private var entries: [Entry] = []
    private var next = 0
    /// User registers in each sample; nil where neither they nor stacks are sampled.
    private let registers: Int?

    init(registers: Int?) {
        capacity = 64 << 10
        self.registers = registers
        unsafe memory = .allocate(byteCount: capacity, alignment: 8)
        entries.reserveCapacity(256)
    }

    deinit {
        unsafe memory.deallocate()
    }

    var isEmpty: Bool { next == entries.count }
    /// Of the next record; only while not empty.
    var nextTime: UInt64 { entries[next].time }

    /// Copies everything in the ring, of each copied stack the bytes that are valid. Times later than `now` count as
    /// `now`: no record is from the future, and a damaged time must not stay for ever. Returns how often bytes were no
    /// record; a record whose size can't be true costs all that was in the ring behind it.
    func take(from ring: RingBuffer, now: UInt64) -> Int {
        let pending = ring.pendingBytes
        guard pending > 0 else { return 0 }
        defer { ring.skip(pending) }
        guard pending <= UInt64(ring.dataBytes), pending % 8 == 0 else { return 1 }
        compact()
        var position = ring.readPosition
        let end = position &+ pending
        var malformed = 0
        while position != end {
            guard let record = RingRecord(in: ring, at: position, before: end, registers: registers) else {
                return malformed + 1
            }
            position &+= UInt64(record.header.size)
            grow(to: used + record.copiedSize)
            unsafe record.copy(into: memory + used)
            let bytes = unsafe RawSpan(_unsafeStart: memory + used, byteCount: record.copiedSize)
            if let time = RecordDecoder.time(of: bytes, type: record.header.type) {
                insert(Entry(time: min(time, now), offset: used, size: record.copiedSize))
                used += record.copiedSize
            } else {
                malformed += 1
            }
        }
        return malformed
    }

    /// Lends the next record's bytes and time, and then forgets it.
    func withNext<Failure: Error>(_ body: (RawSpan, UInt64) throws(Failure) -> Void) throws(Failure) {
        let entry = entries[next]
        next += 1
        try body(unsafe RawSpan(_unsafeStart: memory + entry.offset, byteCount: entry.size), entry.time)
    }

    /// Nearly always an append: within one ring only an interrupt between stamp and publication reorders records.
    private func insert(_ entry: Entry) {
        entries.append(entry)
        var place = entries.count - 1
        while place > next, entries[place - 1].time > entry.time {
            entries[place] = entries[place - 1]
            place -= 1
        }
        entries[place] = entry
    }

    /// Moves what waits to the front.
    private func compact() {
        guard next > 0 else { return }
        if isEmpty {
            entries.removeAll(keepingCapacity: true)
            used = 0
        } else {
            var start = entries[next].offset
            for index in next..<entries.count { start = min(start, entries[index].offset) }
            unsafe memory.copyMemory(from: memory + start, byteCount: used - start)
            used -= start
            entries.removeSubrange(..<next)
            for index in entries.indices { entries[index].offset -= start }
        }
        next = 0
    }

    private func grow(to needed: Int) {
        guard needed > capacity else { return }
        let larger = max(needed, 2 * capacity)
        let target = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 8)
        unsafe target.copyMemory(from: memory, byteCount: used)
        unsafe memory.deallocate()
        unsafe memory = unsafe target
        capacity = larger
    }
}
