import LinuxSystem
import Profiles
import SymbolSources
import SymbolTables

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
        if let known = await cache?.table(of: identity) { return .success(known) }
        var files = DebugDescriptors()
        if case .success(let module) = await reader.debugLinks(file) {
            files = await debugFiles(of: module, path: path, process: process)
        }
        var result = await reader.symbolTable(file, with: files)
        switch result {
        case .failure(.helperDied), .failure(.tookTooLong):
            // Most likely over debug information, which is not worth the names.
            result = await reader.functionTable(file, with: files)
        default: break
        }
        // A poor table may be a better one as soon as somebody installs debug files; that is worth another look.
        if let cache, case .success(let bytes) = result, let table = try? SymbolTable(decoding: bytes),
            table.quality == .debugInformation, table.gaps.isEmpty
        {
            await cache.store(bytes, of: identity)
        }
        return result
    }

    private func debugFiles(of module: LinkedModule, path: String, process: Int32) async -> DebugDescriptors {
        var files = DebugDescriptors()
        if module.links.hasDebugInformation {
            if let alternate = module.links.alternate {
                files.alternate = await openAlternate(alternate, beside: path, process: process)
            }
            return files
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
                files.alternate = await openAlternate(alternate, beside: paths[next - 1], process: process)
            }
            files.debug = candidate
            return files
        }
        return files
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
