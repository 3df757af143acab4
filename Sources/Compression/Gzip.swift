import CZlib

/// gzip files (RFC 1952): written as one member without name and time, so that equal bytes give equal files; read with
/// any number of members, one behind the other.
public enum Gzip {
    private static let chunkBytes = 1 << 16
    /// zlib's window of 32 KiB, with gzip's header and trailer around it.
    private static let windowBits: CInt = 15 + 16

    /// Whether the bytes begin as a gzip file does.
    public static func isGzip(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0x1F, 0x8B]) }

    public static func compress(_ bytes: [UInt8]) -> [UInt8] {
        var stream = unsafe z_stream()
        let begun = unsafe deflateInit2_(
            &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            CInt(MemoryLayout<z_stream>.size))
        precondition(begun == Z_OK, "zlib has memory to begin with")
        defer { unsafe _ = deflateEnd(&stream) }
        var output: [UInt8] = []
        var read = 0
        var status = Z_OK
        while status == Z_OK {
            let step = unsafe Self.step(&stream, bytes, from: read, into: &output, room: chunkBytes) { stream, isLast in
                unsafe deflate(&stream, isLast ? Z_FINISH : Z_NO_FLUSH)
            }
            read += step.taken
            status = step.status
        }
        precondition(status == Z_STREAM_END, "zlib compresses whatever it is given")
        return output
    }

    /// Expands to at most `limit` bytes.
    public static func decompress(_ bytes: [UInt8], limit: Int) throws(CompressionError) -> [UInt8] {
        var stream = unsafe z_stream()
        guard unsafe inflateInit2_(&stream, windowBits, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw .failed("no memory for a gzip stream")
        }
        defer { unsafe _ = inflateEnd(&stream) }
        var output: [UInt8] = []
        var read = 0
        while true {
            // One byte of room more than is allowed tells a file of just that length from a longer one.
            let room = min(chunkBytes, limit + 1 - output.count)
            let step = unsafe Self.step(&stream, bytes, from: read, into: &output, room: room) { stream, _ in
                unsafe inflate(&stream, Z_NO_FLUSH)
            }
            read += step.taken
            guard output.count <= limit else { throw .overLimit(limit: limit) }
            switch step.status {
            case Z_STREAM_END:
                guard read < bytes.count else { return output }
                guard unsafe inflateReset(&stream) == Z_OK else { throw .failed("zlib can't begin anew") }
            case Z_OK: continue
            case Z_BUF_ERROR: throw .malformed("gzip: it ends too early, after \(read) bytes")
            default: throw .malformed("gzip: status \(step.status) at offset \(read)")
            }
        }
    }

    /// One call of zlib: what it took of the input from `start` on, after which its output stands behind `output`.
    private static func step(
        _ stream: inout z_stream, _ bytes: [UInt8], from start: Int, into output: inout [UInt8], room: Int,
        _ work: (inout z_stream, _ isLast: Bool) -> CInt
    ) -> (status: CInt, taken: Int) {
        // zlib counts in 32 bits.
        let input = min(1 << 30, bytes.count - start)
        var status = Z_OK
        var made = 0
        let chunk = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            unsafe bytes.withUnsafeBufferPointer { source in
                unsafe stream.next_in = source.baseAddress.map { unsafe UnsafeMutablePointer(mutating: $0 + start) }
                unsafe stream.avail_in = UInt32(input)
                unsafe stream.next_out = buffer.baseAddress
                unsafe stream.avail_out = UInt32(room)
                status = unsafe work(&stream, start + input == bytes.count)
            }
            made = room - Int(unsafe stream.avail_out)
            count = made
        }
        output += chunk
        return (status, input - Int(unsafe stream.avail_in))
    }
}
