internal import LinuxSystem

/// The jitdump of a process, jit-PID.dump in its own namespaces, read as it grows.
public struct JITDumpFile: Sendable {
    public struct Limits: Hashable, Sendable {
        /// Of one file; code bytes count, though they are stepped over.
        public var fileBytes: UInt64 = 16 << 30
        /// Records in one call of `refresh`; the rest waits for the next one.
        public var recordsAtOnce = 200_000
        public var names = RuntimeCodeNames.Limits()

        public init() {}
    }

    public enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        case file(RuntimeFile.Failure)
        case content(JITDump.Failure)

        public var description: String {
            switch self {
            case .file(let error): "\(error)"
            case .content(let error): "\(error)"
            }
        }
    }

    public let process: Int32
    public let path: String
    public let limits: Limits
    public private(set) var dump: JITDump
    public private(set) var restarts = 0
    /// The content was not understood; it is not read on.
    public private(set) var failure: JITDump.Failure?

    private var identity: RuntimeFile.Identity?
    private var offset: UInt64 = 0
    private var facts: NamespacedIdentity?

    /// - Parameter path: As the process sees it: what an executable mapping of it says, or /tmp/jit-PID.dump.
    public init(_ process: Int32, path: String, limits: Limits = Limits()) {
        self.process = process
        self.path = path
        self.limits = limits
        dump = JITDump(limits: limits.names)
    }

    /// Whether a mapping's path is that of a jitdump: its writer maps the first page executable to tell profilers.
    public static func isJITDump(_ path: String) -> Bool {
        guard let slash = path.utf8.lastIndex(of: 0x2F) else { return false }
        let name = path.utf8[path.utf8.index(after: slash)...]
        guard name.starts(with: "jit-".utf8), name.count > 9, name.suffix(5).elementsEqual(".dump".utf8) else {
            return false
        }
        return name.dropFirst(4).dropLast(5).allSatisfy { 48...57 ~= $0 }
    }

    /// Where a process's jitdump lies: what it has mapped, else the usual place, where there may be none.
    public static func path(of process: Int32) -> String? {
        if let mapped = ProcessMaps.executable(of: process)?.first(where: { isJITDump($0.path) }) { return mapped.path }
        return NamespacedIdentity.read(process).map { "/tmp/jit-\($0.innermostProcess).dump" }
    }

    /// Reads what is new; see `PerfMapFile.refresh`.
    public mutating func refresh(at now: UInt64) throws(Failure) -> PerfMapFile.Progress {
        if let failure { throw .content(failure) }
        do throws(RuntimeFile.Failure) {
            return try readOn(at: now)
        } catch {
            throw .file(error)
        }
    }

    private mutating func readOn(at now: UInt64) throws(RuntimeFile.Failure) -> PerfMapFile.Progress {
        if facts == nil { facts = NamespacedIdentity.read(process) }
        guard let facts else { throw .gone }
        let file = try RuntimeFile(path, of: process, owner: facts.user)
        let size = try file.size()
        if identity != file.identity || size < offset {
            if identity != nil {
                restarts += 1
                dump = JITDump(limits: limits.names)
            }
            identity = file.identity
            offset = 0
        }
        let start = offset
        defer { dump.endRound() }
        var window: [UInt8] = []
        var windowStart = offset
        var wanted = 64 << 10
        var records = 0
        let end = min(size, limits.fileBytes)
        while offset < end, records < limits.recordsAtOnce {
            let windowEnd = windowStart + UInt64(window.count)
            if offset < windowStart || offset + 16 > windowEnd || UInt64(wanted) > windowEnd - min(offset, windowEnd) {
                windowStart = offset
                window = try file.read(at: offset, count: max(wanted, 64 << 10))
            }
            let step: JITDump.Step
            do throws(JITDump.Failure) {
                step = try dump.take(window[Int(offset - windowStart)...], at: now)
            } catch {
                failure = error
                break
            }
            switch step {
            case .advance(let count):
                offset += count
                records += 1
                wanted = 16
                if let writer = dump.process, writer != UInt32(bitPattern: facts.innermostProcess) {
                    failure = .otherProcess(writer)
                    dump = JITDump(limits: limits.names)
                    return .unchanged
                }
            case .needs(let count):
                // A record whose end has not been written waits.
                guard UInt64(count) <= size - offset else {
                    return offset == start ? .unchanged : .read(bytes: Int(clamping: offset - start))
                }
                // The file became shorter between two reads.
                guard count > window.count - Int(offset - windowStart) else { return .unchanged }
                wanted = count
            case .ended:
                return .unchanged
            }
        }
        if records >= limits.recordsAtOnce, offset < end { return .behind(bytes: end - offset) }
        if size > limits.fileBytes { return .overLimit(unreadBytes: size - limits.fileBytes) }
        return offset == start ? .unchanged : .read(bytes: Int(clamping: offset - start))
    }

    /// The function at `address` at `time` (CLOCK_MONOTONIC), with file and line where the file has them.
    public func match(_ address: UInt64, at time: UInt64) -> RuntimeCodeNames.Match? {
        dump.names.match(address, at: time)
    }
}
