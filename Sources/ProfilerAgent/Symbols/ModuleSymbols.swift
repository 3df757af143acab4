internal import Glibc
import LinuxSystem
import Profiles
import SymbolSources
import SymbolTables

/// Makes symbol tables of modules from the best that is at hand: a table that was made before, the module's own debug
/// information, a separate debug file below the root of the process that runs it, one that a server has.
///
/// The agent opens the files, the helper process reads them.
struct ModuleSymbols: Sendable {
    let reader: ObjectReader
    let cache: SymbolTableCacheDirectory?
    /// nil where none is to be asked.
    var servers: DebugServers?
    let tally = TableTally()

    /// Whether debug servers are asked where nothing on this host has debug information; that may take a minute.
    enum Asking: Sendable {
        case never
        case also
        /// For what is missing in a table that was made without; a failure where no server has it.
        case forMore
    }

    /// At most so many debug files are looked into: a process chooses the names.
    private static let maximumCandidates = 8

    /// The encoded table of `file`, which lies at `path` below the root of `process`.
    func table(
        of file: borrowing OwnedDescriptor, identity: ModuleIdentity, path: String, process: Int32,
        asking: Asking = .also
    ) async -> Result<[UInt8], ObjectReaderFailure> {
        // Whoever may write a program may give it another one's build ID: what is kept is of files that root or we own.
        let cache = Self.isTrusted(file) ? self.cache : nil
        let kept = await cache?.table(of: identity)
        if let kept, kept.isComplete { return .success(kept.table) }
        // What servers have is in it already; after a day it is made anew.
        let isServed = kept?.sources.contains(.servedFile) ?? false
        var found = await debugFiles(of: file, path: path, process: process, asking: isServed ? .never : asking)
        // A poor table is as good as a new one until somebody installs debug files.
        if let kept, kept.sources.isSuperset(of: found.sources) { return .success(kept.table) }
        if case .forMore = asking, !found.sources.contains(.servedFile) {
            return .failure(.notReadable("no server has more of it"))
        }
        var result = await reader.symbolTable(file, with: found.files)
        var gaps = Self.gaps(result)
        // Told by reading it, so that modules without split units, nearly all, cost nothing more.
        if gaps.contains(.splitUnits) {
            found.files.split = await splitFiles(of: file, with: found.files, path: path, process: process)
            if !found.files.split.isEmpty {
                found.sources.insert(.splitFiles)
                let better = await reader.symbolTable(file, with: found.files)
                if case .success = better {
                    result = better
                    gaps = Self.gaps(result)
                }
            }
        }
        switch result {
        case .failure(.helperDied), .failure(.tookTooLong):
            // Most likely over debug information, which is not worth the names.
            result = await reader.functionTable(file, with: found.files)
        default: break
        }
        if case .success(let bytes) = result {
            tally.add(gaps)
            await cache?.store(bytes, of: identity, sources: found.sources)
        }
        return result
    }

    private static func isTrusted(_ file: borrowing OwnedDescriptor) -> Bool {
        var facts = stat()
        guard unsafe fstat(file.rawValue, &facts) == 0 else { return false }
        return facts.st_uid == 0 || facts.st_uid == geteuid()
    }

    private static func gaps(_ result: Result<[UInt8], ObjectReaderFailure>) -> TableGaps {
        guard case .success(let bytes) = result, let table = try? SymbolTable(decoding: bytes) else { return [] }
        return table.gaps
    }

    /// What lies beside a module, and what of it a table is made of.
    private struct Found: ~Copyable {
        var files = DebugDescriptors()
        var sources: TableSources = []

        mutating func take(alternate: consuming OwnedDescriptor) {
            if alternate.rawValue >= 0 { sources.insert(.alternateFile) }
            files.alternate = alternate
        }
    }

