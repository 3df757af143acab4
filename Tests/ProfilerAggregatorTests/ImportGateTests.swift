import Foundation
import Settings
import Testing

@testable import ProfilerAggregator

@Suite struct ImportGateTests {
    /// Bodies that never end take the places of imports; what comes beyond those that may wait is sent away, and questions
    /// are answered meanwhile.
    @Test func `imports beyond those that work and wait are sent away, and hold up no question`() async throws {
        let server = try await LiveServer()
        let head =
            "POST /api/v1/import HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            + "Content-Type: \(ImportService.contentType)\r\nContent-Length: 1000\r\n\r\nbegun"
        let (answers, isAnswered) = AsyncStream<String>.makeStream()
        let port = server.addresses.http.port
        let held = try (0..<13).map { _ in try HeldConnection(port: port) }
        for one in held {
            Thread.detachNewThread { isAnswered.yield(one.exchange(Array(head.utf8))) }
        }
        // Two work, eight wait, so three are answered.
        var iterator = answers.makeAsyncIterator()
        for _ in 0..<3 {
            let answer = try #require(await iterator.next())
            #expect(answer.hasPrefix("HTTP/1.1 503") && answer.contains("too many imports at once"), "\(answer)")
        }
        let services = try await server.get("/api/v1/services")
        #expect(services.status == 404, "no data, and answered")
        // Their ends free the places.
        for one in held { one.end() }
        for _ in 0..<10 {
            let answer = try #require(await iterator.next())
            #expect(!answer.contains("503"), "\(answer)")
        }
        let next = try await server.post("/api/v1/import", type: ImportService.contentType, [1])
        #expect(next.status == 400, "\(String(decoding: next.body, as: UTF8.self))")
        try await server.stop()
    }
}

/// A connection on which one thread waits and another one ends it.
private final class HeldConnection: @unchecked Sendable {
    private let connection: RawConnection

    init(port: Int) throws {
        connection = try RawConnection(port: port)
    }

    /// What came until the end, or why nothing did.
    func exchange(_ bytes: [UInt8]) -> String {
        do {
            try connection.send(bytes)
            return String(decoding: try connection.receiveAll(seconds: 60), as: UTF8.self)
        } catch { return "\(error)" }
    }

    func end() { connection.end() }
}
