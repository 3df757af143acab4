import CZlib

/// zlib streams (RFC 1950), as compressed sections of object files hold them.
public enum Zlib {
    /// Expands one stream into `target`, which it must fill exactly; what follows the stream is ignored.
    public static func decompress(
        _ bytes: RawSpan, into target: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) {
        var stream = unsafe z_stream()
        guard unsafe inflateInit_(&stream, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw .failed("no memory for a zlib stream")
        }
        defer { unsafe _ = inflateEnd(&stream) }
        var written = 0
        var read = 0
        // zlib counts in 32 bits.
        let most = 1 << 30
        var status = Z_OK
        while status == Z_OK {
            let input = min(most, bytes.byteCount - read)
            let output = min(most, target.count - written)
            unsafe bytes.withUnsafeBytes { source in
                unsafe stream.next_in = UnsafeMutablePointer(
                    mutating: source.baseAddress.map { unsafe ($0 + read).assumingMemoryBound(to: UInt8.self) })
                unsafe stream.avail_in = UInt32(input)
                unsafe stream.next_out = target.baseAddress.map {
                    unsafe ($0 + written).assumingMemoryBound(to: UInt8.self)
                }
                unsafe stream.avail_out = UInt32(output)
                status = unsafe inflate(&stream, Z_NO_FLUSH)
            }
            let taken = input - Int(unsafe stream.avail_in)
            let made = output - Int(unsafe stream.avail_out)
            read += taken
            written += made
            if status == Z_OK, taken == 0, made == 0 { break }
        }
        guard status == Z_STREAM_END else {
            // Z_BUF_ERROR: neither bytes nor room are left.
            if status == Z_BUF_ERROR, written == target.count { throw .overLimit(limit: target.count) }
            throw .malformed("zlib: status \(status) after \(written) bytes")
        }
        guard written == target.count else { throw .malformed("its size is not the one that it states") }
    }

    /// The CRC-32 that `.gnu_debuglink` holds (polynomial 0x04C11DB7, reflected; RFC 1952); pass an earlier result as
    /// `previous` to go on where it ended.
    public static func crc32(_ bytes: [UInt8], previous: UInt32 = 0) -> UInt32 {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            // A missing pointer would ask for the starting value.
            guard let start = buffer.baseAddress else { return previous }
            return unsafe UInt32(truncatingIfNeeded: crc32_z(UInt(previous), start, buffer.count))
        }
    }
}
