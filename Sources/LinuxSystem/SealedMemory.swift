internal import CLinux
internal import Glibc

/// Bytes of another process in memory that nobody can change any more, mapped for reading.
///
/// A mapped file that its owner shortens kills its reader with SIGBUS; the seals forbid that, and writing.
@safe public final class SealedMemory: Sendable {
    private let mapping: MemoryMapping

    /// Maps a memory file that came from elsewhere. Throws EPERM for one that could still change, EFBIG over the limit.
    public init(_ file: borrowing OwnedDescriptor, maximumBytes: Int) throws(SystemCallError) {
        guard linux_is_sealed(file.rawValue) != 0 else {
            throw SystemCallError("fcntl", on: "memory that is not sealed", code: EPERM)
        }
        var status = stat()
        guard unsafe fstat(file.rawValue, &status) == 0 else { throw SystemCallError("fstat") }
        guard status.st_size > 0, status.st_size <= maximumBytes else {
            throw SystemCallError("mmap", on: "sealed memory of \(status.st_size) bytes", code: EFBIG)
        }
        mapping = try MemoryMapping(file, byteCount: Int(status.st_size))
    }

    public var byteCount: Int { mapping.byteCount }

    /// The bytes, readable as long as this object lives.
    @unsafe
    public var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: mapping.baseAddress, count: mapping.byteCount)
    }

    /// A sealed memory file with these bytes, to be sent to another process.
    public static func file(_ bytes: [UInt8]) throws(SystemCallError) -> OwnedDescriptor {
        let descriptor = unsafe linux_sealable_memfd("perf-fleet")
        guard descriptor >= 0 else { throw SystemCallError("memfd_create") }
        let file = OwnedDescriptor(descriptor)
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe write(file.rawValue, buffer.baseAddress.map { unsafe $0 + written }, buffer.count - written)
            }
            guard count > 0 else { throw SystemCallError("write", on: "a memory file") }
            written += count
        }
        guard linux_seal(file.rawValue) == 0 else { throw SystemCallError("fcntl", on: "F_ADD_SEALS") }
        return file
    }
}
