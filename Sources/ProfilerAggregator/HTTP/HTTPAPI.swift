import Formats
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ProfileStore
import Profiles
import Synchronization

/// The routes of the HTTP side; `openapi.yaml` describes them.
final class HTTPAPI: Sendable {
    private let service: QueryService
    private let store: any ProfileStore
    private let ingest: IngestServer
    private let gate = QuestionGate("questions", working: 4, waiting: 32)
    /// An import takes up to three times its body's size: memory for two, beside that of questions.
    private let importGate = QuestionGate("imports", working: 2, waiting: 8)
    private let now: @Sendable () -> Timestamp
    private let figures = Mutex(QuestionFigures())
    private let isReady = Mutex(false)

    /// Longest path and query.
    static let maximumURIBytes = 32 << 10

    init(
        service: QueryService, store: any ProfileStore, ingest: IngestServer, now: @escaping @Sendable () -> Timestamp
    ) {
        self.service = service
        self.store = store
        self.ingest = ingest
        self.now = now
    }

    func setReady(_ ready: Bool) { isReady.withLock { $0 = ready } }
    func count(_ change: (inout QuestionFigures) -> Void) { figures.withLock { change(&$0) } }

    func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.add(middleware: ErrorAnswers())
        router.get("/healthz") { _, _ in Self.text("ok\n") }
        router.get("/readyz") { _, _ in
            guard self.isReady.withLock({ $0 }) else { throw APIError(.unavailable, "not ready") }
            return Self.text("ready\n")
        }
        router.get("/metrics") { _, _ in try await self.metrics() }
        for endpoint in Question.Endpoint.allCases {
            router.get("/api/v1/\(endpoint.rawValue)") { request, _ in
                await self.measured {
                    () async throws(APIError) in
                    let question = try Question(endpoint, parameters: try Self.parameters(request), now: self.now())
                    return try await self.gate.run { () async throws(APIError) in
                        try await self.service.answer(question)
                    }
                }
            }
        }
        router.get("/api/v1/diff") { request, _ in
            await self.measured { () async throws(APIError) in
                let question = try DiffQuestion(parameters: try Self.parameters(request), now: self.now())
                return try await self.gate.run { () async throws(APIError) in
                    try await self.service.answer(question)
                }
            }
        }
        router.post("/api/v1/import") { request, _ in
            await self.measured { () async throws(APIError) in
                // The body is read within, so that what waits takes no memory.
                try await self.importGate.run { () async throws(APIError) in try await self.importing(request) }
            }
        }
        router.get("/api/v1/compare-hosts") { request, _ in
            await self.measured { () async throws(APIError) in
                let question = try CompareHostsQuestion(
                    parameters: try Self.parameters(request), now: self.now())
                return try await self.gate.run { () async throws(APIError) in
                    try await self.service.answer(question)
                }
            }
        }
        router.get("/api/v1/regressions") { request, _ in
            await self.measured { () async throws(APIError) in
                let question = try RegressionsQuestion(
                    parameters: try Self.parameters(request), now: self.now())
                return try await self.gate.run { () async throws(APIError) in
                    try await self.service.answer(question)
                }
            }
        }
        router.get("/api/v1/agents") { request, _ in
            await self.measured { () async throws(APIError) in
                if let first = try Self.parameters(request).first {
                    throw APIError(.badRequest, "\(first.name) is no parameter of agents, which has none")
                }
                return try await self.service.agents()
            }
        }
        return router
    }

    private func measured(_ body: () async throws(APIError) -> QueryService.Answer) async -> Response {
        let start = ContinuousClock.now
        let response: Response
        do throws(APIError) {
            response = Self.response(try await body())
        } catch {
            response = error.response
        }
        let time = start.duration(to: .now).components
        count { figures in
            figures.byStatus[response.status.code, default: 0] += 1
            figures.seconds += Double(time.seconds) + Double(time.attoseconds) / 1e18
        }
        return response
    }

    private func importing(_ request: Request) async throws(APIError) -> QueryService.Answer {
        guard request.headers[.contentType] == ImportService.contentType else {
            throw APIError(.badRequest, "the content type must be \(ImportService.contentType)")
        }
        let body: ByteBuffer
        do { body = try await request.body.collect(upTo: ImportService.maximumBytes) } catch {
            throw APIError(.badRequest, "the body is not whole, or longer than \(ImportService.maximumBytes >> 20) MiB")
        }
        let answer = try await ImportService(store: store, now: now).take(Array(body.readableBytesView))
        return QueryService.Answer(contentType: "application/json", bytes: answer.json() + [0x0A])
    }

    private static func parameters(_ request: Request) throws(APIError) -> [(name: String, value: String)] {
        guard request.uri.string.utf8.count <= maximumURIBytes else {
            throw APIError(.badRequest, "the URI is longer than \(maximumURIBytes) bytes")
        }
        return request.uri.queryParameters.map { (String($0.key), String($0.value)) }
    }

    private func metrics() async throws -> Response {
        let figures: StoreFigures
        do { figures = try await store.figures() } catch { throw APIError(error) }
        let metrics = MetricsText(
            ingest: ingest.figures, store: figures, questions: self.figures.withLock { $0 })
        return Response(
            status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: metrics.text)))
    }

    private static func text(_ text: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    private static func response(_ answer: QueryService.Answer) -> Response {
        var headers: HTTPFields = [.contentType: answer.contentType, .cacheControl: "no-store"]
        // An SVG is opened in browsers: its own script may run, nothing else, and no other type is guessed.
        headers[.contentSecurityPolicy] = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
        headers[.xContentTypeOptions] = "nosniff"
        if let note = answer.note, let name = HTTPField.Name("X-Perf-Note") { headers[name] = note }
        if let text = answer.explanation, let name = HTTPField.Name("X-Perf-Explain") { headers[name] = text }
        return Response(
            status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.bytes)))
    }
}

/// Turns what a route throws, and what no route takes, into the one form of errors.
private struct ErrorAnswers: RouterMiddleware {
    func handle(
        _ request: Request, context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            return error.response
        } catch let error as HTTPError {
            switch error.status {
            case .notFound:
                let paths = Question.Endpoint.allCases.map { "/api/v1/\($0.rawValue)" }
                return APIError(
                    .notFound, "there is nothing at \(request.uri.path)",
                    nearby: paths
                        + ["diff", "compare-hosts", "regressions", "agents", "import"].map { "/api/v1/\($0)" } + [
                            "/healthz", "/readyz", "/metrics",
                        ]
                ).response
            default:
                return APIError(.badRequest, error.body ?? error.status.reasonPhrase).response
            }
        } catch {
            context.logger.error("a request failed: \(error)")
            return APIError(.internalError, "the request could not be answered; the log says more").response
        }
    }
}
