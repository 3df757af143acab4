internal import CLinux
internal import Glibc
public import LinuxSystem

/// A file that a process writes for profilers (perf map, jitdump), opened so that it can't lead us elsewhere.
///
/// The path is resolved below the process's own root without magic links; its last part must be a regular file, no
/// symbolic link, and belong to the process's user or to root (perf's rule too). Opening may wait on a file system of
/// the process's own: not for the sampling thread.
public struct RuntimeFile: ~Copyable, Sendable {
    public enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        case missing(path: String)
        case notRegular(path: String)
        case foreign(path: String, owner: UInt32)
        case gone
        case failed(SystemCallError)

        public var description: String {
            switch self {
            case .missing(let path): "there is no \(path)"
            case .notRegular(let path): "\(path) is not a regular file"
            case .foreign(let path, let owner):
                "\(path) belongs to user \(owner), neither to the process's user nor to root, and is not believed"
            case .gone: "the process has ended"
            case .failed(let error): "\(error)"
            }
        }
    }

    /// Which file it is: another one at the same path has another identity.
    public struct Identity: Hashable, Sendable {
        public var device: UInt64
        public var inode: UInt64
    }

    public let identity: Identity
    private let descriptor: OwnedDescriptor

    public init(_ path: String, of process: Int32, owner: UInt32) throws(Failure) {
        let place = try Self.place(path, of: process)
        var status = stat()
        guard unsafe fstat(place.rawValue, &status) == 0 else { throw .failed(SystemCallError("fstat", on: path)) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular(path: path) }
        guard status.st_uid == owner || status.st_uid == 0 else { throw .foreign(path: path, owner: status.st_uid) }
        let descriptor = try Self.reopen(place, path: path)
        identity = Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        self.descriptor = descriptor
    }

    private static func reopen(_ place: borrowing OwnedDescriptor, path: String) throws(Failure) -> OwnedDescriptor {
        do {
            return try OwnedDescriptor.open(
                "/proc/self/fd/\(place.rawValue)", flags: O_RDONLY | O_NONBLOCK | O_NOCTTY)
        } catch {
            throw .failed(SystemCallError(error.call, on: path, code: error.code))
        }
    }

    private static func place(_ path: String, of process: Int32) throws(Failure) -> OwnedDescriptor {
        do throws(SystemCallError) {
            let root = try OwnedDescriptor.open("/proc/\(process)/root", flags: Int32(LINUX_O_PATH) | O_DIRECTORY)
            let resolve = UInt64(LINUX_RESOLVE_IN_ROOT | LINUX_RESOLVE_NO_MAGICLINKS)
            let flags = UInt64(Int(LINUX_O_PATH) | Int(O_CLOEXEC) | Int(O_NOFOLLOW))
            let number = unsafe linux_openat2(root.rawValue, path, flags, resolve)
            guard number >= 0 else { throw SystemCallError("openat2", on: path) }
            return OwnedDescriptor(number)
        } catch {
            guard error.code == ENOENT || error.code == ESRCH else { throw .failed(error) }
            throw error.call == "openat2" ? .missing(path: path) : .gone
        }
    }

    public func size() throws(Failure) -> UInt64 {
        do { return try FileBytes.size(descriptor.rawValue) } catch { throw .failed(error) }
    }

    /// What is there of `count` bytes from `offset`; fewer at the file's end.
    public func read(at offset: UInt64, count: Int) throws(Failure) -> [UInt8] {
        let size = try size()
        guard offset < size else { return [] }
        do {
            return try FileBytes.read(descriptor.rawValue, at: offset, count: Int(min(UInt64(count), size - offset)))
        } catch {
            // It became shorter meanwhile; the next reading finds that.
            if error.code == ENODATA { return [] }
            throw .failed(error)
        }
    }
}
