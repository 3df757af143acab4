import ByteCoding

/// One section: name, kind and place (elf(5), Elf64_Shdr).
public struct Section: Hashable, Sendable {
    /// Number of the kind: 2 symbols, 3 strings, 7 notes, 8 nothing in the file, 11 dynamic symbols.
    public let type: UInt32
    public let flags: UInt64
    /// In the file's own address space; 0 for what is not loaded.
    public let address: UInt64
    public let offset: UInt64
    public let size: UInt64
    /// Index of a related section: a symbol table's strings.
    public let link: UInt32
    public let alignment: UInt64
    /// Empty where the name is missing or not UTF-8.
    public let name: String

    static let symbols: UInt32 = 2
    static let notes: UInt32 = 7
    static let noBits: UInt32 = 8
    static let dynamicSymbols: UInt32 = 11
    static let byteCount = 64
    /// No section's name is longer in any real file.
    private static let maximumNameBytes = 256

    /// The table with its own bytes, which the digest of a file without build ID covers.
    struct Table {
        var sections: [Section]
        var bytes: [UInt8]
    }

    static func readTable(
        _ header: FileHeader, from source: some ObjectSource, limits: ObjectFile.Limits
    ) -> Result<Table, ObjectFileError> {
        do throws(ObjectFileError) {
            return .success(try read(header, from: source, limits: limits))
        } catch {
            return .failure(error)
        }
    }

    private static func read(
        _ header: FileHeader, from source: some ObjectSource, limits: ObjectFile.Limits
    ) throws(ObjectFileError) -> Table {
        guard header.sectionHeaderOffset > 0 else { return Table(sections: [], bytes: []) }
        guard Int(header.sectionHeaderSize) == byteCount else {
            throw .malformed(what: "section headers of \(header.sectionHeaderSize) bytes, not \(byteCount)")
        }
        var count = UInt64(header.sectionHeaderCount)
        var nameIndex = UInt64(header.sectionNameIndex)
        if count == 0 || nameIndex == 0xFFFF {
            // Too many for 16 bits: the first section's size and link hold the numbers (gabi, "extended numbering").
            let first = try source.part(
                "the first section header", at: header.sectionHeaderOffset, size: UInt64(byteCount), limit: 64)
            let entry = try entries(first, count: 1)[0]
            if count == 0 { count = entry.size }
            if nameIndex == 0xFFFF { nameIndex = UInt64(entry.link) }
        }
        guard count <= limits.sections else { throw .overLimit(what: "sections", value: count, limit: limits.sections) }
        let size = count * UInt64(byteCount)
        let bytes = try source.part("the section headers", at: header.sectionHeaderOffset, size: size, limit: size)
        let unnamed = try entries(bytes, count: Int(count))
        guard nameIndex < UInt64(unnamed.count), nameIndex != 0, unnamed[Int(nameIndex)].type != noBits else {
            return Table(sections: unnamed.map { Section($0, name: "") }, bytes: bytes)
        }
        let strings = unnamed[Int(nameIndex)]
        let names = try source.part(
            "the section names", at: strings.offset, size: strings.size, limit: min(limits.stringBytes, 1 << 26))
        let sections = unnamed.map { entry in
            let name = zeroEnded(names, from: Int(entry.name), limit: maximumNameBytes)
            return Section(entry, name: String(validating: name, as: UTF8.self) ?? "")
        }
        return Table(sections: sections, bytes: bytes)
    }

    private struct Entry {
        var name: UInt32
        var type: UInt32
        var flags: UInt64
        var address: UInt64
        var offset: UInt64
        var size: UInt64
        var link: UInt32
        var alignment: UInt64
    }

    private init(_ entry: Entry, name: String) {
        type = entry.type
        flags = entry.flags
        address = entry.address
        offset = entry.offset
        size = entry.size
        link = entry.link
        alignment = entry.alignment
        self.name = name
    }

    private static func entries(_ bytes: [UInt8], count: Int) throws(ObjectFileError) -> [Entry] {
        var reader = unsafe ByteReader(bytes.span.bytes)
        var entries: [Entry] = []
        entries.reserveCapacity(count)
        do throws(ByteCodingError) {
            for _ in 0..<count {
                let name = try reader.readUInt32()
                let type = try reader.readUInt32()
                let flags = try reader.readUInt64()
                let address = try reader.readUInt64()
                let offset = try reader.readUInt64()
                let size = try reader.readUInt64()
                let link = try reader.readUInt32()
                try reader.skip(4)
                let alignment = try reader.readUInt64()
                try reader.skip(8)
                entries.append(
                    Entry(
                        name: name, type: type, flags: flags, address: address, offset: offset, size: size, link: link,
                        alignment: alignment))
            }
        } catch {
            throw .malformed(what: "the section headers")
        }
        return entries
    }
}

/// The bytes from `start` up to a zero, the array's end or `limit`; empty when `start` lies outside.
func zeroEnded(_ bytes: [UInt8], from start: Int, limit: Int) -> ArraySlice<UInt8> {
    guard start >= 0, start < bytes.count else { return [] }
    let rest = bytes[start..<min(bytes.count, start + limit)]
    return rest.prefix { $0 != 0 }
}
