import Glibc

/// The store's directory: made with mode 0700, owned by the user who runs the program, and locked for as long as this
/// value lives, so that two programs never write one store.
final class DataDirectory: Sendable {
    let path: String
    private let lock: Int32

    /// How long, and how often, a lock that another has is tried again: the program before may just be ending.
    static let patience = Duration.seconds(3)
    private static let retryMicroseconds: UInt32 = 100_000

    /// - Parameters:
    ///   - creates: whether a directory that is not there is made.
    ///   - patience: how long to wait for a lock that another has, before the directory is said to be in use.
    init(path: String, creates: Bool = true, patience: Duration = DataDirectory.patience) throws(ProfileStoreError) {
        self.path = path
        if creates { try Self.makeDirectories(path) }
        let status = try Self.status(ofDirectory: path)
        guard status.st_uid == geteuid() else {
            throw .unusableDirectory(
                path: path, reason: "it belongs to user \(status.st_uid), and this program runs as \(geteuid())")
        }
        if status.st_mode & 0o077 != 0, unsafe chmod(path, 0o700) != 0 {
            throw .unusableDirectory(
                path: path, reason: "others may read it and its mode can't be set to 0700: \(Self.errorText())")
        }
        let lockPath = path + "/lock"
        let descriptor = unsafe open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw .unusableDirectory(path: path, reason: "\(lockPath): \(Self.errorText())")
        }
        let end = ContinuousClock.now + patience
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let isTaken = errno == EWOULDBLOCK
            if isTaken, ContinuousClock.now < end {
                usleep(Self.retryMicroseconds)
                continue
            }
            let reason = Self.errorText()
            Glibc.close(descriptor)
            if isTaken { throw .inUse(path: path) }
            throw .unusableDirectory(path: path, reason: "\(lockPath): \(reason)")
        }
        lock = descriptor
    }

    deinit { Glibc.close(lock) }

    /// Names of the entries, `.` and `..` left out.
    func entries() throws(ProfileStoreError) -> [String] {
        guard let stream = unsafe opendir(path) else {
            throw .unusableDirectory(path: path, reason: Self.errorText())
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { start in
                unsafe start.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Deletes a database file and what it has beside it. Where this is cut short, the catalogue says what is to go.
    func deleteDatabase(named name: String) throws(ProfileStoreError) {
        for file in [name, name + "-wal", name + "-shm"] {
            let target = path + "/" + file
            guard unsafe unlink(target) == 0 || errno == ENOENT else {
                throw .failed(path: target, operation: "deleting", reason: Self.errorText())
            }
        }
    }

    /// Bytes of all files that belong to a database.
    func bytes(ofDatabase name: String) -> Int {
        var total = 0
        for file in [name, name + "-wal"] {
            var status = stat()
            if unsafe lstat(path + "/" + file, &status) == 0 { total += Int(status.st_size) }
        }
        return total
    }

    /// Makes the names of new files durable.
    func sync() throws(ProfileStoreError) {
        let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unusableDirectory(path: path, reason: Self.errorText()) }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else {
            throw .failed(path: path, operation: "syncing the directory", reason: Self.errorText())
        }
    }

    private static func makeDirectories(_ path: String) throws(ProfileStoreError) {
        var partial = path.hasPrefix("/") ? "/" : ""
        for component in path.split(separator: "/") {
            partial += component + "/"
            guard unsafe mkdir(partial, 0o700) == 0 || errno == EEXIST else {
                throw .unusableDirectory(path: path, reason: "\(partial): \(errorText())")
            }
        }
    }

    private static func status(ofDirectory path: String) throws(ProfileStoreError) -> stat {
        let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unusableDirectory(path: path, reason: errorText()) }
        defer { Glibc.close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .unusableDirectory(path: path, reason: errorText()) }
        return status
    }

    private static func errorText() -> String {
        unsafe String(cString: strerror(errno))
    }
}
