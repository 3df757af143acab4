internal import Glibc

/// Mapped memory with one owner, unmapped when the owner goes.
///
/// A file that shrinks while it is mapped makes reads beyond its new end a SIGBUS: map only files of our own, sealed
/// memory, or in a process that may die of it.
///
/// Unchecked: its one owner holds the only pointer, so it may be moved to another thread, never shared.
@safe public struct MemoryMapping: ~Copyable, @unchecked Sendable {
    private let start: UnsafeMutableRawPointer
    /// Length in bytes.
    public let byteCount: Int
    public let isWritable: Bool

    /// Maps `byteCount` bytes of a file, a memfd or a perf event from `offset` (a multiple of the page size).
    public init(
        _ descriptor: borrowing OwnedDescriptor, offset: Int = 0, byteCount: Int, isWritable: Bool = false,
        isShared: Bool = true
    ) throws(SystemCallError) {
        guard byteCount > 0 else { throw SystemCallError("mmap", on: "an empty range", code: EINVAL) }
        let address = unsafe mmap(
            nil, byteCount, isWritable ? PROT_READ | PROT_WRITE : PROT_READ, isShared ? MAP_SHARED : MAP_PRIVATE,
            descriptor.rawValue, off_t(offset))
        guard unsafe address != MAP_FAILED, let address = unsafe address else { throw SystemCallError("mmap") }
        unsafe start = address
        self.byteCount = byteCount
        self.isWritable = isWritable
    }

    /// Memory of nobody's file, zeroed.
    public init(anonymousBytes byteCount: Int) throws(SystemCallError) {
        guard byteCount > 0 else { throw SystemCallError("mmap", on: "an empty range", code: EINVAL) }
        let address = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard unsafe address != MAP_FAILED, let address = unsafe address else { throw SystemCallError("mmap") }
        unsafe start = address
        self.byteCount = byteCount
        isWritable = true
    }

    deinit {
        unsafe munmap(start, byteCount)
    }

    /// The mapped bytes, readable as long as this value lives.
    public var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            let span = unsafe RawSpan(_unsafeStart: start, byteCount: byteCount)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// The mapped bytes for writing; empty where the mapping is read-only.
    public var mutableBytes: MutableRawSpan {
        @_lifetime(&self)
        mutating get {
            let span = unsafe MutableRawSpan(_unsafeStart: start, byteCount: isWritable ? byteCount : 0)
            return unsafe _overrideLifetime(span, mutating: &self)
        }
    }

    /// For code that must give the address to C; valid as long as this value lives.
    @unsafe
    package var baseAddress: UnsafeMutableRawPointer { unsafe start }
}
