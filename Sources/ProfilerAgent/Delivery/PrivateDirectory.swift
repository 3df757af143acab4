import Glibc

/// A directory of the agent's own: mode 0700, owned by the agent's user, reached without a symbolic link at its end.
/// Files in it are opened relative to the held descriptor, never through a link, with mode 0600.
final class PrivateDirectory {
    let path: String
    let descriptor: Int32
    /// Root looks at an agent's files without owning them.
    private let isVisit: Bool

    /// Opens `path`; with `create`, makes it and the directories above it where they are missing.
    init(_ path: String, create: Bool) throws(DeliveryError) {
        self.path = path
        isVisit = !create && geteuid() == 0
        if create { try Self.makeDirectories(path) }
        descriptor = unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(operation: "open directory", path: path, code: errno) }
        var facts = stat()
        guard unsafe fstat(descriptor, &facts) == 0 else {
            throw .system(operation: "examine", path: path, code: errno)
        }
        guard facts.st_uid == geteuid() || isVisit else {
            throw .notPrivate(path: path, reason: "belongs to user \(facts.st_uid), not to \(geteuid())")
        }
        guard facts.st_mode & 0o022 == 0 else {
            throw .notPrivate(path: path, reason: "may be written by other users")
        }
        if create, facts.st_mode & 0o077 != 0, fchmod(descriptor, 0o700) != 0 {
            throw .system(operation: "make private", path: path, code: errno)
        }
    }

    deinit { close(descriptor) }

    func path(of name: String) -> String { "\(path)/\(name)" }

    /// Opens a regular file of the agent's; nil where it doesn't exist and isn't to be created.
    func open(_ name: String, _ flags: Int32) throws(DeliveryError) -> Int32? {
        let file = unsafe openat(descriptor, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0o600)
        guard file >= 0 else {
            if errno == ENOENT, flags & O_CREAT == 0 { return nil }
            throw .system(operation: "open", path: path(of: name), code: errno)
        }
        var facts = stat()
        guard unsafe fstat(file, &facts) == 0 else {
            let code = errno
            close(file)
            throw .system(operation: "examine", path: path(of: name), code: code)
        }
        guard facts.st_mode & S_IFMT == S_IFREG else {
            close(file)
            throw .notRegular(path: path(of: name))
        }
        guard facts.st_uid == geteuid() || isVisit else {
            close(file)
            throw .notPrivate(path: path(of: name), reason: "belongs to user \(facts.st_uid), not to \(geteuid())")
        }
        return file
    }

    /// The whole content of a file, at most `limit` bytes; nil where there is no such file.
    func read(_ name: String, limit: Int) throws(DeliveryError) -> [UInt8]? {
        guard let file = try open(name, O_RDONLY) else { return nil }
        defer { close(file) }
        return try readBytes(of: file, name: name, at: 0, count: limit)
    }

    /// Up to `count` bytes from `offset`; fewer at the file's end.
    func readBytes(of file: Int32, name: String, at offset: Int, count: Int) throws(DeliveryError) -> [UInt8] {
        var facts = stat()
        guard unsafe fstat(file, &facts) == 0 else {
            throw .system(operation: "examine", path: path(of: name), code: errno)
        }
        let wanted = max(0, min(count, Int(facts.st_size) - offset))
        var bytes = [UInt8](repeating: 0, count: wanted)
        var done = 0
        while done < wanted {
            let part = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe pread(file, buffer.baseAddress.map { unsafe $0 + done }, wanted - done, off_t(offset + done))
            }
            if part < 0 {
                if errno == EINTR { continue }
                throw .system(operation: "read", path: path(of: name), code: errno)
            }
            if part == 0 { break }
            done += part
        }
        if done < wanted { bytes.removeLast(wanted - done) }
        return bytes
    }

    /// Writes all of `bytes` at `offset`.
    func writeBytes(_ bytes: [UInt8], to file: Int32, name: String, at offset: Int) throws(DeliveryError) {
        var done = 0
        while done < bytes.count {
            let part = unsafe bytes.withUnsafeBytes { buffer in
                unsafe pwrite(
                    file, buffer.baseAddress.map { unsafe $0 + done }, bytes.count - done, off_t(offset + done))
            }
            if part < 0 {
                if errno == EINTR { continue }
                throw .system(operation: "write", path: path(of: name), code: errno)
            }
            done += part
        }
    }

    /// Puts `bytes` in the place of the file in one step: a reader, and a restart after a kill, see the old or the new.
    /// They are written to the file `beside` first, which several processes must each call otherwise.
    func replace(
        _ name: String, with bytes: [UInt8], synchronised: Bool, beside: String? = nil
    ) throws(DeliveryError) {
        let beside = beside ?? name + ".new"
        guard let file = try open(beside, O_WRONLY | O_CREAT | O_TRUNC) else {
            throw .system(operation: "create", path: path(of: beside), code: ENOENT)
        }
        defer { close(file) }
        do {
            try writeBytes(bytes, to: file, name: beside, at: 0)
            if synchronised { try synchronise(file, name: beside) }
            try rename(beside, to: name)
        } catch {
            // Half of it would only take space, which may be what was missing.
            try? remove(beside)
            throw error
        }
        if synchronised { try synchroniseEntries() }
    }

    func rename(_ old: String, to new: String) throws(DeliveryError) {
        guard unsafe renameat(descriptor, old, descriptor, new) == 0 else {
            throw .system(operation: "rename to \(new)", path: path(of: old), code: errno)
        }
    }

    func synchronise(_ file: Int32, name: String) throws(DeliveryError) {
        guard fdatasync(file) == 0 else {
            throw .system(operation: "write to disk", path: path(of: name), code: errno)
        }
    }

    /// Makes created, renamed and deleted names durable.
    func synchroniseEntries() throws(DeliveryError) {
        guard fsync(descriptor) == 0 else { throw .system(operation: "write to disk", path: path, code: errno) }
    }

    func remove(_ name: String) throws(DeliveryError) {
        guard unsafe unlinkat(descriptor, name, 0) == 0 || errno == ENOENT else {
            throw .system(operation: "delete", path: path(of: name), code: errno)
        }
    }

    /// The names in the directory, sorted.
    func names() throws(DeliveryError) -> [String] {
        let copy = unsafe openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0, let stream = unsafe fdopendir(copy) else {
            let code = errno
            if copy >= 0 { close(copy) }
            throw .system(operation: "list", path: path, code: code)
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { field in
                // The kernel ends the name with a zero within the field of 256 bytes.
                unsafe field.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(validatingCString: $0) }
            }
            if let name, name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    private static func makeDirectories(_ path: String) throws(DeliveryError) {
        if unsafe mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw .system(operation: "create directory", path: path, code: errno)
        }
        let parent = String(path[..<slash])
        if unsafe mkdir(parent, 0o755) != 0, errno != EEXIST {
            guard errno == ENOENT else { throw .system(operation: "create directory", path: parent, code: errno) }
            try makeDirectories(parent)
            // Directories above the private one are shared; only the last is closed to others.
            guard unsafe chmod(parent, 0o755) == 0 else {
                throw .system(operation: "make readable", path: parent, code: errno)
            }
        }
        guard unsafe mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw .system(operation: "create directory", path: path, code: errno)
        }
    }
}
