public import Profiles

/// Names native frames by the symbol tables of their modules.
public struct ModuleSymbolizer: Symbolizer, Sendable {
    private let tables: [ModuleIdentity: SymbolTable]

    public init(tables: [ModuleIdentity: SymbolTable]) {
        self.tables = tables
    }

    /// The function at `address`; empty where the module has no table, or the table no function there.
    public func frames(at address: UInt64, in module: Module) -> [NamedFrame] {
        guard module.identity.kind != .name, let match = tables[module.identity]?.lookUp(address) else { return [] }
        return [NamedFrame(kind: .native, name: match.name, module: fileName(of: module.name))]
    }
}

/// What follows the last slash.
private func fileName(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: 47) else { return path }
    return String(path[path.utf8.index(after: slash)...])
}
