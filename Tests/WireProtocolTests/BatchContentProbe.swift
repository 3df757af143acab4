import Compression
import Profiles
import WireProtocol

/// A batch's content laid open, so that tests can damage it and pack it up again under a right digest.
enum BatchContent {
    static func expanded(_ batch: Batch) throws -> [UInt8] {
        try Zstandard.decompress(batch.body, limit: Int(batch.expandedBytes))
    }

    static func window(of content: [UInt8]) throws -> WindowProfile {
        let body = try Zstandard.compress(content, level: 1)
        let name = BatchName(
            agent: Identifier(high: 1, low: 2), epoch: Identifier(high: 3, low: 4), sequence: 1,
            digest: Batch.digest(of: body))
        return try Batch(
            name: name,
            window: TimeRange(start: Timestamp(seconds: 1_700_000_000), end: Timestamp(seconds: 1_700_000_010)),
            samples: 6, expandedBytes: UInt64(content.count), body: body
        ).windowProfile()
    }
}
