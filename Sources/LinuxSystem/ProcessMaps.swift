/// One line of /proc/PID/maps: a range of a process's addresses and what is mapped there.
public struct ProcessMapping: Hashable, Sendable {
    public var start: UInt64
    /// The first address behind the range.
    public var end: UInt64
    public var fileOffset: UInt64
    public var isExecutable: Bool
    public var deviceMajor: UInt32
    public var deviceMinor: UInt32
    /// 0 for memory without a file.
    public var inode: UInt64
    /// As the process saw it, the kernel's ` (deleted)` taken off; a name in brackets; or empty.
    public var path: String
    public var isDeleted: Bool

    public init(
        start: UInt64, end: UInt64, fileOffset: UInt64, isExecutable: Bool, deviceMajor: UInt32 = 0,
        deviceMinor: UInt32 = 0, inode: UInt64 = 0, path: String, isDeleted: Bool = false
    ) {
        self.start = start
        self.end = end
        self.fileOffset = fileOffset
        self.isExecutable = isExecutable
        self.deviceMajor = deviceMajor
        self.deviceMinor = deviceMinor
        self.inode = inode
        self.path = path
        self.isDeleted = isDeleted
    }
}

/// Reads /proc/PID/maps (proc_pid_maps(5)).
public enum ProcessMaps {
    /// vm.max_map_count's default: more mappings than a process has unless the host was set up for it.
    public static let maximumMappings = 65_530

    /// The executable mappings of a process, by address; nil where they can't be read (gone, or no right to).
    public static func executable(of process: Int32) -> [ProcessMapping]? {
        guard let text = ProcFile.read("/proc/\(process)/maps") else { return nil }
        return parse(text).filter(\.isExecutable)
    }

    /// The mappings in a text of the form of /proc/PID/maps. Lines that don't have it are left out.
    public static func parse(_ text: [UInt8]) -> [ProcessMapping] {
        var mappings: [ProcessMapping] = []
        for line in text.split(separator: 10) {
            guard mappings.count < maximumMappings else { break }
            if let mapping = parseLine(line) { mappings.append(mapping) }
        }
        return mappings
    }

    private static func parseLine(_ line: ArraySlice<UInt8>) -> ProcessMapping? {
        var fields = TextFields(line)
        guard let start = fields.number(radix: 16), fields.take(0x2D), let end = fields.number(radix: 16),
            start < end, fields.take(0x20)
        else { return nil }
        let rights = fields.word()
        guard rights.count == 4, fields.take(0x20), let offset = fields.number(radix: 16), fields.take(0x20),
            let major = fields.number(radix: 16), fields.take(0x3A), let minor = fields.number(radix: 16),
            fields.take(0x20), let inode = fields.number(), let deviceMajor = UInt32(exactly: major),
            let deviceMinor = UInt32(exactly: minor)
        else { return nil }
        fields.skipSpaces()
        var path = unescaped(fields.rest)
        let deleted = Array(" (deleted)".utf8)
        let isDeleted = inode != 0 && path.count > deleted.count && path.suffix(deleted.count) == deleted[...]
        if isDeleted { path.removeLast(deleted.count) }
        return ProcessMapping(
            start: start, end: end, fileOffset: offset, isExecutable: rights[rights.startIndex + 2] == 0x78,
            deviceMajor: deviceMajor, deviceMinor: deviceMinor, inode: inode,
            path: String(decoding: path, as: UTF8.self), isDeleted: isDeleted)
    }

    /// The kernel writes a newline inside a path as `\012` and leaves every other byte as it is.
    private static func unescaped(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        guard bytes.contains(0x5C) else { return Array(bytes) }
        var result: [UInt8] = []
        var rest = bytes
        let newline: [UInt8] = [0x5C, 0x30, 0x31, 0x32]
        while let byte = rest.first {
            if rest.starts(with: newline) {
                result.append(10)
                rest = rest.dropFirst(newline.count)
            } else {
                result.append(byte)
                rest = rest.dropFirst()
            }
        }
        return result
    }
}
