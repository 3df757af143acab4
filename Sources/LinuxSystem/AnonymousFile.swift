internal import CLinux
internal import Glibc

/// Files without a name: gone with their last descriptor, however their process ends.
public enum AnonymousFile {
    /// A file to read and write in a directory, where no other user can open it.
    public static func make(in directory: String) throws(SystemCallError) -> OwnedDescriptor {
        do { return try OwnedDescriptor.open(directory, flags: O_RDWR | O_DIRECTORY | Int32(LINUX_O_TMPFILE)) } catch {
            // Older overlays have no such files: one with a name, which is taken away at once.
            guard error.code == EOPNOTSUPP || error.code == EISDIR else { throw error }
        }
        let path = "\(directory)/.perf-fleet-\(getpid())-\(UInt64.random(in: .min ... .max))"
        let file = try OwnedDescriptor.open(path, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW)
        guard unsafe unlink(path) == 0 else { throw SystemCallError("unlink", on: path) }
        return file
    }
}
