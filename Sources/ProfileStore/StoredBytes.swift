import ByteCoding
import Compression

/// A compressed column of the store with its checksum, taken over the compressed bytes, so that damage is found before
/// anything is expanded.
struct StoredBytes: Sendable {
    var bytes: [UInt8]
    var expandedCount: Int
    var checksum: UInt32

    /// Level 6 was chosen by measurement; Sources/README.md has the figures.
    static let compressionLevel: Int32 = 6
    /// No column that is written is longer when expanded.
    static let maximumExpandedBytes = 1 << 30

    init(compressing content: [UInt8]) throws(CompressionError) {
        bytes = try Zstandard.compress(content, level: Self.compressionLevel)
        expandedCount = content.count
        checksum = CRC32C.checksum(bytes)
    }

    init(bytes: [UInt8], expandedCount: Int, checksum: UInt32) {
        self.bytes = bytes
        self.expandedCount = expandedCount
        self.checksum = checksum
    }

    func expanded() throws -> [UInt8] {
        guard CRC32C.checksum(bytes) == checksum else { throw SegmentError(detail: "the checksum does not agree") }
        guard expandedCount >= 0, expandedCount <= Self.maximumExpandedBytes else {
            throw SegmentError(detail: "an expanded size of \(expandedCount)")
        }
        let content = try Zstandard.decompress(bytes, limit: expandedCount)
        guard content.count == expandedCount else { throw SegmentError(detail: "the expanded size does not agree") }
        return content
    }
}
