import Foundation
import Profiles
import Settings
import Testing
import WireProtocol

@testable import ProfilerAggregator

@Suite(.serialized) struct TimelineQuestionTests {
    /// Six windows of one host: 60 samples of 10 ms; none, and nothing lost; 60; not delivered; none, since all were lost;
    /// 60.
    private static func windows(from start: Int64) throws -> [Batch] {
        var taken: UInt64 = 0
        var lost: UInt64 = 0
        var batches: [Batch] = []
        for (place, content) in ["full", "empty", "full", "", "lost", "full"].enumerated() where !content.isEmpty {
            if content == "full" { taken += 60 }
            if content == "lost" { (taken, lost) = (taken + 60, lost + 60) }
            var profile = window(
                at: Timestamp(seconds: start + 10 * Int64(place)), taken: taken,
                dropped: lost > 0 ? [.ringFull: lost] : [:])
            if content != "full" { (profile.series, profile.stacks) = ([], StackTable()) }
            batches.append(
                try Batch(
                    encoding: profile, agent: identifier(1), epoch: identifier(1001),
                    sequence: UInt64(batches.count + 1)))
        }
        return batches
    }

    @Test func `a window without a sample was measured, one that was lost or never came was not`() async throws {
        let server = try await LiveServer()
        let port = server.addresses.agents.port
        let start = Int64(Date().timeIntervalSince1970) / 10 * 10 - 200
        let batches = try Self.windows(from: start)
        try await onThread {
            let connection = try RawConnection(port: port)
            _ = try connection.greet()
            for batch in batches { try connection.send(.batch(batch)) }
            while let message = try connection.nextMessage() {
                if case .ack(let name) = message, name.sequence == UInt64(batches.count) { break }
            }
        }
        func time(_ seconds: Int64) -> String {
            ISO8601DateFormatter().string(from: Date(timeIntervalSince1970: Double(seconds)))
        }
        let answer = try await server.get(
            "/api/v1/timeline?step=10&from=\(time(start))&to=\(time(start + 60))")
        #expect(answer.status == 200)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any])
        let series = try #require((object["series"] as? [[String: Any]])?.first)
        let cores = try #require(series["cores"] as? [Any])
        #expect(
            cores.map { core in (core as? Double).map { ($0 * 1e6).rounded() / 1e6 } } == [
                0.06, 0, 0.06, nil, nil, 0.06,
            ])
        #expect(object["hosts"] as? [Int] == [1, 1, 1, 0, 0, 1])
        try await server.stop()
    }
}
