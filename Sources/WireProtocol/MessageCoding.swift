internal import ByteCoding
internal import Profiles
internal import SwiftProtobuf

extension Message {
    static let headerBytes = 12

    /// Header and body, ready for the wire. An `unknown` message has an empty body.
    ///
    /// - Throws: `messageTooLong` where the body is over `WireLimits.messageBytes`.
    public func encoded() throws(WireError) -> [UInt8] {
        let (type, body) = try encodedBody()
        guard body.count <= WireLimits.messageBytes else {
            throw .messageTooLong(length: body.count, limit: WireLimits.messageBytes)
        }
        var writer = ByteWriter(reserving: Self.headerBytes + body.count)
        writer.write(UInt32(body.count))
        writer.write(UInt32(type))
        writer.write(CRC32C.checksum(body, previous: CRC32C.checksum(writer.bytes)))
        writer.write(body)
        return writer.bytes
    }

    private func encodedBody() throws(WireError) -> (type: UInt8, body: [UInt8]) {
        func bytes(_ type: PBMessageType, _ message: some SwiftProtobuf.Message) throws(WireError) -> (UInt8, [UInt8]) {
            let type = UInt8(type.rawValue)
            do { return (type, try message.serializedBytes()) } catch { throw .malformedMessage(type: type) }
        }
        switch self {
        case .hello(let hello): return try bytes(.hello, PBHello(hello))
        case .welcome(let welcome): return try bytes(.welcome, PBWelcome(welcome))
        case .batch(let batch): return try bytes(.batch, PBBatch(batch))
        case .ack(let name): return try bytes(.ack, PBAck.with { $0.name = PBBatchName(name) })
        case .refused(let refused): return try bytes(.refused, PBRefused(refused))
        case .symbolsWanted(let modules):
            return try bytes(.symbolsWanted, PBSymbolsWanted.with { $0.modules = modules.map(PBModule.init) })
        case .symbolTable(let chunk): return try bytes(.symbolTable, PBSymbolTableChunk(chunk))
        case .goodbye(let goodbye): return try bytes(.goodbye, PBGoodbye(goodbye))
        case .unknown(let type): return (type, [])
        }
    }

    /// The message that a body of the given type holds.
    static func decode(type: UInt8, body: [UInt8]) throws(WireError) -> Message {
        func read<Body: SwiftProtobuf.Message>(_: Body.Type) throws(WireError) -> Body {
            do { return try Body(serializedBytes: body) } catch { throw .malformedMessage(type: type) }
        }
        switch PBMessageType(rawValue: Int(type)) {
        case .hello: return .hello(try Hello(try read(PBHello.self)))
        case .welcome: return .welcome(try Welcome(try read(PBWelcome.self)))
        case .batch: return .batch(try Batch(try read(PBBatch.self)))
        case .ack: return .ack(try batchName(try read(PBAck.self).name, of: "Ack"))
        case .refused: return .refused(try Refused(try read(PBRefused.self)))
        case .symbolsWanted:
            let wanted = try read(PBSymbolsWanted.self).modules
            guard wanted.count <= WireLimits.modulesWanted else {
                throw .badField(message: "SymbolsWanted", field: "modules", detail: "has \(wanted.count) entries")
            }
            var modules: [Module] = []
            for module in wanted { modules.append(try Module(module, of: "SymbolsWanted")) }
            return .symbolsWanted(modules)
        case .symbolTable: return .symbolTable(try SymbolTableChunk(try read(PBSymbolTableChunk.self)))
        case .goodbye: return .goodbye(Goodbye(try read(PBGoodbye.self)))
        default: return .unknown(type: type)
        }
    }
}

/// Cuts a stream of bytes into messages, however the bytes arrive.
///
/// After an error the stream can't be read further: the sender is to be disconnected.
public struct MessageDecoder: Sendable {
    private var buffer: [UInt8] = []
    private var start = 0
    private let limit: Int

    /// - Parameter limit: longest body that is accepted, in bytes.
    public init(limit: Int = WireLimits.messageBytes) {
        self.limit = limit
    }

    /// Bytes that have arrived and belong to no complete message yet.
    public var bufferedBytes: Int { buffer.count - start }

    public mutating func append(_ bytes: some Collection<UInt8>) {
        if start > 0, start >= buffer.count / 2 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next message, or nil until more bytes have come. The header is judged as soon as it is there, so a length
    /// over the limit never waits for its body.
    public mutating func next() throws(WireError) -> Message? {
        guard bufferedBytes >= Message.headerBytes else { return nil }
        func word(_ offset: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(buffer[start + offset + $1]) << UInt32(8 * $1) }
        }
        let length = Int(word(0))
        let type = buffer[start + 4]
        guard word(4) >> 8 == 0 else { throw .badHeader }
        guard length <= limit else { throw .messageTooLong(length: length, limit: limit) }
        guard bufferedBytes >= Message.headerBytes + length else { return nil }
        let bodyStart = start + Message.headerBytes
        let body = Array(buffer[bodyStart..<bodyStart + length])
        let found = CRC32C.checksum(body, previous: CRC32C.checksum(Array(buffer[start..<start + 8])))
        guard found == word(8) else { throw .badChecksum(type: type, expected: word(8), found: found) }
        start = bodyStart + length
        return try Message.decode(type: type, body: body)
    }
}
