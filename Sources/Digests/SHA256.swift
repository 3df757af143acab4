internal import CDigest

/// SHA-256 (FIPS 180-4), computed by libmd.
public struct SHA256: Sendable {
    public static let byteCount = 32

    private var context = SHA2_CTX()

    public init() {
        unsafe SHA256Init(&context)
    }

    public mutating func update(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe SHA256Update(&context, start.assumingMemoryBound(to: UInt8.self), bytes.count)
        }
    }

    public mutating func update(_ bytes: [UInt8]) {
        update(unsafe bytes.span.bytes)
    }

    /// The digest of everything given so far, 32 bytes.
    public consuming func finished() -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: Self.byteCount) { output, count in
            unsafe SHA256Final(output.baseAddress, &context)
            count = Self.byteCount
        }
    }

    public static func digest(of bytes: [UInt8]) -> [UInt8] {
        var digest = SHA256()
        digest.update(bytes)
        return digest.finished()
    }
}
