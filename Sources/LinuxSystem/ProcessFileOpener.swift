internal import CLinux
internal import Glibc

/// Opens files that other processes have mapped, for reading by the helper process.
///
/// The other process chooses the path and what lies there. So it is resolved below that process's own root, without
/// magic links (openat2(2), RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS), first as a mere place (O_PATH), which opens no
/// device and waits for no pipe; only what is a regular file is then opened. A file system of the other process's
/// (FUSE, NFS) may still make an open wait: never call this from the sampling thread.
public enum ProcessFileOpener {
    public enum Failure: Error, Equatable, Sendable, CustomStringConvertible {
        case notRegular(path: String)
        /// Another file lies there now, and the mapped one can't be reached.
        case replaced(path: String)
        case failed(SystemCallError)

        public var description: String {
            switch self {
            case .notRegular(let path): "\(path) is not a regular file"
            case .replaced(let path): "\(path) is no longer the file that was mapped"
            case .failed(let error): "\(error)"
            }
        }
    }

    /// What distinguishes the mapped file from one that lies at its path later.
    public struct Mapping: Hashable, Sendable {
        /// Of the addresses, as /proc/PID/maps has them.
        public var range: Range<UInt64>
        /// 0 where unknown.
        public var inode: UInt64
        /// Of the file system, as stat(2) has it; nil where it is not to be compared. On an overlay the mapping's is not that of the file at
        /// its path, so this is for files of plain file systems.
        public var device: UInt64?

        public init(range: Range<UInt64>, inode: UInt64, device: (major: UInt32, minor: UInt32)? = nil) {
            self.range = range
            self.inode = inode
            // As makedev(3) puts them together; a macro, which Swift doesn't see.
            self.device = device.map { device in
                let (major, minor) = (UInt64(device.major), UInt64(device.minor))
                return (major & 0xFFF) << 8 | (major & 0xFFFF_F000) << 32 | minor & 0xFF | (minor & 0xFFFF_FF00) << 12
            }
        }
    }

    /// Opens the module at `path`, as the process sees it. With a mapping, a file with another inode is not taken, and
    /// deleted or replaced ones are opened by /proc/PID/map_files (CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN) as long as
    /// the process lives.
    public static func openModule(
        _ process: Int32, path: String, mapping: Mapping? = nil
    ) throws(Failure) -> OwnedDescriptor {
        // The kernel's mark may also be the end of a real name: then the file is there, with the right inode.
        do {
            return try open(process, path: path, inode: mapping?.inode ?? 0, device: mapping?.device)
        } catch {
            guard let mapping, let place = try? place(of: mapping, in: process) else { throw error }
            return try reopen(place, path: path)
        }
    }

    private static func open(
        _ process: Int32, path: String, inode: UInt64, device: UInt64?
    ) throws(Failure) -> OwnedDescriptor {
        let place: OwnedDescriptor
        do throws(SystemCallError) {
            let root = try OwnedDescriptor.open("/proc/\(process)/root", flags: Int32(LINUX_O_PATH) | O_DIRECTORY)
            place = try self.place(path, below: root)
        } catch {
            throw .failed(error)
        }
        if inode != 0 {
            let status = try status(place, path: path)
            guard status.st_ino == inode, device.map({ UInt64(status.st_dev) == $0 }) ?? true else {
                throw .replaced(path: path)
            }
        }
        return try reopen(place, path: path)
    }

    private static func place(_ path: String, below root: borrowing OwnedDescriptor) throws(SystemCallError)
        -> OwnedDescriptor
    {
        let resolve = UInt64(LINUX_RESOLVE_IN_ROOT | LINUX_RESOLVE_NO_MAGICLINKS)
        let descriptor = unsafe linux_openat2(root.rawValue, path, UInt64(LINUX_O_PATH | Int(O_CLOEXEC)), resolve)
        guard descriptor >= 0 else { throw SystemCallError("openat2", on: path) }
        return OwnedDescriptor(descriptor)
    }

    private static func place(of mapping: Mapping, in process: Int32) throws(SystemCallError) -> OwnedDescriptor {
        let start = String(mapping.range.lowerBound, radix: 16)
        let end = String(mapping.range.upperBound, radix: 16)
        return try OwnedDescriptor.open("/proc/\(process)/map_files/\(start)-\(end)", flags: Int32(LINUX_O_PATH))
    }

    private static func status(_ file: borrowing OwnedDescriptor, path: String) throws(Failure) -> stat {
        var status = stat()
        guard unsafe fstat(file.rawValue, &status) == 0 else { throw .failed(SystemCallError("fstat", on: path)) }
        return status
    }

    /// From a place to a file that can be read.
    private static func reopen(_ place: borrowing OwnedDescriptor, path: String) throws(Failure) -> OwnedDescriptor {
        let status = try status(place, path: path)
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular(path: path) }
        do {
            return try OwnedDescriptor.open(
                "/proc/self/fd/\(place.rawValue)", flags: O_RDONLY | O_NONBLOCK | O_NOCTTY)
        } catch {
            throw .failed(SystemCallError(error.call, on: path, code: error.code))
        }
    }
}
