import Digests
internal import Glibc
public import Profiles

/// Finished symbol tables on disk, by build ID, so that a restarted agent reads no large file again.
///
/// One file a table: SHA-256 of the table, then the table as it was encoded. A file whose digest is wrong is deleted and
/// counted. The directory holds at most `maximumBytes`; what was not used for the longest time (the file's modification
/// time, set at each use) goes first.
public actor SymbolTableCacheDirectory {
    public struct Statistics: Hashable, Sendable {
        public var hits: UInt64 = 0
        public var misses: UInt64 = 0
        /// Files that did not hold what they should.
        public var damaged: UInt64 = 0
        public var evicted: UInt64 = 0
        /// Tables that could not be written.
        public var failures: UInt64 = 0
        public var files = 0
        public var bytes = 0
    }

    private struct Entry {
        var bytes: Int
        /// Order of use, the last the highest.
        var used: UInt64
    }

    private let directory: PrivateDirectory
    private let maximumBytes: Int
    private var entries: [String: Entry] = [:]
    private var clock: UInt64 = 0
    private var counts = Statistics()
    private static let suffix = ".symbols"
    /// Of one table; no message holds more.
    private static let maximumTableBytes = 1 << 26

    /// Makes the directory where it is missing, and deletes what was left half written.
    public init(path: String, maximumBytes: Int) throws(DeliveryError) {
        directory = try PrivateDirectory(path, create: true)
        self.maximumBytes = maximumBytes
        var found: [(name: String, bytes: Int, time: timespec)] = []
        for name in try directory.names() {
            guard name.hasSuffix(Self.suffix), let file = try directory.open(name, O_RDONLY) else {
                try? directory.remove(name)
                continue
            }
            defer { close(file) }
            var facts = stat()
            guard unsafe fstat(file, &facts) == 0 else { continue }
            found.append((name, Int(facts.st_size), facts.st_mtim))
        }
        found.sort { ($0.time.tv_sec, $0.time.tv_nsec, $0.name) < ($1.time.tv_sec, $1.time.tv_nsec, $1.name) }
        var clock: UInt64 = 0
        for (name, bytes, _) in found {
            clock += 1
            entries[name] = Entry(bytes: bytes, used: clock)
            counts.bytes += bytes
        }
        self.clock = clock
        counts.files = entries.count
        while counts.bytes > maximumBytes, let oldest = entries.min(by: { $0.value.used < $1.value.used }) {
            try? directory.remove(oldest.key)
            entries[oldest.key] = nil
            counts.bytes -= oldest.value.bytes
            counts.evicted += 1
        }
        counts.files = entries.count
    }

    public var statistics: Statistics { counts }

    /// The encoded table of a module; nil where there is none.
    public func table(of module: ModuleIdentity) -> [UInt8]? {
        guard let name = Self.name(of: module), entries[name] != nil else {
            counts.misses += 1
            return nil
        }
        guard let stored = try? directory.read(name, limit: Self.maximumTableBytes + SHA256.byteCount),
            stored.count > SHA256.byteCount
        else {
            counts.damaged += 1
            remove(name)
            return nil
        }
        let table = Array(stored[SHA256.byteCount...])
        guard SHA256.digest(of: table).elementsEqual(stored[..<SHA256.byteCount]) else {
            counts.damaged += 1
            remove(name)
            return nil
        }
        counts.hits += 1
        clock += 1
        entries[name]?.used = clock
        touch(name)
        return table
    }

    /// Sets the time of use. To the nanosecond: the kernel's own times are those of its last tick.
    private func touch(_ name: String) {
        guard let file = try? directory.open(name, O_RDONLY) else { return }
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        _ = unsafe futimens(file, [now, now])
        close(file)
    }

    /// Keeps an encoded table. What can't be written is counted: the table is built again some day.
    public func store(_ table: [UInt8], of module: ModuleIdentity) {
        let bytes = table.count + SHA256.byteCount
        guard let name = Self.name(of: module), bytes <= maximumBytes, table.count <= Self.maximumTableBytes else {
            return
        }
        if let old = entries.removeValue(forKey: name) { counts.bytes -= old.bytes }
        while counts.bytes + bytes > maximumBytes, let oldest = entries.min(by: { $0.value.used < $1.value.used }) {
            counts.evicted += 1
            remove(oldest.key)
        }
        do {
            try directory.replace(name, with: SHA256.digest(of: table) + table, synchronised: false)
        } catch {
            counts.failures += 1
            try? directory.remove(name)
            counts.files = entries.count
            return
        }
        touch(name)
        clock += 1
        entries[name] = Entry(bytes: bytes, used: clock)
        counts.bytes += bytes
        counts.files = entries.count
    }

    private func remove(_ name: String) {
        try? directory.remove(name)
        if let old = entries.removeValue(forKey: name) { counts.bytes -= old.bytes }
        counts.files = entries.count
    }

    /// Only build IDs say that two files are the same program on other days and hosts.
    private static func name(of module: ModuleIdentity) -> String? {
        guard module.kind == .buildID, !module.bytes.isEmpty else { return nil }
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: module.bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
            + suffix
    }
}
