import Foundation
import Profiles
import Settings
import Testing
import WireProtocol

@testable import ProfilerAggregator

private func question(_ number: Int) throws -> Question {
    let from = Timestamp(seconds: 1_795_514_400)
    return try Question(.top, parameters: [("limit", "\(number)")], now: from)
}

private func answer(_ size: Int) -> QueryService.Answer {
    QueryService.Answer(contentType: "text/plain", bytes: Array(repeating: 65, count: size))
}

@Suite struct AnswerCacheTests {
    @Test func `an answer holds for its question and its version of the store alone`() throws {
        let cache = AnswerCache(maximumBytes: 1 << 20)
        cache.keep(answer(10), to: try question(1), version: 7)
        #expect(cache.answer(to: try question(1), version: 7)?.bytes.count == 10)
        #expect(cache.answer(to: try question(2), version: 7) == nil)
        #expect(cache.answer(to: try question(1), version: 8) == nil)
        #expect(cache.bytes == 0)
    }

    @Test func `its memory is bounded, and what was not used for longest goes first`() throws {
        let cache = AnswerCache(maximumBytes: 80_000)
        for number in 1...8 { cache.keep(answer(8_000), to: try question(number), version: 1) }
        #expect(cache.answer(to: try question(1), version: 1) != nil)
        cache.keep(answer(8_000), to: try question(9), version: 1)
        #expect(cache.answer(to: try question(1), version: 1) != nil)
        #expect(cache.answer(to: try question(2), version: 1) == nil)
        #expect(cache.bytes <= 80_000)
        cache.keep(answer(20_000), to: try question(10), version: 1)
        #expect(cache.answer(to: try question(10), version: 1) == nil)
    }

    @Test func `a commit makes the next answer a fresh one, and --explain says which it was`() async throws {
        let server = try await LiveServer()
        let port = server.addresses.agents.port
        let now = Int64(Date().timeIntervalSince1970) / 10 * 10
        let path =
            "/api/v1/top?by=service&explain=true&from=\(Self.time(now - 600))&to=\(Self.time(now))"
        func deliver(_ sequence: UInt64) async throws {
            try await onThread {
                let connection = try RawConnection(port: port)
                _ = try connection.greet()
                try connection.send(
                    .batch(
                        try batch(
                            sequence: sequence, at: Timestamp(seconds: now - 100 + 10 * Int64(sequence)),
                            taken: 60 * sequence)))
                while let message = try connection.nextMessage() {
                    if case .ack(let name) = message, name.sequence == sequence { break }
                }
            }
        }
        try await deliver(1)
        let first = try await server.answer(path)
        #expect(first.head.lowercased().contains("x-perf-explain: read 2 slices"), "\(first.head)")
        #expect(first.body.contains(#""samples":60,"#))
        let again = try await server.answer(path)
        #expect(again.head.lowercased().contains("x-perf-explain: found the answer in memory"), "\(again.head)")
        #expect(again.body == first.body)
        try await deliver(2)
        let fresh = try await server.answer(path)
        #expect(fresh.head.lowercased().contains("x-perf-explain: read 4 slices"), "\(fresh.head)")
        #expect(fresh.body.contains(#""samples":120,"#))
        #expect(fresh.body.contains(#""warnings":["#))
        try await server.stop()
    }

    private static func time(_ seconds: Int64) -> String {
        let formatter = ISO8601DateFormatter()
        return formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
    }
}
