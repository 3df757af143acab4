import ByteCoding
import Compression
import Profiles

// The encoded form, version 1. All numbers little-endian, "varint" as in ByteCoding.
//
//   "PFSY"  u16 version  u32 CRC-32C of all that follows  varint expanded size  one zstd frame
//
// The frame expands to parts, each varint tag, varint length, body; a reader skips tags that it does not know, so that
// files, lines and inlined frames can be added as further parts without a new version. Columns lie together, since
// equal things beside each other compress better:
//
//   1 facts   u8 quality, varint count of segments, for each: varint file offset, size, address, u8 executable
//   2 names   varint count, varint length of each, then their UTF-8
//   3 ranges  varint count, for each the gap from the range before, for each the length, for each the name's index less
//             the one before (zigzag)
extension SymbolTable {
    public static let version: UInt16 = 1

    /// What a table may hold. `chromium` with all its symbols stays below a quarter of each.
    public struct Limits: Sendable {
        public var ranges = 1 << 22
        public var names = 1 << 22
        public var nameBytes = 1 << 28
        public var segments = 1 << 12
        /// Of the frame, expanded.
        public var expandedBytes = 1 << 29

        public init() {}
    }

    static let magic: [UInt8] = Array("PFSY".utf8)

    /// Compressed, self-checking bytes that `init(decoding:)` reads. `level` is zstd's.
    public func encoded(level: Int32 = 6) throws(SymbolTableError) -> [UInt8] {
        var parts = ByteWriter(reserving: namePool.count + starts.count * 6)
        for (tag, body) in [(1, encodedFacts()), (2, encodedNames()), (3, encodedRanges())] as [(UInt64, [UInt8])] {
            parts.writeVarint(tag)
            parts.writePrefixedBytes(body)
        }
        let frame: [UInt8]
        do { frame = try Zstandard.compress(parts.bytes, level: level) } catch { throw .compression(error) }
        var checked = ByteWriter(reserving: frame.count + 10)
        checked.writeVarint(UInt64(parts.bytes.count))
        checked.write(frame)
        var writer = ByteWriter(reserving: checked.bytes.count + 10)
        writer.write(Self.magic)
        writer.write(Self.version)
        writer.write(CRC32C.checksum(checked.bytes))
        writer.write(checked.bytes)
        return writer.bytes
    }

    private func encodedFacts() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(quality.rawValue)
        writer.writeVarint(UInt64(loadSegments.count))
        for segment in loadSegments {
            writer.writeVarint(segment.fileOffset)
            writer.writeVarint(segment.fileSize)
            writer.writeVarint(segment.virtualAddress)
            writer.write(segment.isExecutable ? 1 : 0 as UInt8)
        }
        return writer.bytes
    }

    private func encodedNames() -> [UInt8] {
        var writer = ByteWriter(reserving: namePool.count + nameEnds.count * 2)
        writer.writeVarint(UInt64(nameEnds.count))
        var start: UInt32 = 0
        for end in nameEnds {
            writer.writeVarint(UInt64(end - start))
            start = end
        }
        writer.write(namePool)
        return writer.bytes
    }

    private func encodedRanges() -> [UInt8] {
        var writer = ByteWriter(reserving: starts.count * 6)
        writer.writeVarint(UInt64(starts.count))
        var end: UInt64 = 0
        for index in starts.indices {
            writer.writeVarint(starts[index] - end)
            end = ends[index]
        }
        for index in starts.indices { writer.writeVarint(ends[index] - starts[index]) }
        var name: Int64 = 0
        for index in nameIndices {
            writer.writeSignedVarint(Int64(index) - name)
            name = Int64(index)
        }
        return writer.bytes
    }

    /// Reads what `encoded` wrote, from bytes that nobody vouches for.
    public init(decoding bytes: [UInt8], limits: Limits = Limits()) throws(SymbolTableError) {
        let parts = try EncodedParts(bytes, limits: limits)
        let facts = try parts.facts(limits: limits)
        let (nameEnds, namePool) = try parts.names(limits: limits)
        let ranges = try parts.ranges(limits: limits, nameCount: nameEnds.count)
        self.init(
            quality: facts.quality, loadSegments: facts.segments, starts: ranges.starts, ends: ranges.ends,
            nameIndices: ranges.nameIndices, nameEnds: nameEnds, namePool: namePool)
    }
}