    private func debugFiles(
        of file: borrowing OwnedDescriptor, path: String, process: Int32, asking: Asking
    ) async -> Found {
        var found = Found()
        guard case .success(let module) = await reader.debugLinks(file) else { return found }
        var servers = servers
        if case .never = asking { servers = nil }
        let end = servers?.end ?? .now
        var alternate = module.links.alternate
        var alternatePlace = path
        if module.links.hasDebugInformation {
            found.sources.insert(.ownDebugInformation)
        } else {
            let local = await localDebugFile(of: module, path: path, process: process)
            if local.isFound {
                alternate = local.links.alternate
                alternatePlace = local.path
                found.sources.insert(.debugFile)
            }
            let hasInformation = local.links.hasDebugInformation
            found.files.debug = local.takeFile()
            if !hasInformation, module.identity.kind == .buildID, let servers {
                let served = await servers.file(of: module.identity.bytes, before: end)
                if served.file.rawValue >= 0 {
                    alternate = served.links.alternate
                    alternatePlace = path
                    found.files.debug = served.takeFile()
                    found.sources.formUnion([.debugFile, .servedFile])
                }
            }
        }
        guard let alternate else { return found }
        // The helper takes it only with the build ID that the link names.
        var next = 0
        found.take(
            alternate: DebugFileSearch.open(
                DebugFileSearch.alternatePaths(alternate, debugFilePath: alternatePlace), from: &next, below: process))
        if found.files.alternate.rawValue < 0, let servers {
            found.take(alternate: await servers.file(of: alternate.buildID, before: end).takeFile())
            if found.files.alternate.rawValue >= 0 { found.sources.insert(.servedFile) }
        }
        return found
    }

    /// The files that a module's units were split off to, below the root of the process: its `.dwp`, and the `.dwo` files
    /// where its compiler put them, or beside it.
    private func splitFiles(
        of file: borrowing OwnedDescriptor, with others: borrowing DebugDescriptors, path: String, process: Int32
    ) async -> [SplitFile] {
        func open(_ paths: [String]) -> SharedDescriptor? {
            var next = 0
            let file = DebugFileSearch.open(paths, from: &next, below: process)
            return file.rawValue >= 0 ? SharedDescriptor(file) : nil
        }
        var files: [SplitFile] = []
        if let package = open([path + ".dwp"]) { files.append(SplitFile(reference: nil, file: package)) }
        guard case .success(let references) = await reader.splitReferences(file, with: others) else { return files }
        for reference in references {
            if let split = open(DebugFileSearch.splitPaths(reference, modulePath: path)) {
                files.append(SplitFile(reference: reference, file: split))
            }
        }
        return files
    }

    /// A debug file below the root of the process that runs the module.
    private struct Local: ~Copyable {
        var file = OwnedDescriptor(-1)
        var links = DebugLinks()
        var path = ""

        var isFound: Bool { file.rawValue >= 0 }
        consuming func takeFile() -> OwnedDescriptor { file }
    }

    private func localDebugFile(of module: LinkedModule, path: String, process: Int32) async -> Local {
        let buildID = module.identity.kind == .buildID ? module.identity.bytes : []
        let paths = DebugFileSearch.paths(buildID: buildID, link: module.links.link?.name, modulePath: path)
        var next = 0
        for _ in 0..<Self.maximumCandidates where next < paths.count {
            let candidate = DebugFileSearch.open(paths, from: &next, below: process)
            guard candidate.rawValue >= 0, case .success(let debug) = await reader.debugLinks(candidate) else {
                continue
            }
            // With a build ID on both sides it decides; else the helper compares the link's checksum.
            if buildID.isEmpty || debug.identity.kind != .buildID {
                guard module.links.link != nil else { continue }
            } else {
                guard debug.identity == module.identity else { continue }
            }
            guard debug.links.hasDebugInformation || debug.links.hasSymbols else { continue }
            return Local(file: candidate, links: debug.links, path: paths[next - 1])
        }
        return Local()
    }
}
