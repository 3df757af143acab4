import Profiles
import Testing
import WireProtocol

@Suite struct MessageTests {
    private static let name = BatchName(
        agent: Identifier(high: 1, low: 2), epoch: Identifier(high: 3, low: 4), sequence: 9,
        digest: Identifier(high: 5, low: 6))
    private static let module = Module(
        identity: ModuleIdentity(kind: .buildID, bytes: [1, 2, 3, 4]), name: "/usr/bin/x")
    private static let host = HostFacts(
        name: "h", agentVersion: "1", kernelRelease: "6", onlineCPUs: 4, labels: [Label(name: "a", value: "b")])

    static let messages: [Message] = [
        .hello(
            Hello(
                versions: [1, 2], agent: name.agent, epoch: name.epoch, host: host, clock: Timestamp(seconds: 1))),
        .welcome(Welcome(version: 1, lastStoredSequence: 8, credit: 16)),
        .batch(
            Batch(
                name: name, window: TimeRange(start: Timestamp(seconds: 10), end: Timestamp(seconds: 20)), samples: 3,
                expandedBytes: 5, body: [1, 2, 3])),
        .ack(name),
        .refused(Refused(name: name, reason: .expired, detail: "older than 7 days")),
        .symbolsWanted([module]),
        .symbolTable(SymbolTableChunk(module: module, totalBytes: 10, offset: 4, data: [1, 2, 3])),
        .symbolTable(SymbolTableChunk(module: module, totalBytes: 0, offset: 0, data: [], unavailable: "file is gone")),
        .goodbye(Goodbye(reason: .stopping, detail: "")),
    ]

    @Test(arguments: messages) func `a message comes back as it was sent, byte by byte or all at once`(
        message: Message
    ) throws {
        let bytes = try message.encoded()
        var whole = MessageDecoder()
        whole.append(bytes)
        #expect(try whole.next() == message)
        #expect(try whole.next() == nil)
        var slow = MessageDecoder()
        for byte in bytes.dropLast() {
            slow.append([byte])
            #expect(try slow.next() == nil)
        }
        slow.append([bytes[bytes.count - 1]])
        #expect(try slow.next() == message)
        #expect(slow.bufferedBytes == 0)
    }

    @Test func `messages that arrive together are cut apart in order`() throws {
        var decoder = MessageDecoder()
        decoder.append(try Self.messages.flatMap { try $0.encoded() })
        for message in Self.messages { #expect(try decoder.next() == message) }
        #expect(try decoder.next() == nil)
    }

    @Test(arguments: messages) func `every flipped bit is noticed`(message: Message) throws {
        let bytes = try message.encoded()
        for index in bytes.indices {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[index] ^= 1 << UInt8(bit)
                var decoder = MessageDecoder()
                decoder.append(damaged)
                // A longer length leaves the decoder waiting; everything else is an error.
                if let found = try? decoder.next() { Issue.record("byte \(index) bit \(bit) gave \(found)") }
            }
        }
    }

    @Test func `a length over the limit is refused before its body arrives`() {
        var decoder = MessageDecoder()
        decoder.append([0xFF, 0xFF, 0xFF, 0x7F, 3, 0, 0, 0, 0, 0, 0, 0])
        #expect(throws: WireError.messageTooLong(length: 0x7FFF_FFFF, limit: WireLimits.messageBytes)) {
            try decoder.next()
        }
    }

    @Test func `what is no message of ours is told from one by its header`() {
        var decoder = MessageDecoder()
        decoder.append(Array("GET / HTTP/1.1\r\n\r\n".utf8))
        #expect(throws: WireError.badHeader) { try decoder.next() }
    }

    @Test func `a message of an unknown type is skipped by its length`() throws {
        var decoder = MessageDecoder()
        decoder.append(try Message.unknown(type: 99).encoded())
        decoder.append(try Message.ack(Self.name).encoded())
        #expect(try decoder.next() == .unknown(type: 99))
        #expect(try decoder.next() == .ack(Self.name))
    }

    @Test func `labels that are not sorted are refused`() throws {
        var host = Self.host
        host.labels = [Label(name: "b", value: ""), Label(name: "a", value: "")]
        let hello = Hello(
            versions: [1], agent: Self.name.agent, epoch: Self.name.epoch, host: host, clock: Timestamp(seconds: 0))
        var decoder = MessageDecoder()
        decoder.append(try Message.hello(hello).encoded())
        #expect(throws: WireError.self) { try decoder.next() }
    }

    @Test func `a chunk that reaches past its table is refused`() throws {
        let chunk = SymbolTableChunk(module: Self.module, totalBytes: 3, offset: 2, data: [1, 2])
        var decoder = MessageDecoder()
        decoder.append(try Message.symbolTable(chunk).encoded())
        #expect(throws: WireError.self) { try decoder.next() }
    }

    @Test(arguments: 0..<200) func `random bytes never trap`(seed: UInt64) {
        var generator = SplitMix64(state: seed)
        var decoder = MessageDecoder()
        decoder.append((0..<Int.random(in: 0..<400, using: &generator)).map { _ in generator.byte() })
        while let message = try? decoder.next() { _ = message }
        #expect(decoder.bufferedBytes <= 400)
    }
}
