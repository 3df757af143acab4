internal import Dispatch
internal import Glibc
import LinuxSystem
import Profiles
public import Settings
import SymbolSources

/// Asks debuginfod servers (debuginfod(8)) for debug files of modules that have none on this host, by build ID.
///
/// Servers are asked in order, each by a child process without rights that lives for one request, is killed when its time
/// is over and writes into a file without a name; nothing of what it brings is believed before the helper has found the
/// wanted build ID in it. What a server has not, and that it does not answer, is remembered (`FetchMemory`), so that
/// asking costs little however often it is asked. One caller at a time: two would ask a silent server twice.
public actor DebugServers {
    public struct Options: Sendable {
        public var connectTime: Duration = .seconds(5)
        /// Without a byte for so long, a server is given up. The first answer of a real one may take that long: it
        /// unpacks a package.
        public var stallTime: Duration = .seconds(20)
        /// For one file of one server.
        public var totalTime: Duration = .seconds(60)
        public var fileBytes = 512 << 20
        /// A server that failed is not asked for anything.
        public var pauseAfterFailure: Duration = .seconds(600)
        /// A server that does not know a file is not asked for it.
        public var pauseAfterAbsence: Duration = .seconds(3600)
        /// What a server has is of no use: another file, or too long.
        public var pauseAfterUseless: Duration = .seconds(86_400)

        public init() {}
    }

    /// Counts since the start.
    public struct Statistics: Hashable, Sendable {
        public var found: UInt64 = 0
        /// Answers that a server does not know a file.
        public var absent: UInt64 = 0
        /// Files that were too long, or not those that were asked for.
        public var useless: UInt64 = 0
        /// Requests without an answer.
        public var failures: UInt64 = 0
        /// Requests that were not made because of what is remembered.
        public var spared: UInt64 = 0
        public var bytes: UInt64 = 0
        /// Server and reason, for people.
        public var lastFailure: String?
    }

    /// A file that proved to be the one that was asked for.
    struct Served: ~Copyable, Sendable {
        var file = OwnedDescriptor(-1)
        var links = DebugLinks()

        consuming func takeFile() -> OwnedDescriptor { file }
    }

    private let servers: [DebugServer]
    private let reader: ObjectReader
    private let options: Options
    private let executable: String
    private let arguments: [String]
    private let folder: String
    private let queue = DispatchQueue(label: "debug-servers")
    private var memory: FetchMemory
    private var counts = Statistics()

    /// - Parameters:
    ///   - reader: looks at what was fetched.
    ///   - folder: where fetched files lie while they are read, without a name.
    ///   - memory: a file that keeps what is remembered for the next process; nil: nothing is kept.
    ///   - arguments: make the executable call `runFetcher`.
    public init(
        _ servers: [DebugServer], reader: ObjectReader, folder: String, memory: String?, options: Options = Options(),
        executable: String = "/proc/self/exe", arguments: [String] = ["fetch"]
    ) {
        self.servers = servers
        self.reader = reader
        self.folder = folder
        self.memory = FetchMemory(path: memory)
        self.options = options
        self.executable = executable
        self.arguments = ["perf-agent"] + arguments
    }

    public var statistics: Statistics { counts }

    /// When fetching for one module has to be over: whoever waits for its table does not wait for ever.
    nonisolated var end: ContinuousClock.Instant { ContinuousClock.now + options.totalTime }

    /// The file with debug information of a build ID from the first server that has it.
    func file(of buildID: [UInt8], before end: ContinuousClock.Instant) async -> Served {
        for server in servers {
            let absence = "\(server.digest) \(Hexadecimal.text(buildID))"
            let left = ContinuousClock.now.duration(to: end)
            guard left >= .milliseconds(500), !memory.holds(server.digest), !memory.holds(absence) else {
                counts.spared += 1
                continue
            }
            let file: OwnedDescriptor
            do { file = try AnonymousFile.make(in: folder) } catch {
                counts.failures += 1
                counts.lastFailure = "\(error)"
                return Served()
            }
            switch await fetch(server.url(ofDebugFile: Hexadecimal.text(buildID)), into: file, within: left) {
            case .done:
                counts.bytes += (try? FileBytes.size(file.rawValue)) ?? 0
                if case .success(let module) = await reader.debugLinks(file), module.links.hasDebugInformation,
                    module.identity == ModuleIdentity(kind: .buildID, bytes: buildID)
                {
                    counts.found += 1
                    return Served(file: file, links: module.links)
                }
                counts.useless += 1
                counts.lastFailure = "\(server): it sent something else than the debug file of \(absence.suffix(40))"
                memory.keep(absence, for: options.pauseAfterUseless)
            case .absent:
                counts.absent += 1
                memory.keep(absence, for: options.pauseAfterAbsence)
            case .tooLarge:
                counts.useless += 1
                counts.lastFailure = "\(server): a debug file is longer than \(options.fileBytes) bytes"
                memory.keep(absence, for: options.pauseAfterUseless)
            case .failed(let reason):
                counts.failures += 1
                counts.lastFailure = "\(server): \(reason)"
                memory.keep(server.digest, for: options.pauseAfterFailure)
                // It may be this file's fault: when the server is asked again, others come first.
                memory.keep(absence, for: options.pauseAfterAbsence)
            }
        }
        return Served()
    }

    /// The caller's file stays open while it awaits this.
    private func fetch(
        _ url: String, into file: borrowing OwnedDescriptor, within left: Duration
    ) async -> FetchAnswer {
        let request = FetchRequest(
            url: url, maximumBytes: UInt64(options.fileBytes), connectTime: options.connectTime,
            stallTime: options.stallTime, totalTime: min(options.totalTime, left))
        let (executable, arguments, descriptor) = (executable, arguments, file.rawValue)
        return await withCheckedContinuation { continuation in
            queue.async {
                continuation.resume(returning: request.perform(executable, arguments, into: descriptor))
            }
        }
    }
}

extension DebugServers {
    /// nil where no server is to be asked. With a cache, fetched files lie there while they are read, and what servers
    /// don't have is remembered there; else in `folder`, and in this process alone.
    init?(_ settings: AgentSettings.Symbols, reader: ObjectReader, cache: String?, folder: String) {
        guard !settings.debugServers.isEmpty else { return nil }
        var options = Options()
        options.fileBytes = settings.maximumDebugFileBytes
        options.totalTime = settings.maximumDebugFileTime
        options.stallTime = min(options.stallTime, options.totalTime)
        options.connectTime = min(options.connectTime, options.totalTime)
        self.init(
            settings.debugServers, reader: reader, folder: cache ?? folder, memory: cache.map { $0 + "/debuginfod" },
            options: options)
    }
}
