internal import LanguageRuntimes

/// A file, or memory without one, that executable code was mapped from, as the kernel's records and /proc tell of it.
struct MappedFile: Hashable, Sendable {
    /// As the process saw it; `[vdso]`, `[anon]` and the like for what is no file.
    var path: String
    /// From the mapping's record where the kernel gives it, else empty.
    var buildID: [UInt8] = []
    var deviceMajor: UInt32 = 0
    var deviceMinor: UInt32 = 0
    /// 0 where the record has a build ID in its place.
    var inode: UInt64 = 0
    /// Tells a file from a later one with the same inode number; 0 where it is not known (/proc/PID/maps).
    var inodeGeneration: UInt64 = 0

    static let anonymous = MappedFile(path: "[anon]")
    static let vdso = MappedFile(path: "[vdso]")

    /// Whether there is something to open. The kernel's names for what is not a file stand in brackets.
    var isFile: Bool { path.hasPrefix("/") }

    /// The kernel's names of executable memory that no file stands behind: `//anon` in records, nothing in maps, and
    /// the shared memory that some runtimes compile into. A jitdump is mapped executable, but there is no code in it.
    static func isAnonymous(path: String) -> Bool {
        path.isEmpty || path == "//anon" || path.hasPrefix("anon_inode:") || path.hasPrefix("[anon:")
            || path == "[heap]" || path.hasPrefix("[stack") || path.hasPrefix("/dev/zero")
            || path.hasPrefix("/memfd:") || path.hasPrefix("/SYSV") || JITDumpFile.isJITDump(path)
    }
}

/// Where a file was last seen mapped: by which its content can be reached while that process lives.
struct MappedFileOwner: Hashable, Sendable {
    var process: Int32
    var start: UInt64
    var end: UInt64
}

/// The mapped files of all processes, by dense numbers.
struct MappedFileTable: Sendable {
    private(set) var files: [MappedFile] = []
    private(set) var owners: [MappedFileOwner] = []
    private var index: [MappedFile: UInt32] = [:]

    /// Number of `MappedFile.anonymous`, in every table.
    static let anonymousFile: UInt32 = 0

    init() {
        _ = intern(.anonymous, owner: MappedFileOwner(process: 0, start: 0, end: 0))
    }

    /// The file's number, and whether it is new here.
    mutating func intern(_ file: MappedFile, owner: MappedFileOwner) -> (number: UInt32, isNew: Bool) {
        if let known = index[file] {
            owners[Int(known)] = owner
            return (known, false)
        }
        let number = UInt32(files.count)
        files.append(file)
        owners.append(owner)
        index[file] = number
        return (number, true)
    }
}
