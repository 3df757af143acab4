import ByteCoding
import Compression
public import ObjectFiles

/// How a section's bytes lie in the file, and how many there are of them.
struct SectionPacking {
    private enum Method { case plain, zlib, zstd }

    /// SHF_COMPRESSED (gabi, "section compression").
    private static let compressed: UInt64 = 0x800

    let expandedBytes: UInt64
    private let method: Method
    private let offset: UInt64
    private let storedBytes: Int

    /// nil where the section leaves the file or is compressed in a way that is not known.
    init?(_ section: Section, from source: some ObjectSource) {
        guard section.offset <= source.byteCount, section.size <= source.byteCount - section.offset,
            section.size <= 1 << 32
        else { return nil }
        var header = 0
        if section.flags & Self.compressed != 0 {
            // Elf64_Chdr: type, reserved, size, alignment.
            header = 24
            guard let (type, size) = try? Self.compressionHeader(section, source) else { return nil }
            switch type {
            case 1: method = .zlib
            case 2: method = .zstd
            default: return nil
            }
            expandedBytes = size
        } else if section.name.hasPrefix(".zdebug_") {
            // "ZLIB", then the size as eight bytes, the most significant first.
            header = 12
            guard section.size >= 12, let start = try? source.bytes(at: section.offset, count: 12),
                start[..<4].elementsEqual("ZLIB".utf8)
            else { return nil }
            method = .zlib
            expandedBytes = start[4...].reduce(0) { $0 << 8 | UInt64($1) }
        } else {
            method = .plain
            expandedBytes = section.size
        }
        guard section.size >= UInt64(header) else { return nil }
        offset = section.offset + UInt64(header)
        storedBytes = Int(section.size) - header
        // Neither method makes more: deflate at most 1,032 bytes of one, zstd a block of 128 KiB of four.
        guard method == .plain || expandedBytes / 33_000 <= UInt64(storedBytes) else { return nil }
    }

    private static func compressionHeader(
        _ section: Section, _ source: some ObjectSource
    ) throws -> (UInt32, UInt64)? {
        guard section.size >= 24 else { return nil }
        let bytes = try source.bytes(at: section.offset, count: 24)
        var reader = unsafe ByteReader(bytes.span.bytes)
        let type = try reader.readUInt32()
        try reader.skip(4)
        return (type, try reader.readUInt64())
    }

    /// Fills `target`, which has room for `expandedBytes`; false where the bytes are damaged.
    func expand(from source: some ObjectSource, into target: UnsafeMutableRawBufferPointer) -> Bool {
        do {
            if method == .plain {
                var done = 0
                while done < storedBytes {
                    let part = try source.bytes(at: offset + UInt64(done), count: min(4 << 20, storedBytes - done))
                    unsafe UnsafeMutableRawBufferPointer(rebasing: target[done..<done + part.count]).copyBytes(
                        from: part)
                    done += part.count
                }
                return true
            }
            let stored = try source.bytes(at: offset, count: storedBytes)
            if method == .zlib {
                try unsafe Zlib.decompress(stored.span.bytes, into: target)
            } else {
                try unsafe Zstandard.decompress(stored.span.bytes, into: target)
            }
            return true
        } catch {
            return false
        }
    }
}

extension Section {
    /// The bytes that a compressed section stands for, at most `limit`; nil where they are more, or damaged, or compressed
    /// in a way that is not known. `source` must be the one that the file was read from.
    public func expanded(from source: some ObjectSource, limit: UInt64) -> [UInt8]? {
        guard let packing = SectionPacking(self, from: source), packing.expandedBytes <= limit else { return nil }
        var isWhole = false
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Int(packing.expandedBytes)) { buffer, count in
            isWhole = unsafe packing.expand(from: source, into: UnsafeMutableRawBufferPointer(buffer))
            count = isWhole ? Int(packing.expandedBytes) : 0
        }
        return isWhole ? bytes : nil
    }
}
