public import ByteCoding
public import Compression

/// Why bytes are not a symbol table.
public enum SymbolTableError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The first bytes are not those of a symbol table.
    case notASymbolTable
    /// Written by a version of the format that this program does not know.
    case unknownVersion(UInt16)
    /// The bytes were damaged on their way.
    case wrongChecksum(stated: UInt32, computed: UInt32)
    /// A number in the table is larger than we accept.
    case overLimit(what: String, value: UInt64, limit: UInt64)
    /// Fields that contradict each other: ranges out of order, a name that does not exist.
    case malformed(String)
    /// Ends too early, or holds something that can't be read.
    case unreadable(ByteCodingError)
    /// The compressed part is damaged or too large.
    case compression(CompressionError)

    public var description: String {
        switch self {
        case .notASymbolTable:
            "not a symbol table"
        case .unknownVersion(let version):
            "a symbol table of version \(version); this program reads version \(SymbolTable.version)"
        case .wrongChecksum(let stated, let computed):
            "the symbol table is damaged: its checksum is \(computed), it states \(stated)"
        case .overLimit(let what, let value, let limit):
            "the symbol table has too many \(what): \(value), the limit is \(limit)"
        case .malformed(let what):
            "malformed symbol table: \(what)"
        case .unreadable(let error):
            "malformed symbol table: \(error)"
        case .compression(let error):
            "malformed symbol table: \(error)"
        }
    }
}
