public import Formats
internal import FoundationEssentials
internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

// One request over one connection of NIO's own HTTP/1.1: AsyncHTTPClient would double the build time of the project.

/// The body of a good answer.
public struct QueryAnswer: Hashable, Sendable {
    /// As the server names it, `application/json; charset=utf-8`; empty where it doesn't.
    public var contentType: String
    public var body: [UInt8]
    /// What the server wants a reader of the answer to know (`X-Perf-Note`).
    public var note: String?
    /// What was done for it (`X-Perf-Explain`), where that was asked for.
    public var explanation: String?
}

/// Asks an aggregator.
public struct QueryClient: Sendable {
    public var server: ServerURL
    /// Until the connection stands.
    public var connectTimeout = Duration.seconds(5)
    /// From the connection to the answer's last byte.
    public var answerTimeout = Duration.seconds(60)
    /// Largest body that is taken.
    public var largestBody = 256 << 20

    public init(server: ServerURL) {
        self.server = server
    }

    /// The answer of status 200. 404 with the code `no_data` is `.noData`, any other `.refused` or `.malformed`.
    public func answer(to request: QueryRequest) async throws(QueryError) -> QueryAnswer {
        try accepted(try await exchange(server.prefix + request.uri))
    }

    /// Sends batches to be stored.
    public func importing(_ batches: [UInt8]) async throws(QueryError) -> ImportAnswer {
        let answer = try accepted(try await exchange(server.prefix + "\(QueryRequest.basePath)/import", batches))
        do { return try JSONDecoder().decode(ImportAnswer.self, from: Data(answer.body)) } catch {
            throw .malformed(server, reason: "\(error)")
        }
    }

    private func accepted(_ reply: HTTPReply) throws(QueryError) -> QueryAnswer {
        if reply.status == 200 { return reply.answer }
        guard let envelope = try? JSONDecoder().decode(ServerError.Envelope.self, from: Data(reply.answer.body)) else {
            throw .malformed(server, reason: "status \(reply.status) without the API's error")
        }
        if envelope.error.code == "no_data" {
            throw .noData(message: envelope.error.message, nearby: envelope.error.nearby ?? [])
        }
        throw .refused(server, status: reply.status, envelope.error)
    }

    /// GET, or POST where there is a body.
    private func exchange(_ uri: String, _ body: [UInt8]? = nil) async throws(QueryError) -> HTTPReply {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: HTTPReply.self)
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(TimeAmount(connectTimeout))
            .channelInitializer { [server, largestBody] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(
                        ReplyCollector(server: server, largestBody: largestBody, promise: promise))
                }
            }
        let channel: any Channel
        do {
            channel = try await bootstrap.connect(host: server.host, port: server.port).get()
        } catch {
            let failure = QueryError.unreachable(server, reason: connectionFailure(error))
            promise.fail(failure)
            throw failure
        }
        let late = QueryError.timedOut(server, seconds: answerTimeout / .seconds(1))
        let deadline = loop.scheduleTask(in: TimeAmount(answerTimeout)) {
            promise.fail(late)
            channel.close(promise: nil)
        }
        defer {
            deadline.cancel()
            channel.close(promise: nil)
        }
        var headers = HTTPHeaders([
            ("Host", server.authority), ("User-Agent", "perf-query"), ("Accept", "*/*"), ("Connection", "close"),
        ])
        if let body {
            headers.add(name: "Content-Type", value: "application/x-perf-batches")
            headers.add(name: "Content-Length", value: String(body.count))
        }
        let head = HTTPRequestHead(
            version: .http1_1, method: body == nil ? .GET : .POST, uri: uri, headers: headers)
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        if let body {
            channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
        }
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        do {
            return try await promise.futureResult.get()
        } catch let error as QueryError {
            throw error
        } catch {
            throw .closedEarly(server, reason: "\(error)")
        }
    }
}

private struct HTTPReply: Sendable {
    var status: Int
    var answer: QueryAnswer
}

/// Adds up one reply. Its promise is fulfilled exactly once; later attempts change nothing.
private final class ReplyCollector: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let server: ServerURL
    private let largestBody: Int
    private let promise: EventLoopPromise<HTTPReply>
    private var reply: HTTPReply?

    init(server: ServerURL, largestBody: Int, promise: EventLoopPromise<HTTPReply>) {
        self.server = server
        self.largestBody = largestBody
        self.promise = promise
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            reply = HTTPReply(
                status: Int(head.status.code),
                answer: QueryAnswer(
                    contentType: head.headers.first(name: "content-type") ?? "", body: [],
                    note: head.headers.first(name: "x-perf-note"),
                    explanation: head.headers.first(name: "x-perf-explain")))
            if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }), length > largestBody {
                fail(.tooLarge(server, limitBytes: largestBody), context: context)
            }
        case .body(let buffer):
            guard buffer.readableBytes <= largestBody - (reply?.answer.body.count ?? 0) else {
                fail(.tooLarge(server, limitBytes: largestBody), context: context)
                return
            }
            reply?.answer.body.append(contentsOf: buffer.readableBytesView)
        case .end:
            if let reply { promise.succeed(reply) }
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let failure: QueryError =
            if let error = error as? HTTPParserError, error != .invalidEOFState {
                .malformed(server, reason: "what it sends is not HTTP (\(error))")
            } else {
                .closedEarly(server, reason: connectionFailure(error))
            }
        fail(failure, context: context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        promise.fail(QueryError.closedEarly(server, reason: "the aggregator closed it"))
    }

    private func fail(_ error: QueryError, context: ChannelHandlerContext) {
        promise.fail(error)
        context.close(promise: nil)
    }
}

/// NIO's errors in words: the system's message, the name that isn't found, the time that ran out.
private func connectionFailure(_ error: any Error) -> String {
    switch error {
    case let error as NIOConnectionError:
        if let first = error.connectionErrors.first { return connectionFailure(first.error) }
        return "there is no host '\(error.host)'"
    case HTTPParserError.invalidEOFState:
        return "the aggregator closed it"
    case let error as IOError:
        return unsafe String(cString: strerror(error.errnoCode)).lowercased()
    case let error as ChannelError:
        if case .connectTimeout(let time) = error { return "no answer within \(time.nanoseconds / 1_000_000_000) s" }
        return "\(error)"
    default:
        return "\(error)"
    }
}
