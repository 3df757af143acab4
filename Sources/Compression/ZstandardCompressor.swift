import CZstd

/// Compresses many messages with one context.
@safe public struct ZstandardCompressor: ~Copyable {
    private let context: OpaquePointer

    /// Throws `.failed` when there is no memory for the context or the level can't be set.
    public init(level: Int32) throws(CompressionError) {
        guard let context = unsafe ZSTD_createCCtx() else { throw .failed("no memory for a compression context") }
        let result = unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
        guard ZSTD_isError(result) == 0 else {
            unsafe _ = ZSTD_freeCCtx(context)
            throw .failed(Zstandard.reason(result))
        }
        unsafe self.context = context
    }

    /// One frame that states its expanded size.
    public mutating func compress(_ bytes: RawSpan) throws(CompressionError) -> [UInt8] {
        let context = unsafe self.context
        let bound = ZSTD_compressBound(bytes.byteCount)
        guard ZSTD_isError(bound) == 0 else { throw .failed(Zstandard.reason(bound)) }
        var result = 0
        let compressed = unsafe [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            result = unsafe bytes.withUnsafeBytes { source in
                unsafe ZSTD_compress2(context, buffer.baseAddress, bound, source.baseAddress, source.count)
            }
            count = ZSTD_isError(result) == 0 ? result : 0
        }
        guard ZSTD_isError(result) == 0 else { throw .failed(Zstandard.reason(result)) }
        return compressed
    }

    deinit { unsafe _ = ZSTD_freeCCtx(context) }
}
