import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import QueryAPI
import Synchronization
import Testing

/// A server on loopback that reads a request's head and answers with raw bytes, so that it can also answer wrongly.
private final class RawServer: Sendable {
    let url: ServerURL
    private let channel: any Channel

    /// What `pieces` gives is sent piece by piece, `pause` apart; then the connection is closed unless it is to stay.
    init(_ pieces: [String], pause: TimeAmount = .zero, closes: Bool = true) async throws {
        let log = RequestLog()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        RawAnswer(pieces: pieces, pause: pause, closes: closes, log: log))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.channel = channel
        self.log = log
        url = try ServerURL("http://127.0.0.1:\(channel.localAddress?.port ?? 0)")
    }

    private let log: RequestLog
    /// The heads of the requests, as they came.
    var heads: [String] { log.heads.withLock { $0 } }

    deinit { channel.close(promise: nil) }
}

private final class RequestLog: Sendable {
    let heads = Mutex<[String]>([])
}

private final class RawAnswer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let pieces: [String]
    private let pause: TimeAmount
    private let closes: Bool
    private let log: RequestLog
    private var head = ""

    init(pieces: [String], pause: TimeAmount, closes: Bool, log: RequestLog) {
        self.pieces = pieces
        self.pause = pause
        self.closes = closes
        self.log = log
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        head += String(buffer: unwrapInboundIn(data))
        guard head.contains("\r\n\r\n") else { return }
        log.heads.withLock { $0.append(head) }
        let channel = context.channel
        send(pieces[...], on: channel)
    }

    private func send(_ rest: ArraySlice<String>, on channel: any Channel) {
        guard let piece = rest.first else {
            if closes { channel.close(promise: nil) }
            return
        }
        channel.writeAndFlush(ByteBuffer(string: piece), promise: nil)
        let loop = NIOLoopBound(self, eventLoop: channel.eventLoop)
        channel.eventLoop.scheduleTask(in: pause) { loop.value.send(rest.dropFirst(), on: channel) }
    }
}

private func ok(_ body: String, headers: String = "") -> String {
    "HTTP/1.1 200 OK\r\n\(headers)Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
}

@Test func `a good answer arrives with its type and the request is well-formed`() async throws {
    let server = try await RawServer([ok("{}")], closes: false)
    var request = QueryRequest(.top)
    request.add("service", "a b")
    let answer = try await QueryClient(server: server.url).answer(to: request)
    #expect(answer.contentType == "application/json")
    #expect(answer.note == nil)
    #expect(answer.body == Array("{}".utf8))
    let head = try #require(server.heads.first)
    #expect(head.hasPrefix("GET /api/v1/top?service=a%20b HTTP/1.1\r\n"))
    #expect(head.contains("\r\nHost: 127.0.0.1:\(server.url.port)\r\n"))
}

@Test func `a note of the server arrives`() async throws {
    let server = try await RawServer([ok("{}", headers: "X-Perf-Note: rates differ\r\n")])
    let answer = try await QueryClient(server: server.url).answer(to: QueryRequest(.top))
    #expect(answer.note == "rates differ")
}

@Test(arguments: [
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n", "2\r\nde\r\n0\r\n\r\n"],
    ["HTTP/1.1 200 OK\r\n\r\nabcde"],
    ["HT", "TP/1.1 200 OK\r\nContent-Le", "ngth: 5\r\n\r\nab", "cde"],
    ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde"],
])
func `a body arrives whole however it is sent`(pieces: [String]) async throws {
    let server = try await RawServer(pieces, pause: .milliseconds(20))
    let answer = try await QueryClient(server: server.url).answer(to: QueryRequest(.agents))
    #expect(answer.body == Array("abcde".utf8))
}

private func failure(_ server: RawServer, _ change: (inout QueryClient) -> Void = { _ in }) async -> QueryError? {
    var client = QueryClient(server: server.url)
    change(&client)
    do {
        _ = try await client.answer(to: QueryRequest(.agents))
        return nil
    } catch {
        return error
    }
}

