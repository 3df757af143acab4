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

    init(capacity: Int) {
        self.capacity = max(64, capacity)
        unsafe memory = .allocate(byteCount: self.capacity, alignment: 8)
        entries.reserveCapacity(self.capacity / 64)
    }

    deinit {
        unsafe memory.deallocate()
    }

    var isEmpty: Bool { next == entries.count }
    /// Of the next record; only while not empty.
    var nextTime: UInt64 { entries[next].time }
    var waiting: Int { entries.count - next }

    /// Copies everything in the ring. Times later than `now` count as `now`: no record is from the future, and a
    /// damaged time must not stay for ever. Returns how often bytes were no record; a record whose size can't be true
    /// costs all that was in the ring behind it.
    func take(from ring: RingBuffer, now: UInt64) -> Int {
        let pending = ring.pendingBytes
        guard pending > 0 else { return 0 }
        guard pending <= UInt64(ring.dataBytes), pending % 8 == 0 else {
            ring.skip(pending)
            return 1
        }
        compact()
        let count = Int(pending)
        grow(to: used + count)
        unsafe ring.take(count, into: memory + used)
        let end = used + count
        var malformed = 0
        while used < end {
            let rest = unsafe RawSpan(_unsafeStart: memory + used, byteCount: end - used)
            guard rest.byteCount >= RecordLayout.headerBytes else { return malformed + 1 }
            let header = RecordHeader(rest, at: 0)
            guard header.size >= RecordLayout.headerBytes, header.size % 8 == 0, header.size <= rest.byteCount else {
                return malformed + 1
            }
            if let time = RecordDecoder.time(of: rest.extracting(first: header.size), type: header.type) {
                insert(Entry(time: min(time, now), offset: used, size: header.size))
            } else {
                malformed += 1
            }
            used += header.size
        }
        return malformed
    }

    /// Lends the next record's bytes and time, and then forgets it.
    func withNext<Failure: Error>(_ body: (RawSpan, UInt64) throws(Failure) -> Void) throws(Failure) {
        let entry = entries[next]
        next += 1
        try body(unsafe RawSpan(_unsafeStart: memory + entry.offset, byteCount: entry.size), entry.time)
    }

    /// Lends the last `count` records, which stay.
    func withNewest(_ count: Int, _ body: (RawSpan) -> Void) {
        for entry in entries.suffix(count) {
            body(unsafe RawSpan(_unsafeStart: memory + entry.offset, byteCount: entry.size))
        }
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
