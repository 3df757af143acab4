internal import Glibc

/// A file that a program's answer is written to.
public enum ResultFile {
    /// Writes beside `path` and renames, so that a reader never sees half a file. A symbolic link is followed: the file
    /// behind it is replaced, not the link. A device or pipe is written to as it is.
    /// - Returns: nil, or the number (errno) of what went wrong.
    public static func write(_ bytes: [UInt8], to path: String) -> Int32? {
        var target = path
        if let resolved = unsafe realpath(path, nil) {
            target = unsafe String(cString: resolved)
            unsafe free(resolved)
        }
        var status = stat()
        // A link to nothing: the file it names comes into being.
        let isLoose = unsafe lstat(target, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
        let exists = unsafe stat(target, &status) == 0
        if exists, status.st_mode & S_IFMT == S_IFDIR { return EISDIR }
        let isPlain = exists ? status.st_mode & S_IFMT == S_IFREG : !isLoose
        let written = isPlain ? "\(target).\(getpid()).new" : target
        let flags = isPlain ? O_CREAT | O_EXCL : exists ? 0 : O_CREAT
        let mode = exists && isPlain ? status.st_mode & 0o777 : 0o666
        let descriptor = unsafe open(written, O_WRONLY | O_CLOEXEC | O_NOCTTY | flags, mode)
        guard descriptor >= 0 else { return errno }
        var failed = writeAll(bytes, to: descriptor)
        if close(descriptor) != 0, failed == nil { failed = errno }
        guard isPlain else { return failed }
        if failed == nil, unsafe rename(written, target) != 0 { failed = errno }
        if failed != nil { _ = unsafe unlink(written) }
        return failed
    }

    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Int32? {
        var start = 0
        while start < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(descriptor, buffer.baseAddress?.advanced(by: start), buffer.count - start)
            }
            if count < 0 {
                if errno == EINTR { continue }
                return errno
            }
            start += count
        }
        return nil
    }
}