@Test func `a port where nobody listens is named with the flag`() async throws {
    // Bound and not listened on: nobody answers, and nobody else can take the port meanwhile.
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
            unsafe bind(descriptor, generic, length) == 0 && getsockname(descriptor, generic, &length) == 0
        }
    }
    try #require(bound)
    let port = UInt16(bigEndian: address.sin_port)
    let client = QueryClient(server: try ServerURL("http://127.0.0.1:\(port)"))
    await #expect(throws: QueryError.unreachable(client.server, reason: "connection refused")) {
        try await client.answer(to: QueryRequest(.agents))
    }
    let text = QueryError.unreachable(client.server, reason: "connection refused").description
    #expect(text.contains("http://127.0.0.1:\(port)") && text.contains("--server") && text.contains("PERF_SERVER"))
}

@Test func `a host that doesn't exist is named`() async throws {
    let client = QueryClient(server: try ServerURL("http://nowhere.invalid:1"))
    await #expect(throws: QueryError.unreachable(client.server, reason: "there is no host 'nowhere.invalid'")) {
        try await client.answer(to: QueryRequest(.agents))
    }
}

@Test(.timeLimit(.minutes(1)), arguments: [[], ["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "a", "b", "c", "d"]])
func `a server that takes too long is given up`(pieces: [String]) async throws {
    let server = try await RawServer(pieces, pause: .seconds(1), closes: false)
    let error = await failure(server) { $0.answerTimeout = .milliseconds(300) }
    #expect(error == .timedOut(server.url, seconds: 0.3))
}

@Test(arguments: [
    ["HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"],
    ["HTTP/1.1 200 OK\r\n\r\n", String(repeating: "x", count: 3000)],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "258\r\n\(String(repeating: "x", count: 600))\r\n"]
        + Array(repeating: "258\r\n\(String(repeating: "x", count: 600))\r\n", count: 3),
])
func `a body over the limit is given up`(pieces: [String]) async throws {
    let server = try await RawServer(pieces, closes: false)
    #expect(await failure(server) { $0.largestBody = 2000 } == .tooLarge(server.url, limitBytes: 2000))
}

@Test func `a connection that ends within the answer is an error`() async throws {
    let cut = try await RawServer(["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"], pause: .milliseconds(10))
    let mute = try await RawServer([])
    for server in [cut, mute] {
        guard case .closedEarly = await failure(server) else {
            Issue.record("no error")
            continue
        }
    }
}

@Test(arguments: [
    "SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno", "\u{0}\u{1}\r\n\r\n",
])
func `what is no answer of an aggregator is said to be none`(answer: String) async throws {
    let server = try await RawServer([answer], pause: .milliseconds(10))
    let error = await failure(server)
    guard case .malformed = error else {
        Issue.record("\(String(describing: error))")
        return
    }
}

private func errorAnswer(_ status: String, _ json: String) -> String {
    "HTTP/1.1 \(status)\r\nContent-Length: \(json.utf8.count)\r\n\r\n\(json)"
}

@Test func `no data comes with what there is`() async throws {
    let server = try await RawServer([
        errorAnswer("404 Not Found", #"{"error":{"code":"no_data","message":"no service 'x'","nearby":["web","api"]}}"#)
    ])
    let error = await failure(server)
    #expect(error == .noData(message: "no service 'x'", nearby: ["web", "api"]))
    #expect(error?.description == "no service 'x'; there is: web, api")
}

@Test func `a refusal comes with what there is`() async throws {
    let json = #"{"error":{"code":"bad_request","message":"type: 'x' can't be measured yet","nearby":["cpu","io"]}}"#
    let server = try await RawServer([errorAnswer("400 Bad Request", json)])
    let text = await failure(server)?.description
    #expect(text == "\(server.url) answers 400 (bad_request): type: 'x' can't be measured yet; there is: cpu, io")
}

@Test func `an error of the API is passed on`() async throws {
    let server = try await RawServer([
        errorAnswer("503 Service Unavailable", #"{"error":{"code":"unavailable","message":"busy"}}"#)
    ])
    #expect(
        await failure(server)
            == .refused(server.url, status: 503, ServerError(code: "unavailable", message: "busy")))
}
