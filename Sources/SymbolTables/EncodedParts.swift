import ByteCoding
import Compression
import Profiles

/// The parts of an encoded symbol table, told apart but not yet understood; `SymbolTable+Coding.swift` has the format.
struct EncodedParts {
    private(set) var bodies: [UInt64: [UInt8]] = [:]
    /// Later versions may add some; what has more is not a table.
    private static let maximumParts = 64

    init(_ bytes: [UInt8], limits: SymbolTable.Limits) throws(SymbolTableError) {
        guard bytes.count >= 10, bytes[..<4] == SymbolTable.magic[...] else { throw .notASymbolTable }
        let version = UInt16(bytes[4]) | UInt16(bytes[5]) << 8
        guard version == SymbolTable.version else { throw .unknownVersion(version) }
        let stated = (6..<10).reduce(UInt32(0)) { $0 | UInt32(bytes[$1]) << UInt32(8 * ($1 - 6)) }
        let computed = unsafe CRC32C.checksum(bytes.span.extracting(10...).bytes)
        guard stated == computed else { throw .wrongChecksum(stated: stated, computed: computed) }
        var reader = unsafe ByteReader(bytes.span.extracting(10...).bytes)
        let size: UInt64
        do { size = try reader.readVarint() } catch { throw .unreadable(error) }
        guard size <= UInt64(limits.expandedBytes) else {
            throw .overLimit(what: "expanded bytes", value: size, limit: UInt64(limits.expandedBytes))
        }
        let expanded: [UInt8]
        do {
            expanded = unsafe try Zstandard.decompress(
                bytes.span.extracting((10 + reader.offset)...).bytes, limit: Int(size))
        } catch {
            throw .compression(error)
        }
        guard UInt64(expanded.count) == size else { throw .malformed("its expanded size is not the stated one") }
        var parts = unsafe ByteReader(expanded.span.bytes)
        while !parts.isAtEnd {
            guard bodies.count < Self.maximumParts else { throw .malformed("more than \(Self.maximumParts) parts") }
            do throws(ByteCodingError) {
                let tag = try parts.readVarint()
                bodies[tag] = try parts.readPrefixedBytes(limit: limits.expandedBytes)
            } catch {
                throw .unreadable(error)
            }
        }
    }

    func facts(limits: SymbolTable.Limits) throws(SymbolTableError) -> (
        quality: SymbolQuality, segments: [LoadSegment]
    ) {
        let body = bodies[1] ?? []
        var reader = unsafe ByteReader(body.span.bytes)
        do throws(ByteCodingError) {
            // Unknown qualities are of a later version and better than none.
            let quality = SymbolQuality(rawValue: try reader.readUInt8()) ?? .debugInformation
            let count = try Self.count(&reader, limit: limits.segments)
            var segments: [LoadSegment] = []
            for _ in 0..<count {
                let fileOffset = try reader.readVarint()
                let fileSize = try reader.readVarint()
                let address = try reader.readVarint()
                let isExecutable = try reader.readUInt8() != 0
                segments.append(
                    LoadSegment(
                        fileOffset: fileOffset, fileSize: fileSize, virtualAddress: address, isExecutable: isExecutable)
                )
            }
            return (quality, segments)
        } catch {
            throw .unreadable(error)
        }
    }

    func names(limits: SymbolTable.Limits) throws(SymbolTableError) -> StringPool {
        try strings(2, maximumCount: limits.names, maximumBytes: limits.nameBytes)
    }

    func files(limits: SymbolTable.Limits) throws(SymbolTableError) -> StringPool {
        try strings(4, maximumCount: limits.files, maximumBytes: limits.nameBytes)
    }

    private func strings(
        _ tag: UInt64, maximumCount: Int, maximumBytes: Int
    ) throws(SymbolTableError) -> StringPool {
        guard let body = bodies[tag] else { return StringPool() }
        var reader = unsafe ByteReader(body.span.bytes)
        var pool = StringPool()
        do throws(ByteCodingError) {
            let count = try Self.count(&reader, limit: maximumCount)
            pool.ends.reserveCapacity(count)
            var end = 0
            for _ in 0..<count {
                let start = reader.offset
                let length = try reader.readVarint()
                guard length <= UInt64(maximumBytes - end) else {
                    throw ByteCodingError.lengthOverLimit(offset: start, length: length, limit: maximumBytes - end)
                }
                end += Int(length)
                pool.ends.append(UInt32(end))
            }
            pool.bytes = try reader.readBytes(end)
        } catch {
            throw .unreadable(error)
        }
        return pool
    }

    func ranges(
        limits: SymbolTable.Limits, nameCount: Int
    ) throws(SymbolTableError) -> (starts: [UInt64], ends: [UInt64], nameIndices: [UInt32]) {
        let body = bodies[3] ?? []
        var reader = unsafe ByteReader(body.span.bytes)
        var gaps: [UInt64] = []
        var ends: [UInt64] = []
        var nameIndices: [UInt32] = []
        do throws(ByteCodingError) {
            let count = try Self.count(&reader, limit: limits.ranges)
            gaps.reserveCapacity(count)
            ends.reserveCapacity(count)
            nameIndices.reserveCapacity(count)
            for _ in 0..<count { gaps.append(try reader.readVarint()) }
            for _ in 0..<count { ends.append(try reader.readVarint()) }
            var index: Int64 = 0
            for _ in 0..<count {
                index = index &+ (try reader.readSignedVarint())
                // Out of range is refused below, where the error can say so.
                nameIndices.append(UInt32(exactly: index) ?? .max)
            }
        } catch {
            throw .unreadable(error)
        }
        var end: UInt64 = 0
        for index in gaps.indices {
            let (start, startOverflows) = end.addingReportingOverflow(gaps[index])
            let (next, endOverflows) = start.addingReportingOverflow(ends[index])
            guard !startOverflows, !endOverflows, next > start else {
                throw .malformed("range \(index) is empty or leaves the address space")
            }
            guard nameIndices[index] < UInt32(nameCount) else {
                throw .malformed("range \(index) has name \(nameIndices[index]) of \(nameCount)")
            }
            gaps[index] = start
            ends[index] = next
            end = next
        }
        return (gaps, ends, nameIndices)
    }

    /// A count of things that take at least one byte each, so that a short table can't reserve much memory.
    static func count(_ reader: inout ByteReader, limit: Int) throws(ByteCodingError) -> Int {
        let start = reader.offset
        let count = try reader.readVarint()
        let most = min(limit, reader.remaining)
        guard count <= UInt64(most) else { throw .lengthOverLimit(offset: start, length: count, limit: most) }
        return Int(count)
    }
}
