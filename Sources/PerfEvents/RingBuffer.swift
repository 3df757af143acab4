internal import CLinux
internal import Glibc
public import LinuxSystem
internal import Synchronization

/// The reader's side of one ring (perf_event_open(2), "MMAP layout"): a control page and a power of two of data pages,
/// which the kernel fills at `data_head` and we free by `data_tail`.
///
/// Unchecked: one thread takes bytes out and alone touches `tail`; others (`SampleWatch`) only look at what the kernel
/// wrote, through what never changes here.
@safe public final class RingBuffer: @unchecked Sendable {
    private let mapping: MemoryMapping
    /// A power of two.
    public let dataBytes: Int
    private let pageBytes: Int
    private var tail: UInt64

    /// Maps the ring of an event; the error's code is EPERM where the limit on locked memory forbids it.
    public convenience init(_ event: borrowing OwnedDescriptor, dataPages: Int) throws(SystemCallError) {
        let pageBytes = Int(sysconf(Int32(_SC_PAGESIZE)))
        let mapping = try MemoryMapping(event, byteCount: (1 + dataPages) * pageBytes, isWritable: true)
        self.init(mapping, dataPages: dataPages, pageBytes: pageBytes)
    }

    /// A ring that no kernel writes: `write` does.
    public convenience init(detachedDataPages dataPages: Int) throws(SystemCallError) {
        let pageBytes = Int(sysconf(Int32(_SC_PAGESIZE)))
        let mapping = try MemoryMapping(anonymousBytes: (1 + dataPages) * pageBytes)
        self.init(mapping, dataPages: dataPages, pageBytes: pageBytes)
    }

    private init(_ mapping: consuming MemoryMapping, dataPages: Int, pageBytes: Int) {
        precondition(dataPages > 0 && dataPages & (dataPages - 1) == 0, "a ring has a power of two of data pages")
        unsafe tail = linux_ring_load_tail(mapping.baseAddress)
        self.mapping = mapping
        self.pageBytes = pageBytes
        dataBytes = dataPages * pageBytes
    }

    /// Whole bytes that wait to be read; more than `dataBytes` when the control page is damaged.
    var pendingBytes: UInt64 { writePosition &- tail }

    /// Where the next byte to be taken and the next one to be written are, in bytes since the ring began.
    var readPosition: UInt64 { tail }
    var writePosition: UInt64 { unsafe linux_ring_load_head(mapping.baseAddress) }

    /// Whether the kernel may have written over what was at this position: asked after it was copied, by threads that
    /// only look.
    func isTaken(_ position: UInt64) -> Bool {
        atomicMemoryFence(ordering: .acquiring)
        return Int64(bitPattern: unsafe linux_ring_load_tail(mapping.baseAddress) &- position) > 0
    }

    /// Eight bytes from a multiple of 8: the end of the ring doesn't part them.
    func word(at position: UInt64) -> UInt64 {
        let place = Int(truncatingIfNeeded: position & UInt64(dataBytes - 1) & ~7)
        return unsafe mapping.baseAddress.load(fromByteOffset: pageBytes + place, as: UInt64.self)
    }

    /// Copies at most `dataBytes` bytes; they stay.
    @unsafe
    func copy(_ count: Int, at position: UInt64, into target: UnsafeMutableRawPointer) {
        let data = unsafe mapping.baseAddress + pageBytes
        let start = Int(truncatingIfNeeded: position & UInt64(dataBytes - 1))
        let first = min(count, dataBytes - start)
        unsafe target.copyMemory(from: data + start, byteCount: first)
        if first < count { unsafe (target + first).copyMemory(from: data, byteCount: count - first) }
    }

    /// Everything that waits, for tests that want the kernel's own bytes.
    package func takeAll() -> [UInt8] {
        let count = Int(min(pendingBytes, UInt64(dataBytes)))
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            guard let base = buffer.baseAddress else { return }
            unsafe copy(count, at: tail, into: base)
            skip(UInt64(count))
            initialized = count
        }
    }

    /// Gives room back unread.
    func skip(_ count: UInt64) {
        tail &+= count
        unsafe linux_ring_store_tail(mapping.baseAddress, tail)
    }

    /// Appends bytes as the kernel does, for rings of `init(detachedDataPages:)`; false where there is no room.
    @discardableResult
    public func write(_ bytes: Span<UInt8>) -> Bool {
        let head = unsafe linux_ring_load_head(mapping.baseAddress)
        let count = bytes.count
        guard Int(truncatingIfNeeded: head &- tail) + count <= dataBytes else { return false }
        let data = unsafe mapping.baseAddress + pageBytes
        let start = Int(truncatingIfNeeded: head & UInt64(dataBytes - 1))
        let first = min(count, dataBytes - start)
        unsafe bytes.withUnsafeBytes { source in
            guard let base = source.baseAddress else { return }
            unsafe (data + start).copyMemory(from: base, byteCount: first)
            if first < count { unsafe data.copyMemory(from: base + first, byteCount: count - first) }
        }
        unsafe linux_ring_store_head(mapping.baseAddress, head &+ UInt64(count))
        return true
    }

    /// Sets both ends, for tests of a ring about to wrap or with a damaged control page.
    package func place(tail: UInt64, head: UInt64) {
        self.tail = tail
        unsafe linux_ring_store_tail(mapping.baseAddress, tail)
        unsafe linux_ring_store_head(mapping.baseAddress, head)
    }
}
