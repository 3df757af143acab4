internal import Glibc
internal import LinuxSystem
internal import Profiles
internal import SymbolSources
internal import Unwinding

/// Finds out what the mapped files are: opens them by way of the processes that have them mapped, lets the helper
/// process read identity and load segments, and remembers both, and where a module can be read again.
actor ModuleResolver {
    private struct Known {
        var resolved: ResolvedModule?
        var failures = 0
        var lastUsed: UInt64
        /// Number of the window from which on another attempt is made.
        var retryFrom: UInt64 = 0
    }

    private struct Source {
        var file: MappedFile
        var owner: MappedFileOwner
    }

    private let identities: ObjectReader
    private let symbols: ModuleSymbols
    private var known: [MappedFile: Known] = [:]
    private var underWay: [MappedFile: Task<ResolvedModule?, Never>] = [:]
    private var sources: [ModuleIdentity: Source] = [:]
    private var window: UInt64 = 0
    private var unwindTables = UnwindTableCache()
    /// Modules that are remembered; those not asked for in the longest time go first.
    private static let maximumKnown = 8192

    /// - Parameters:
    ///   - identities: answers at once; never behind a symbol table, which may take seconds.
    ///   - tables: builds symbol tables.
    ///   - cache: where finished tables are kept.
    ///   - servers: asked for debug files that this host does not have.
    init(
        identities: ObjectReader, tables: ObjectReader, cache: SymbolTableCacheDirectory? = nil,
        servers: DebugServers? = nil
    ) {
        self.identities = identities
        symbols = ModuleSymbols(reader: tables, cache: cache, servers: servers)
    }

    /// What a mapped file is. Known by its path alone where it can't be read.
    @discardableResult
    func resolve(_ file: MappedFile, owner: MappedFileOwner) async -> ResolvedModule {
        let unresolved = ResolvedModule(module: Module(identity: .name, name: file.path))
        guard file.isFile || file == .vdso else { return unresolved }
        if let seen = known[file] {
            known[file]?.lastUsed = window
            if let resolved = seen.resolved { return resolved }
            if seen.retryFrom > window { return unresolved }
        }
        if let task = underWay[file] { return await task.value ?? unresolved }
        let reader = identities
        let task = Task { await Self.identify(file, owner, reader) }
        underWay[file] = task
        let resolved = await task.value
        underWay[file] = nil
        let failures = resolved == nil ? (known[file]?.failures ?? 0) + 1 : 0
        known[file] = Known(
            resolved: resolved, failures: failures, lastUsed: window,
            retryFrom: window + (1 << UInt64(min(failures, 6))))
        if let resolved { sources[resolved.module.identity] = Source(file: file, owner: owner) }
        return resolved ?? unresolved
    }

    /// The encoded symbol table of a module that was resolved before; where it can't be read (any more), why.
    func symbolTable(
        of identity: ModuleIdentity, asking: ModuleSymbols.Asking = .also
    ) async -> SymbolTableAnswer {
        guard let source = sources[identity] else { return .unavailable("its file was not seen, or long ago") }
        var reason = "\(source.file.path) can't be opened"
        for process in [source.owner.process, getpid()] {
            for byMapping in [false, true] {
                guard let file = Self.open(source.file, source.owner, as: process, byMapping: byMapping) else {
                    continue
                }
                switch await identities.identify(file) {
                case .success(let facts) where facts.identity == identity: break
                case .success:
                    reason = "another file lies at \(source.file.path) now"
                    continue
                case .failure(let failure):
                    reason = "\(source.file.path): \(failure)"
                    continue
                }
                let path = source.file.path
                let table = await symbols.table(
                    of: file, identity: identity, path: path, process: process, asking: asking)
                switch table {
                case .success(let table): return .table(table)
                case .failure(let failure): reason = "\(source.file.path): \(failure)"
                }
            }
        }
        return .unavailable(reason)
    }

    /// What was made of the modules, a line for people.
    nonisolated var tablesMade: String { symbols.tally.text }

    /// What is needed to unwind through a mapped file; nil where it has nothing of the kind, or can't be read.
    func unwindTable(of file: MappedFile, owner: MappedFileOwner) async -> UnwindTable? {
        let resolved = await resolve(file, owner: owner)
        let identity = resolved.module.identity
        guard identity.kind != .name else { return nil }
        if let known = unwindTables[identity] { return known }
        for process in [owner.process, getpid()] {
            for byMapping in [false, true] {
                guard let descriptor = Self.open(file, owner, as: process, byMapping: byMapping),
                    case .success(let facts) = await identities.identify(descriptor), facts.identity == identity
                else { continue }
                guard case .success(let memory) = await identities.unwindSections(descriptor) else { return nil }
                guard let table = unsafe try? UnwindTable(memory.bytes, keeping: memory) else { return nil }
                unwindTables[identity] = table
                return table
            }
        }
        return nil
    }

    /// To be called once a window, so that what nobody asks for any more can be forgotten.
    func endWindow() {
        window += 1
        guard known.count > Self.maximumKnown else { return }
        let kept = known.sorted { $0.value.lastUsed > $1.value.lastUsed }.prefix(Self.maximumKnown / 2)
        known = Dictionary(uniqueKeysWithValues: kept.map { ($0.key, $0.value) })
        let identities = Set(known.values.compactMap { $0.resolved?.module.identity })
        sources = sources.filter { identities.contains($0.key) }
    }

    // MARK: Opening

    private static func identify(
        _ file: MappedFile, _ owner: MappedFileOwner, _ reader: ObjectReader
    ) async -> ResolvedModule? {
        // By the process that has it mapped; where that has gone, at the same path of our own root, if it is the same.
        for process in [owner.process, getpid()] {
            if process == getpid(), file.buildID.isEmpty, file.inode == 0, file != .vdso { continue }
            guard let descriptor = open(file, owner, as: process) else { continue }
            if let resolved = await identify(descriptor, file, reader) { return resolved }
            // Another file lies at the path now: the mapped one can still be reached by its mapping.
            if process == owner.process, let mapped = open(file, owner, as: process, byMapping: true),
                let resolved = await identify(mapped, file, reader)
            {
                return resolved
            }
        }
        return nil
    }

    private static func identify(
        _ descriptor: borrowing OwnedDescriptor, _ file: MappedFile, _ reader: ObjectReader
    ) async -> ResolvedModule? {
        guard case .success(let facts) = await reader.identify(descriptor) else { return nil }
        // Also a file without any build ID is another one than that which the kernel found one in.
        if !file.buildID.isEmpty, facts.identity.kind != .buildID || !isSame(file.buildID, facts.identity.bytes) {
            return nil
        }
        return ResolvedModule(
            module: Module(identity: facts.identity, name: file.path), loadSegments: facts.loadSegments)
    }

    /// The kernel's record holds at most 20 bytes of a build ID.
    private static func isSame(_ recorded: [UInt8], _ read: [UInt8]) -> Bool {
        read.starts(with: recorded) || recorded.starts(with: read)
    }

    private static func open(
        _ file: MappedFile, _ owner: MappedFileOwner, as process: Int32, byMapping: Bool = false
    ) -> OwnedDescriptor? {
        if file == .vdso { return try? VirtualSharedObject.file() }
        // No file has the last inode number, so that only the mapping itself is taken.
        let mapping = ProcessFileOpener.Mapping(
            range: owner.start..<max(owner.start, owner.end), inode: byMapping ? .max : file.inode,
            // A process that has gone may have been in another mount namespace, where numbers of files begin anew.
            device: process == getpid() && file.inode != 0 ? (file.deviceMajor, file.deviceMinor) : nil)
        return try? ProcessFileOpener.openModule(process, path: file.path, mapping: mapping)
    }
}
