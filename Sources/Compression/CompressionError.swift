/// Why bytes could not be compressed or expanded.
public enum CompressionError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The bytes say, or prove while they expand, that they are longer than the caller allows.
    case overLimit(limit: Int)
    /// Not compressed so, damaged, or cut short; the text is the library's own.
    case malformed(String)
    /// More bytes follow the frame's end.
    case trailingBytes(count: Int)
    /// The library failed for a reason that is not in the bytes: no memory, an unknown level.
    case failed(String)

    public var description: String {
        switch self {
        case .overLimit(let limit):
            "the compressed bytes expand to more than the limit of \(limit) bytes"
        case .malformed(let reason):
            "the compressed bytes are not whole: \(reason)"
        case .trailingBytes(let count):
            "\(count) bytes follow the end of the zstd frame"
        case .failed(let reason):
            "the compression library failed: \(reason)"
        }
    }
}
