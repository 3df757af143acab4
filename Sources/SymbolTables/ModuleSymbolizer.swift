public import Profiles

/// Names native frames by the symbol tables of their modules.
public struct ModuleSymbolizer: Symbolizer, Sendable {
    private let tables: [ModuleIdentity: SymbolTable]
    private let form: SymbolNames.Form

    public init(tables: [ModuleIdentity: SymbolTable], names form: SymbolNames.Form = .full) {
        self.tables = tables
        self.form = form
    }

    /// The function at `address` and what is inlined into it there, the outermost first; empty where the module has no
    /// table, or the table no function there.
    public func frames(at address: UInt64, in module: Module) -> [NamedFrame] {
        guard module.identity.kind != .name, let table = tables[module.identity] else { return [] }
        let frames = table.frames(at: address)
        guard !frames.isEmpty else { return [] }
        let file = fileName(of: module.name)
        return frames.reversed().map { frame in
            NamedFrame(
                kind: frame.isInlined ? .inlined : .native, name: SymbolNames.name(frame.name, in: form), module: file,
                file: frame.file, line: frame.line)
        }
    }
}

/// What follows the last slash.
private func fileName(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: 47) else { return path }
    return String(path[path.utf8.index(after: slash)...])
}
