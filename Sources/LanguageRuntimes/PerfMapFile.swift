internal import LinuxSystem

/// The perf map of a process, /tmp/perf-PID.map in its own namespaces, read as it grows.
public struct PerfMapFile: Sendable {
    /// How much is read.
    public struct Limits: Hashable, Sendable {
        /// Of one file; what lies behind is not read, and said.
        public var fileBytes: UInt64 = 1 << 30
        /// In one call of `refresh`; the rest waits for the next one.
        public var bytesAtOnce = 32 << 20
        public var names = RuntimeCodeNames.Limits()

        public init() {}
    }

    /// How far a call of `refresh` came.
    public enum Progress: Hashable, Sendable {
        /// There is nothing new.
        case unchanged
        case read(bytes: Int)
        /// There is more than one call reads.
        case behind(bytes: UInt64)
        /// The file is longer than is read.
        case overLimit(unreadBytes: UInt64)
    }

    public let process: Int32
    public let limits: Limits
    public private(set) var map: PerfMap
    /// How often the file was replaced or shortened, and read anew.
    public private(set) var restarts = 0

    private var identity: RuntimeFile.Identity?
    private var offset: UInt64 = 0
    /// The last bytes that were read: HotSpot writes its map anew into the same file, perhaps longer than before.
    private var lastBytes: [UInt8] = []
    private var path = ""
    private var owner: UInt32 = 0

    public init(_ process: Int32, limits: Limits = Limits()) {
        self.process = process
        self.limits = limits
        map = PerfMap(limits: limits.names)
    }

    /// Reads what is new. `now` is CLOCK_MONOTONIC: the time from which new entries are valid. What was read stays
    /// valid after an error, also when the process has ended.
    public mutating func refresh(at now: UInt64) throws(RuntimeFile.Failure) -> Progress {
        if path.isEmpty {
            guard let process = NamespacedIdentity.read(process) else { throw .gone }
            path = "/tmp/perf-\(process.innermostProcess).map"
            owner = process.user
        }
        let file = try RuntimeFile(path, of: process, owner: owner)
        let size = try file.size()
        var isSame = identity == file.identity && size >= offset
        if isSame, size > offset, !lastBytes.isEmpty {
            isSame = try file.read(at: offset - UInt64(lastBytes.count), count: lastBytes.count) == lastBytes
        }
        if !isSame {
            if identity != nil {
                restarts += 1
                map = PerfMap(limits: limits.names)
            }
            identity = file.identity
            offset = 0
            lastBytes = []
        }
        let end = min(size, limits.fileBytes)
        var read = 0
        while offset < end, read < limits.bytesAtOnce {
            let part = try file.read(at: offset, count: Int(min(1 << 20, end - offset)))
            guard !part.isEmpty else { break }
            map.append(part[...], at: now)
            offset += UInt64(part.count)
            read += part.count
            lastBytes = Array(part.suffix(256))
        }
        if offset < end { return .behind(bytes: end - offset) }
        if size > limits.fileBytes { return .overLimit(unreadBytes: size - limits.fileBytes) }
        return read == 0 ? .unchanged : .read(bytes: read)
    }

    /// The name of the code at `address` at `time` (CLOCK_MONOTONIC).
    public func match(_ address: UInt64, at time: UInt64) -> RuntimeCodeNames.Match? {
        map.names.match(address, at: time)
    }
}
