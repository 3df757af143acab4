import CZstd

/// Expands many messages with one context, each within a limit.
@safe public struct ZstandardDecompressor: ~Copyable {
    private let context: OpaquePointer

    /// Throws `.failed` when there is no memory for the context.
    public init() throws(CompressionError) {
        guard let context = unsafe ZSTD_createDCtx() else { throw .failed("no memory for an expansion context") }
        unsafe self.context = context
    }

    /// Expands exactly one frame of at most `limit` expanded bytes.
    ///
    /// A frame that states its size is refused at once when that is over the limit, or more than its length can
    /// possibly hold; one that states none expands step by step until it ends or passes the limit.
    public mutating func decompress(_ bytes: RawSpan, limit: Int) throws(CompressionError) -> [UInt8] {
        let (frameBytes, stated) = unsafe bytes.withUnsafeBytes { source in
            unsafe (
                ZSTD_findFrameCompressedSize(source.baseAddress, source.count),
                ZSTD_getFrameContentSize(source.baseAddress, source.count)
            )
        }
        // ZSTD_CONTENTSIZE_UNKNOWN and ZSTD_CONTENTSIZE_ERROR are casts that Swift does not import.
        let isUnknown = stated == UInt64.max
        guard stated != UInt64.max - 1 else { throw .malformed("no frame header") }
        guard isUnknown || stated <= UInt64(max(limit, 0)) else { throw .overLimit(limit: limit) }
        guard ZSTD_isError(frameBytes) == 0 else { throw .malformed(Zstandard.reason(frameBytes)) }
        guard frameBytes == bytes.byteCount else { throw .trailingBytes(count: bytes.byteCount - frameBytes) }
        if isUnknown { return try expandStepwise(bytes, limit: limit) }

        // A block of at most 128 KiB takes at least 4 bytes (RFC 8878, 3.1.1.2), so this is more than any frame of
        // the length can hold: nobody makes us reserve gigabytes by a dozen bytes.
        guard stated <= (UInt64(frameBytes) / 4 + 1) << 17 else { throw .malformed("it states an impossible size") }
        let context = unsafe self.context
        var result = 0
        let expanded = unsafe [UInt8](unsafeUninitializedCapacity: Int(stated)) { buffer, count in
            result = unsafe bytes.withUnsafeBytes { source in
                unsafe ZSTD_decompressDCtx(
                    context, buffer.baseAddress, Int(stated), source.baseAddress, source.count)
            }
            count = ZSTD_isError(result) == 0 ? result : 0
        }
        guard ZSTD_isError(result) == 0 else { throw .malformed(Zstandard.reason(result)) }
        guard result == Int(stated) else { throw .malformed("its size is not the one that it states") }
        return expanded
    }

    private mutating func expandStepwise(_ bytes: RawSpan, limit: Int) throws(CompressionError) -> [UInt8] {
        let context = unsafe self.context
        unsafe _ = ZSTD_DCtx_reset(context, ZSTD_reset_session_only)
        // The frame chooses how much history the decoder keeps; 8 MiB is what levels up to 19 use.
        unsafe _ = ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 23)
        var expanded: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: ZSTD_DStreamOutSize())
        var position = 0
        while true {
            var status = 0
            let produced = unsafe bytes.withUnsafeBytes { source in
                unsafe chunk.withUnsafeMutableBytes { target in
                    var input = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: position)
                    var output = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
                    status = unsafe ZSTD_decompressStream(context, &output, &input)
                    unsafe position = input.pos
                    return unsafe output.pos
                }
            }
            guard ZSTD_isError(status) == 0 else { throw .malformed(Zstandard.reason(status)) }
            guard produced <= limit - expanded.count else { throw .overLimit(limit: limit) }
            expanded += chunk[..<produced]
            if status == 0 { return expanded }
            guard produced > 0 || position < bytes.byteCount else { throw .malformed("it ends too early") }
        }
    }

    deinit { unsafe _ = ZSTD_freeDCtx(context) }
}
