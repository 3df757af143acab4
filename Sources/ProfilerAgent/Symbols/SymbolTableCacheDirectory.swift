import ByteCoding
import Digests
internal import Glibc
import Profiles
import SymbolTables

/// Finished symbol tables on disk, by build ID, so that neither a restarted agent nor the next `profile` reads a file again.
///
/// One file a table:
///
///     "PFSC"  u8 version  u8 `TableSources`  u16 0  u64 seconds since 1970 when it was made
///     u64 size, u64 modification time (ns) of the program that made it
///     SHA-256 of all that stands before and behind it
///     the table as the helper encoded it
///
/// A file is taken for no better than the helper's answer: digest and table are checked at each use. What is damaged is
/// deleted and counted, what another build of this program made is deleted (a newer one may read more). The directory
/// holds at most `maximumBytes`; what was not used for the longest time (the file's modification time, set at each use)
/// goes first. Processes that share it each count what they have seen.
public actor SymbolTableCacheDirectory {
    public struct Statistics: Hashable, Sendable {
        public var hits: UInt64 = 0
        public var misses: UInt64 = 0
        /// Files that did not hold what they should.
        public var damaged: UInt64 = 0
        /// Files that another build of this program made.
        public var outdated: UInt64 = 0
        public var evicted: UInt64 = 0
        /// Tables that could not be written.
        public var failures: UInt64 = 0
        public var files = 0
        public var bytes = 0
    }

    /// A table that was found, checked.
    struct Kept: Sendable {
        var table: [UInt8]
        var sources: TableSources
        /// It has all that a table can have; else it holds as long as nothing better is at hand.
        var isComplete: Bool
    }

    private struct Entry {
        var bytes: Int
        /// Order of use, the last the highest.
        var used: UInt64
    }

    private let directory: PrivateDirectory
    private let maximumBytes: Int
    private let maker: Maker
    private let now: @Sendable () -> Int
    private var entries: [String: Entry] = [:]
    private var clock: UInt64 = 0
    private var counts = Statistics()
    private static let suffix = ".symbols"
    private static let magic: [UInt8] = Array("PFSC".utf8)
    private static let version: UInt8 = 1
    /// Up to the digest.
    private static let factBytes = 32
    private static let headerBytes = factBytes + SHA256.byteCount
    /// Of one table; no message holds more.
    private static let maximumTableBytes = 1 << 26
    /// A table that lacks something is made anew after a day: what it lacked for want of time or memory may work now.
    private static let secondsOfIncomplete = 86_400

    /// Which build of this program made a table.
    private struct Maker: Equatable {
        var byteCount: UInt64 = 0
        var modified: UInt64 = 0

        init() {
            var facts = stat()
            guard unsafe stat("/proc/self/exe", &facts) == 0 else { return }
            byteCount = UInt64(clamping: facts.st_size)
            modified = UInt64(clamping: facts.st_mtim.tv_sec) &* 1_000_000_000 &+ UInt64(facts.st_mtim.tv_nsec)
        }
    }

    /// Makes the directory where it is missing, and deletes what was left half written.
    public init(path: String, maximumBytes: Int) throws(DeliveryError) {
        try self.init(path: path, maximumBytes: maximumBytes) { time(nil) }
    }

    /// With a clock of the caller's, in seconds since 1970.
    init(path: String, maximumBytes: Int, now: @escaping @Sendable () -> Int) throws(DeliveryError) {
        directory = try PrivateDirectory(path, create: true)
        self.maximumBytes = maximumBytes
        self.now = now
        maker = Maker()
        var found: [(name: String, bytes: Int, time: timespec)] = []
        for name in try directory.names() where name.hasSuffix(Self.suffix) || name.hasSuffix(".new") {
            guard let file = try? directory.open(name, O_RDONLY) else { continue }
            defer { close(file) }
            var facts = stat()
            guard unsafe fstat(file, &facts) == 0 else { continue }
            if name.hasSuffix(Self.suffix) {
                found.append((name, Int(facts.st_size), facts.st_mtim))
            } else if facts.st_mtim.tv_sec < now() - 3600 {
                // Nobody writes for an hour.
                try? directory.remove(name)
            }
        }
        found.sort { ($0.time.tv_sec, $0.time.tv_nsec, $0.name) < ($1.time.tv_sec, $1.time.tv_nsec, $1.name) }
        var clock: UInt64 = 0
        for (name, bytes, _) in found {
            clock += 1
            entries[name] = Entry(bytes: bytes, used: clock)
            counts.bytes += bytes
        }
        self.clock = clock
        while counts.bytes > maximumBytes, let oldest = entries.min(by: { $0.value.used < $1.value.used }) {
            try? directory.remove(oldest.key)
            entries[oldest.key] = nil
            counts.bytes -= oldest.value.bytes
            counts.evicted += 1
        }
        counts.files = entries.count
    }

    /// Where a user's programs keep what they can make again: `perf-fleet/symbols` in XDG_CACHE_HOME, else in `.cache` of
    /// HOME; nil where that is not the user's own directory, as under `sudo -E`.
    public static func path(ofUser environment: [String: String]) -> String? {
        var owned = environment["HOME"] ?? ""
        var cache = owned + "/.cache"
        if let asked = environment["XDG_CACHE_HOME"], !asked.isEmpty {
            owned = asked
            cache = asked
        }
        var facts = stat()
        guard owned.hasPrefix("/"), unsafe stat(owned, &facts) == 0, facts.st_uid == geteuid() else { return nil }
        return cache + "/perf-fleet/symbols"
    }

    public var statistics: Statistics { counts }

    /// What is kept of a module; nil where there is nothing, or nothing of use any more.
    func table(of module: ModuleIdentity) -> Kept? {
        guard let name = Self.name(of: module) else { return nil }
        let stored: [UInt8]?
        do { stored = try directory.read(name, limit: Self.maximumTableBytes + Self.headerBytes) } catch {
            stored = []
        }
        guard let stored else {
            counts.misses += 1
            forget(name)
            return nil
        }
        guard let kept = checked(stored, name) else {
            counts.misses += 1
            remove(name)
            return nil
        }
        counts.hits += 1
        clock += 1
        let known = entries.updateValue(Entry(bytes: stored.count, used: clock), forKey: name)
        counts.bytes += stored.count - (known?.bytes ?? 0)
        counts.files = entries.count
        touch(name)
        return kept
    }

    private func checked(_ stored: [UInt8], _ name: String) -> Kept? {
        guard stored.count > Self.headerBytes else {
            counts.damaged += 1
            return nil
        }
        let facts = stored[..<Self.factBytes]
        let bytes = Array(stored[Self.headerBytes...])
        guard facts.starts(with: Self.magic),
            SHA256.digest(of: facts + bytes).elementsEqual(stored[Self.factBytes..<Self.headerBytes])
        else {
            counts.damaged += 1
            return nil
        }
        guard facts.elementsEqual(header(sources: stored[5], made: Self.word(stored, at: 8))) else {
            counts.outdated += 1
            return nil
        }
        guard let table = try? SymbolTable(decoding: bytes) else {
            counts.damaged += 1
            return nil
        }
        let isComplete = table.quality == .debugInformation && table.gaps.isEmpty
        let age = Int64(now()) - Int64(clamping: Self.word(stored, at: 8))
        guard isComplete || (0..<Int64(Self.secondsOfIncomplete)).contains(age) else { return nil }
        return Kept(table: bytes, sources: TableSources(rawValue: stored[5]), isComplete: isComplete)
    }

    private static func word(_ bytes: [UInt8], at place: Int) -> UInt64 {
        (0..<8).reduce(0) { $0 | UInt64(bytes[place + $1]) << UInt64(8 * $1) }
    }

    private func header(sources: UInt8, made: UInt64) -> [UInt8] {
        var writer = ByteWriter(reserving: Self.factBytes)
        writer.write(Self.magic)
        writer.write(Self.version)
        writer.write(sources)
        writer.write(0 as UInt16)
        writer.write(made)
        writer.write(maker.byteCount)
        writer.write(maker.modified)
        return writer.bytes
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
    func store(_ table: [UInt8], of module: ModuleIdentity, sources: TableSources) {
        let bytes = table.count + Self.headerBytes
        guard let name = Self.name(of: module), bytes <= maximumBytes, table.count <= Self.maximumTableBytes else {
            return
        }
        forget(name)
        while counts.bytes + bytes > maximumBytes, let oldest = entries.min(by: { $0.value.used < $1.value.used }) {
            counts.evicted += 1
            remove(oldest.key)
        }
        let facts = header(sources: sources.rawValue, made: UInt64(clamping: now()))
        do {
            try directory.replace(
                name, with: facts + SHA256.digest(of: facts + table) + table, synchronised: false,
                beside: "\(name).\(getpid()).new")
        } catch {
            counts.failures += 1
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
        forget(name)
    }

    private func forget(_ name: String) {
        if let old = entries.removeValue(forKey: name) { counts.bytes -= old.bytes }
        counts.files = entries.count
    }

    /// Only build IDs say that two files are the same program on other days and hosts.
    private static func name(of module: ModuleIdentity) -> String? {
        guard module.kind == .buildID, !module.bytes.isEmpty else { return nil }
        return Hexadecimal.text(module.bytes) + suffix
    }
}

/// What a symbol table was made of beside the module's own symbols.
struct TableSources: OptionSet, Sendable {
    let rawValue: UInt8

    /// The module has debug information of its own.
    static let ownDebugInformation = TableSources(rawValue: 1)
    static let debugFile = TableSources(rawValue: 2)
    /// The file that dwz shares among several.
    static let alternateFile = TableSources(rawValue: 4)
    /// One of the two came from a debug server.
    static let servedFile = TableSources(rawValue: 8)
    /// Some of the files that units were split off to.
    static let splitFiles = TableSources(rawValue: 16)
}
