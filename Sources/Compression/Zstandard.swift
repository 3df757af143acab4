import CZstd

/// Zstandard frames (RFC 8878) in one go: one frame in, one frame out.
///
/// Making a context costs more than compressing a small message; who compresses many keeps a `ZstandardCompressor` or
/// `ZstandardDecompressor`.
public enum Zstandard {
    /// One frame that states its expanded size. Levels 1 (fast) to 19 (small) are sensible; negative ones are faster.
    public static func compress(_ bytes: [UInt8], level: Int32) throws(CompressionError) -> [UInt8] {
        var compressor = try ZstandardCompressor(level: level)
        return try unsafe compressor.compress(bytes.span.bytes)
    }

    /// As `compress(_:level:)` for bytes that are borrowed.
    public static func compress(_ bytes: RawSpan, level: Int32) throws(CompressionError) -> [UInt8] {
        var compressor = try ZstandardCompressor(level: level)
        return try compressor.compress(bytes)
    }

    /// Expands exactly one frame of at most `limit` expanded bytes. What the frame says of itself is checked before
    /// memory is taken, and the limit again while it expands.
    public static func decompress(_ bytes: [UInt8], limit: Int) throws(CompressionError) -> [UInt8] {
        var decompressor = try ZstandardDecompressor()
        return try unsafe decompressor.decompress(bytes.span.bytes, limit: limit)
    }

    /// As `decompress(_:limit:)` for bytes that are borrowed.
    public static func decompress(_ bytes: RawSpan, limit: Int) throws(CompressionError) -> [UInt8] {
        var decompressor = try ZstandardDecompressor()
        return try decompressor.decompress(bytes, limit: limit)
    }

    /// Expands frames, one behind the other, into `target`, which they must fill exactly.
    public static func decompress(
        _ bytes: RawSpan, into target: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) {
        let result = unsafe bytes.withUnsafeBytes { source in
            unsafe ZSTD_decompress(target.baseAddress, target.count, source.baseAddress, source.count)
        }
        guard ZSTD_isError(result) == 0 else { throw .malformed(reason(result)) }
        guard result == target.count else { throw .malformed("its size is not the one that it states") }
    }

    /// libzstd's name of an error, for messages.
    static func reason(_ code: Int) -> String {
        unsafe String(cString: ZSTD_getErrorName(code))
    }
}
