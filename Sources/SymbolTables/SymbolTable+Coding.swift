import ByteCoding
import Compression
import Profiles

// The encoded form, version 1. All numbers little-endian, "varint" as in ByteCoding.
//
//   "PFSY"  u16 version  u32 CRC-32C of all that follows  varint expanded size  one zstd frame
//
// The frame expands to parts, each varint tag, varint length, body; a reader skips tags that it does not know, so that
// parts can be added without a new version: 4 to 7 came later. Columns lie together, since equal things beside each
// other compress better:
//
//   1 facts   u8 quality, varint count of segments, for each: varint file offset, size, address, u8 executable
//   2 names   varint count, varint length of each, then their UTF-8
//   3 ranges  varint count, for each the gap from the range before, for each the length, for each the name's index less
//             the one before (zigzag)
//   4 files   as names
//   5 calls   varint count, for each its index less its parent's, or 0 where it has none, for each the name's index,
//             for each the file of the call, for each its line; these three less the one before (zigzag). A file is one
//             more than its index, 0 where unknown
//   6 rows    varint count, then four columns, each varint length, body: for each row its start less the one before,
//             its call (one more than the index, 0 for none), its file, its line; these three less the one before (zigzag)
//   7 gaps    varint, the bits of `TableGaps`
extension SymbolTable {
    public static let version: UInt16 = 1

    /// What a table may hold. `chromium` with all its symbols stays below a quarter of each.
    public struct Limits: Sendable {
        public var ranges = 1 << 22
        public var names = 1 << 22
        public var nameBytes = 1 << 28
        public var segments = 1 << 12
        public var files = 1 << 20
        public var calls = 1 << 24
        public var lines = 1 << 26
        /// Of the frame, expanded.
        public var expandedBytes = 1 << 29

        public init() {}
    }

    static let magic: [UInt8] = Array("PFSY".utf8)

    /// Compressed, self-checking bytes that `init(decoding:)` reads. `level` is zstd's.
    public func encoded(level: Int32 = 6) throws(SymbolTableError) -> [UInt8] {
        var parts = ByteWriter(reserving: names.bytes.count + starts.count * 6 + rows.count * 6 + calls.count * 8)
        func write(_ tag: UInt64, _ body: [UInt8]) {
            parts.writeVarint(tag)
            parts.writePrefixedBytes(body)
        }
        write(1, encodedFacts())
        write(2, encoded(names))
        write(3, encodedRanges())
        if files.count > 0 { write(4, encoded(files)) }
        if !calls.isEmpty { write(5, encodedCalls()) }
        if rows.count > 0 { write(6, encodedRows()) }
        if !gaps.isEmpty {
            var body = ByteWriter()
            body.writeVarint(gaps.rawValue)
            write(7, body.bytes)
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

    private func encoded(_ strings: StringPool) -> [UInt8] {
        var writer = ByteWriter(reserving: strings.bytes.count + strings.count * 2)
        writer.writeVarint(UInt64(strings.count))
        var start: UInt32 = 0
        for end in strings.ends {
            writer.writeVarint(UInt64(end - start))
            start = end
        }
        writer.write(strings.bytes)
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

    private func encodedCalls() -> [UInt8] {
        var writer = ByteWriter(reserving: calls.count * 8)
        writer.writeVarint(UInt64(calls.count))
        for index in calls.indices {
            let parent = Int(calls[index].parent)
            writer.writeVarint(UInt64(parent == 0 ? 0 : index + 1 - parent))
        }
        for field in [\.name, \.file, \.line] as [KeyPath<InlinedCall, UInt32> & Sendable] {
            var before: Int64 = 0
            for call in calls {
                let value = Int64(call[keyPath: field])
                writer.writeSignedVarint(value - before)
                before = value
            }
        }
        return writer.bytes
    }

    private func encodedRows() -> [UInt8] {
        var starts = ByteWriter(reserving: rows.count)
        var calls = ByteWriter(reserving: rows.count)
        var files = ByteWriter(reserving: rows.count)
        var lines = ByteWriter(reserving: rows.count)
        var before = LineRows.Row(start: 0)
        rows.forEach { row in
            starts.writeVarint(row.start - before.start)
            calls.writeSignedVarint(Int64(row.inlined) - Int64(before.inlined))
            files.writeSignedVarint(Int64(row.file) - Int64(before.file))
            lines.writeSignedVarint(Int64(row.line) - Int64(before.line))
            before = row
        }
        let columns = [starts.bytes, calls.bytes, files.bytes, lines.bytes]
        var writer = ByteWriter(reserving: columns.reduce(32) { $0 + $1.count })
        writer.writeVarint(UInt64(rows.count))
        for column in columns { writer.writePrefixedBytes(column) }
        return writer.bytes
    }

    /// The same table without files, lines and inlined calls, which says so: for when it is too large with them.
    public func withoutLines() -> SymbolTable {
        SymbolTable(
            quality: min(quality, .symbols), loadSegments: loadSegments, gaps: gaps.union(.linesTooLarge),
            starts: starts, ends: ends, nameIndices: nameIndices, names: names)
    }

    /// Reads what `encoded` wrote, from bytes that nobody vouches for.
    public init(decoding bytes: [UInt8], limits: Limits = Limits()) throws(SymbolTableError) {
        let parts = try EncodedParts(bytes, limits: limits)
        let facts = try parts.facts(limits: limits)
        let names = try parts.names(limits: limits)
        let ranges = try parts.ranges(limits: limits, nameCount: names.count)
        let files = try parts.files(limits: limits)
        let calls = try parts.calls(limits: limits, nameCount: names.count, fileCount: files.count)
        let rows = try parts.rows(limits: limits, callCount: calls.count, fileCount: files.count)
        self.init(
            quality: facts.quality, loadSegments: facts.segments, gaps: try parts.gaps(), starts: ranges.starts,
            ends: ranges.ends, nameIndices: ranges.nameIndices, names: names, files: files, calls: calls, rows: rows)
    }
}
