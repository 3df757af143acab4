import CLzma

/// xz streams (tukaani.org/xz/xz-file-format.txt), as `.gnu_debugdata` holds one.
public enum XZ {
    /// The decoder's dictionary may take no more; `xz -9` makes one of 64 MiB.
    private static let memoryLimit: UInt64 = 80 << 20

    /// Expands one stream of at most `limit` expanded bytes.
    public static func decompress(_ bytes: [UInt8], limit: Int) throws(CompressionError) -> [UInt8] {
        var stream = unsafe lzma_stream()
        guard unsafe lzma_stream_decoder(&stream, memoryLimit, 0) == LZMA_OK else {
            throw .failed("no memory for an xz decoder")
        }
        defer { unsafe lzma_end(&stream) }
        var expanded: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        var status = LZMA_OK
        var read = 0
        while status == LZMA_OK {
            let made = unsafe bytes.withUnsafeBufferPointer { source in
                unsafe chunk.withUnsafeMutableBufferPointer { target in
                    unsafe stream.next_in = source.baseAddress.map { unsafe $0 + read }
                    unsafe stream.avail_in = source.count - read
                    unsafe stream.next_out = target.baseAddress
                    unsafe stream.avail_out = target.count
                    status = unsafe lzma_code(&stream, LZMA_FINISH)
                    read = source.count - (unsafe stream.avail_in)
                    return target.count - (unsafe stream.avail_out)
                }
            }
            guard made <= limit - expanded.count else { throw .overLimit(limit: limit) }
            expanded += chunk[..<made]
        }
        guard status == LZMA_STREAM_END else { throw .malformed("xz: status \(status.rawValue)") }
        return expanded
    }
}
