import LinuxSystem
import Profiles
import SymbolSources

/// Makes symbol tables of modules from the best that is at hand: a table that was made before, the module's own debug
/// information, a separate debug file below the root of the process that runs it.
///
/// The agent opens the files, the helper process reads them.
struct ModuleSymbols: Sendable {
    let reader: ObjectReader
    let cache: SymbolTableCacheDirectory?

    /// At most so many debug files are looked into: a process chooses the names.
    private static let maximumCandidates = 8

    /// The encoded table of `file`, which lies at `path` below the root of `process`.
    func table(
        of file: borrowing OwnedDescriptor, identity: ModuleIdentity, path: String, process: Int32
    ) async -> Result<[UInt8], ObjectReaderFailure> {
        let kept = await cache?.table(of: identity)
        if let kept, kept.isComplete { return .success(kept.table) }
        let found = await debugFiles(of: file, path: path, process: process)
        // A poor table is as good as a new one until somebody installs debug files.
        if let kept, kept.sources.isSuperset(of: found.sources) { return .success(kept.table) }
        var result = await reader.symbolTable(file, with: found.files)
        switch result {
        case .failure(.helperDied), .failure(.tookTooLong):
            // Most likely over debug information, which is not worth the names.
            result = await reader.functionTable(file, with: found.files)
        default: break
        }
        if let cache, case .success(let bytes) = result {
            await cache.store(bytes, of: identity, sources: found.sources)
        }
        return result
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

    private func debugFiles(of file: borrowing OwnedDescriptor, path: String, process: Int32) async -> Found {
        var found = Found()
        guard case .success(let module) = await reader.debugLinks(file) else { return found }
        if module.links.hasDebugInformation {
            found.sources.insert(.ownDebugInformation)
            if let alternate = module.links.alternate {
                found.take(alternate: await openAlternate(alternate, beside: path, process: process))
            }
            return found
        }
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
            if let alternate = debug.links.alternate {
                found.take(alternate: await openAlternate(alternate, beside: paths[next - 1], process: process))
            }
            found.files.debug = candidate
            found.sources.insert(.debugFile)
            return found
        }
        return found
    }

    private func openAlternate(
        _ alternate: DebugLinks.Alternate, beside path: String, process: Int32
    ) async -> OwnedDescriptor {
        // The helper takes it only with the build ID that the link names.
        var next = 0
        return DebugFileSearch.open(
            DebugFileSearch.alternatePaths(alternate, debugFilePath: path), from: &next, below: process)
    }
}
