public import Compression

/// Why bytes from a peer are not a message, or a message not a batch.
public enum WireError: Error, Equatable, Sendable, CustomStringConvertible {
    case messageTooLong(length: Int, limit: Int)
    case badChecksum(type: UInt8, expected: UInt32, found: UInt32)
    case badHeader
    case malformedMessage(type: UInt8)
    case badField(message: String, field: String, detail: String)
    case compression(CompressionError)
    case malformedContent
    case badContent(String)

    public var description: String {
        switch self {
        case .messageTooLong(let length, let limit):
            "a message of \(length) bytes is over the limit of \(limit)"
        case .badChecksum(let type, let expected, let found):
            "a message of type \(type) has checksum \(found) where \(expected) was announced: damaged on the way"
        case .badHeader:
            "the header's reserved bytes are not zero: the peer does not speak this protocol"
        case .malformedMessage(let type):
            "the body of a message of type \(type) is not the protobuf that it should be"
        case .badField(let message, let field, let detail):
            "\(message).\(field) \(detail)"
        case .compression(let error):
            "a batch's body can't be expanded: \(error)"
        case .malformedContent:
            "a batch's content is not the protobuf that it should be"
        case .badContent(let detail):
            "a batch's content breaks a rule: \(detail)"
        }
    }
}
