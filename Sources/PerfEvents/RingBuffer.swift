internal import CLinux
internal import Glibc
public import LinuxSystem

/// The reader's side of one ring (perf_event_open(2), "MMAP layout"): a control page and a power of two of data pages,
/// which the kernel fills at `data_head` and we free by `data_tail`.
@safe public final class RingBuffer {
    private var mapping: MemoryMapping
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
    var pendingBytes: UInt64 {
        unsafe linux_ring_load_head(mapping.baseAddress) &- tail
    }

    /// Copies `count` bytes, at most `pendingBytes` and `dataBytes`, and gives their room back to the kernel.
    @unsafe
    func take(_ count: Int, into target: UnsafeMutableRawPointer) {
        let data = unsafe mapping.baseAddress + pageBytes
        let start = Int(truncatingIfNeeded: tail & UInt64(dataBytes - 1))
        let first = min(count, dataBytes - start)
        unsafe target.copyMemory(from: data + start, byteCount: first)
        if first < count { unsafe (target + first).copyMemory(from: data, byteCount: count - first) }
        skip(UInt64(count))
    }

    /// Everything that waits, for tests that want the kernel's own bytes.
    package func takeAll() -> [UInt8] {
        let count = Int(min(pendingBytes, UInt64(dataBytes)))
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            guard let base = buffer.baseAddress else { return }
            unsafe take(count, into: base)
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
