internal import Glibc

/// Writes `bytes` beside `path` and renames, so that a reader never sees half a file. A device or pipe is written to
/// as it is.
func writeFile(_ bytes: [UInt8], to path: String) throws(Failure) {
    func failure(_ number: Int32) -> Failure {
        Failure(
            "can't write \(path) (--output): \(unsafe String(cString: strerror(number)).lowercased())",
            code: .impossible)
    }
    // A link is followed, so that it is the file behind it that is replaced.
    var target = path
    if let resolved = unsafe realpath(path, nil) {
        target = unsafe String(cString: resolved)
        unsafe free(resolved)
    }
    var status = stat()
    let exists = unsafe stat(target, &status) == 0
    if exists, status.st_mode & S_IFMT == S_IFDIR { throw failure(EISDIR) }
    let isPlain = !exists || status.st_mode & S_IFMT == S_IFREG
    let temporary = isPlain ? "\(target).\(getpid()).tmp" : target
    let flags = isPlain ? O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC : O_WRONLY | O_CLOEXEC
    let mode = exists ? status.st_mode & 0o777 : 0o666
    let descriptor = unsafe open(temporary, flags, mode)
    guard descriptor >= 0 else { throw failure(errno) }
    var failed: Int32?
    if !Terminal(descriptor: descriptor, isTerminal: false).write(bytes) { failed = errno }
    if close(descriptor) != 0, failed == nil { failed = errno }
    guard isPlain else {
        if let failed { throw failure(failed) }
        return
    }
    if failed == nil, unsafe rename(temporary, target) != 0 { failed = errno }
    if let failed {
        _ = unsafe unlink(temporary)
        throw failure(failed)
    }
}
