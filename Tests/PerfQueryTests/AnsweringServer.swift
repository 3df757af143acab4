import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A server on loopback that stands in for an aggregator: it gives the answer that was prepared for a path, and
/// remembers what was asked.
final class AnsweringServer: Sendable {
    struct Answer: Sendable {
        var status: Int
        var body: String
        var note: String?
    }

    private let channel: any Channel
    private let log: URILog
    let port: Int

    /// `answers` by the path's last part, as `top`; others get 404 `no_data` with two names nearby. From the second time
    /// on, a path gets its answer of `later`, where there is one.
    init(_ answers: [String: Answer], thenFor later: [String: Answer] = [:]) async throws {
        let log = URILog()
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(
                        AnswerHandler(answers: answers, later: later, log: log))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.log = log
        port = channel.localAddress?.port ?? 0
    }

    var url: String { "http://127.0.0.1:\(port)" }
    var uris: [String] { log.uris.withLock { $0 } }

    deinit { channel.close(promise: nil) }
}

private final class URILog: Sendable {
    let uris = Mutex<[String]>([])
}

private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let answers: [String: AnsweringServer.Answer]
    private let later: [String: AnsweringServer.Answer]
    private let log: URILog
    private var uri = ""

    init(answers: [String: AnsweringServer.Answer], later: [String: AnsweringServer.Answer], log: URILog) {
        self.answers = answers
        self.later = later
        self.log = log
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): uri = head.uri
        case .body: break
        case .end:
            let isFirst = log.uris.withLock { uris in
                uris.append(uri)
                return uris.count { $0 == uri } == 1
            }
            let path = uri.prefix { $0 != "?" }
            let name = path.split(separator: "/").last.map(String.init) ?? ""
            let none = #"{"error":{"code":"no_data","message":"no samples match","nearby":["web","api"]}}"#
            let answer =
                (isFirst ? nil : later[name]) ?? answers[name] ?? AnsweringServer.Answer(status: 404, body: none)
            let body = ByteBuffer(string: answer.body)
            var headers: HTTPHeaders = ["Content-Length": String(body.readableBytes)]
            if let note = answer.note { headers.add(name: "X-Perf-Note", value: note) }
            let head = HTTPResponseHead(
                version: .http1_1, status: HTTPResponseStatus(statusCode: answer.status), headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}
