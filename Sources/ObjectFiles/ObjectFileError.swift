/// Why an object file could not be read. Offsets count from the file's start.
public enum ObjectFileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The first bytes are not those of an ELF file.
    case notELF
    /// ELF, but of a kind that is not read here: 32 bits, big-endian, a relocatable or core file.
    case unsupported(String)
    /// The file ends before something that its headers promise.
    case truncated(what: String, offset: UInt64, needed: UInt64, size: UInt64)
    /// A number in the file is larger than we accept.
    case overLimit(what: String, value: UInt64, limit: UInt64)
    /// A field contradicts another.
    case malformed(what: String)
    /// The file could not be read at all; errno.
    case unreadable(Int32)

    public var description: String {
        switch self {
        case .notELF:
            "not an ELF file"
        case .unsupported(let kind):
            "\(kind), which is not read here: 64-bit little-endian programs and shared libraries are"
        case .truncated(let what, let offset, let needed, let size):
            "ends too early: \(what) takes \(needed) bytes at offset \(offset), the file has \(size)"
        case .overLimit(let what, let value, let limit):
            "\(what): \(value) is over the limit of \(limit)"
        case .malformed(let what):
            "malformed: \(what)"
        case .unreadable(let code):
            "could not be read (errno \(code))"
        }
    }
}
