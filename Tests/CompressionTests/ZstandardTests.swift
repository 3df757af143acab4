import Compression
import Testing

@Suite struct ZstandardTests {
    static let samples: [[UInt8]] = [
        [], [7], [UInt8](repeating: 0, count: 300_000), (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) },
    ]

    @Test(arguments: 0..<4, [-3, 1, 9, 19] as [Int32])
    func `what was compressed expands to itself`(sample: Int, level: Int32) throws {
        let bytes = Self.samples[sample]
        let compressed = try Zstandard.compress(bytes, level: level)
        #expect(try Zstandard.decompress(compressed, limit: bytes.count) == bytes)
    }

    @Test func `a frame that states more than the limit is refused`() throws {
        let compressed = try Zstandard.compress([UInt8](repeating: 0, count: 300_000), level: 1)
        #expect(throws: CompressionError.overLimit(limit: 299_999)) {
            try Zstandard.decompress(compressed, limit: 299_999)
        }
    }

    /// A frame without a content size, of RLE blocks of 128 KiB zeros (RFC 8878, 3.1.1): 4 bytes a block.
    static func frameWithoutSize(blocks: Int) -> [UInt8] {
        var frame: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x58]  // magic, descriptor, 2 MiB window
        for block in 1...blocks {
            let header = 0x20000 << 3 | 1 << 1 | (block == blocks ? 1 : 0)
            frame += [UInt8(header & 0xFF), UInt8(header >> 8 & 0xFF), UInt8(header >> 16), 0]
        }
        return frame
    }

    @Test func `a frame that states no size expands up to the limit and no further`() throws {
        let frame = Self.frameWithoutSize(blocks: 10)
        #expect(try Zstandard.decompress(frame, limit: 10 << 17) == [UInt8](repeating: 0, count: 10 << 17))
        #expect(throws: CompressionError.overLimit(limit: 10 << 17 - 1)) {
            try Zstandard.decompress(frame, limit: 10 << 17 - 1)
        }
    }

    @Test func `a short frame that states gigabytes is refused before memory is taken`() {
        // Single segment, 8-byte content size of 4 GiB, one empty last raw block.
        let frame: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0]
        #expect(throws: CompressionError.malformed("it states an impossible size")) {
            try Zstandard.decompress(frame, limit: 8 << 30)
        }
    }

    @Test func `every truncation of a frame is refused`() throws {
        let compressed = try Zstandard.compress(Self.samples[3], level: 3)
        for length in Swift.stride(from: 0, to: compressed.count, by: 97) {
            #expect(throws: CompressionError.self) {
                try Zstandard.decompress(Array(compressed[..<length]), limit: 1 << 20)
            }
        }
        let longer = compressed + [1, 2, 3]
        #expect(throws: CompressionError.trailingBytes(count: 3)) { try Zstandard.decompress(longer, limit: 1 << 20) }
    }

    @Test func `contexts serve many messages, also after one that failed`() throws {
        var compressor = try ZstandardCompressor(level: 3)
        var decompressor = try ZstandardDecompressor()
        for length in [0, 1, 100, 10_000] {
            let bytes = [UInt8](repeating: 5, count: length)
            let compressed = try compressor.compress(bytes.span.bytes)
            var failed = false
            let damaged = Array(compressed.dropLast())
            do { _ = try decompressor.decompress(damaged.span.bytes, limit: 1 << 20) } catch { failed = true }
            #expect(failed)
            let expanded = try decompressor.decompress(compressed.span.bytes, limit: 1 << 20)
            #expect(expanded == bytes)
        }
    }
}
