internal import Glibc

/// Reads parts of an open file without moving its position and without mapping it.
public enum FileBytes {
    /// Exactly `count` bytes from `offset`. Throws ENODATA where the file ends before.
    public static func read(_ descriptor: Int32, at offset: UInt64, count: Int) throws(SystemCallError) -> [UInt8] {
        var failure: SystemCallError?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = unsafe pread(
                    descriptor, buffer.baseAddress.map { unsafe $0 + filled }, count - filled,
                    off_t(clamping: offset) + off_t(filled))
                if got > 0 {
                    filled += got
                } else if got == 0 {
                    failure = SystemCallError("pread", code: ENODATA)
                    return
                } else if errno != EINTR {
                    failure = SystemCallError("pread")
                    return
                }
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Size of a regular file. Throws EINVAL for anything else.
    public static func size(_ descriptor: Int32) throws(SystemCallError) -> UInt64 {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw SystemCallError("fstat") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw SystemCallError("fstat", code: EINVAL) }
        return UInt64(clamping: status.st_size)
    }
}
