/// Why bytes could not be compressed or expanded.
public enum CompressionError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The bytes say, or prove while they expand, that they are longer than the caller allows.
    case overLimit(limit: Int)
    /// Not a zstd frame, damaged, or cut short; the text is libzstd's own.
    case malformed(String)
    /// More bytes follow the frame's end.
    case trailingBytes(count: Int)
    /// libzstd failed for a reason that is not in the bytes: no memory, an unknown level.
    case failed(String)

    public var description: String {
        switch self {
        case .overLimit(let limit):
            "the compressed bytes expand to more than the limit of \(limit) bytes"
        case .malformed(let reason):
            "the bytes are not a whole zstd frame: \(reason)"
        case .trailingBytes(let count):
            "\(count) bytes follow the end of the zstd frame"
        case .failed(let reason):
            "zstd failed: \(reason)"
        }
    }
}
