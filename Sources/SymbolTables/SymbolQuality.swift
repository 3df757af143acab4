/// How much the source of a symbol table knew; the better one replaces the poorer.
public enum SymbolQuality: UInt8, Comparable, Sendable, CustomStringConvertible {
    /// No functions at all: the file has no symbols.
    case none = 0
    /// Only the functions that the file shares with others (`.dynsym`).
    case dynamicSymbols = 1
    /// All functions (`.symtab`).
    case symbols = 2
    /// Functions, files, lines and inlined frames (DWARF).
    case debugInformation = 3

    public static func < (left: SymbolQuality, right: SymbolQuality) -> Bool { left.rawValue < right.rawValue }

    public var description: String {
        switch self {
        case .none: "none"
        case .dynamicSymbols: "dynamic symbols"
        case .symbols: "symbols"
        case .debugInformation: "debug information"
        }
    }
}
