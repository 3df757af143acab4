import ByteCoding
import LinuxSystem
import Profiles
import SymbolSources

/// What parent and helper process say to each other over their socket.
///
/// A message is u32 length of the body, u8 kind, u32 number of the request, body; little-endian. A request carries the
/// file's descriptor, and has no body but for `fetch` and `splitFile`; an answer in sealed memory has a body of one byte
/// that means nothing. Either side takes the other for hostile: the parent because the helper reads hostile files, the
/// helper by habit.
struct HelperMessage: Equatable {
    enum Kind: UInt8 {
        /// Helper → parent, once: its rights are gone, it takes requests.
        case ready = 1
        /// Parent → helper: identity and load segments are wanted; helper → parent: here they are.
        case identify = 2
        /// Parent → helper: a symbol table is wanted; helper → parent: here it is, encoded.
        case symbolTable = 3
        /// Parent → helper, without an answer: the debug file for the request that follows, which takes it.
        case debugFile = 8
        /// As `debugFile`, for the file that dwz shares among several.
        case alternateFile = 9
        /// Parent → helper: where the file's debug information is, is wanted; helper → parent: what the file says.
        case debugLinks = 10
        /// As `symbolTable`, without reading debug information: for files over which that failed.
        case functionTable = 11
        /// Parent → fetching process: a `FetchRequest`, with the file to write to; fetching process → parent: a
        /// `FetchAnswer`.
        case fetch = 12
        /// Parent → helper: where units were split off to is wanted; helper → parent: the places.
        case splitReferences = 13
        /// As `debugFile`, for a file that units were split off to: the body is its place, or empty for the `.dwp` that
        /// holds many.
        case splitFile = 14
        /// Helper → parent: the file could not be read; the body is the reason in UTF-8.
        case failed = 4
        /// Parent → helper: the sections for unwinding are wanted; helper → parent: they lie in the sealed memory whose
        /// descriptor comes with the message.
        case unwindSections = 5
    }

    var kind: Kind
    var request: UInt32
    var body: [UInt8] = []

    static let headerBytes = 9

    /// Longest body of each kind. 64 MiB of symbol table are 20 times that of swift-frontend.
    static func maximumBody(_ kind: Kind) -> Int {
        switch kind {
        case .ready, .debugFile, .alternateFile: 0
        case .identify, .splitReferences: 1 << 20
        case .symbolTable, .functionTable: 1 << 26
        case .debugLinks: 1 << 20
        case .failed: 1 << 12
        case .fetch, .splitFile: 1 << 14
        case .unwindSections: 1
        }
    }

    func send(
        over channel: borrowing DescriptorChannel, descriptor: Int32? = nil, before deadline: ContinuousClock.Instant?
    ) throws(SystemCallError) {
        var writer = ByteWriter(reserving: Self.headerBytes + body.count)
        writer.write(UInt32(body.count))
        writer.write(kind.rawValue)
        writer.write(request)
        writer.write(body)
        try channel.send(writer.bytes, descriptor: descriptor, before: deadline)
    }

    /// A message with the descriptor that came with it.
    struct Received: ~Copyable {
        var message: HelperMessage
        var descriptor: OwnedDescriptor

        consuming func takeDescriptor() -> OwnedDescriptor { descriptor }
    }

    /// The next message; nil when the other side has closed.
    static func receive(
        over channel: borrowing DescriptorChannel, before deadline: ContinuousClock.Instant?
    ) throws(HelperMessageError) -> Received? {
        let received: DescriptorChannel.Received
        do { received = try channel.receive(headerBytes, before: deadline) } catch { throw .channel(error) }
        guard !received.bytes.isEmpty else { return nil }
        let header = received.bytes
        let length = (0..<4).reduce(0) { $0 | Int(header[$1]) << (8 * $1) }
        let request = (0..<4).reduce(UInt32(0)) { $0 | UInt32(header[5 + $1]) << UInt32(8 * $1) }
        guard let kind = Kind(rawValue: header[4]) else { throw .malformed("a message of kind \(header[4])") }
        guard length <= maximumBody(kind) else { throw .malformed("a message of \(length) bytes") }
        var message = HelperMessage(kind: kind, request: request)
        if length > 0 {
            do { message.body = try channel.receive(length, before: deadline).bytes } catch { throw .channel(error) }
            guard message.body.count == length else { throw .malformed("a message that ends too early") }
        }
        return Received(message: message, descriptor: received.takeDescriptor())
    }
}

enum HelperMessageError: Error {
    case channel(SystemCallError)
    case malformed(String)
}

extension ModuleFacts {
    /// u8 kind of identity, its bytes with their length, count of segments, of each its numbers; as varints.
    func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(identity.kind.rawValue)
        writer.writePrefixedBytes(identity.bytes)
        writer.writeVarint(UInt64(loadSegments.count))
        for segment in loadSegments {
            writer.writeVarint(segment.fileOffset)
            writer.writeVarint(segment.fileSize)
            writer.writeVarint(segment.virtualAddress)
            writer.write(segment.isExecutable ? 1 : 0 as UInt8)
        }
        return writer.bytes
    }

    /// nil for bytes that `encoded` can't have written.
    init?(decoding bytes: [UInt8]) {
        var reader = unsafe ByteReader(bytes.span.bytes)
        do throws(ByteCodingError) {
            let kind = ModuleIdentity.Kind(rawValue: try reader.readUInt8())
            let identity = try reader.readPrefixedBytes(limit: ModuleIdentity.maximumBytes)
            guard let kind, kind != .name, identity.count >= 2 else { return nil }
            let count = try reader.readVarint()
            guard count <= UInt64(reader.remaining) else { return nil }
            var segments: [LoadSegment] = []
            for _ in 0..<count {
                let fileOffset = try reader.readVarint()
                let fileSize = try reader.readVarint()
                let address = try reader.readVarint()
                let isExecutable = try reader.readUInt8() != 0
                segments.append(
                    LoadSegment(
                        fileOffset: fileOffset, fileSize: fileSize, virtualAddress: address, isExecutable: isExecutable)
                )
            }
            guard reader.isAtEnd else { return nil }
            self.init(identity: ModuleIdentity(kind: kind, bytes: identity), loadSegments: segments)
        } catch {
            return nil
        }
    }
}
