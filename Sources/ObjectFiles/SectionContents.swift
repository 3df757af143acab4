import Profiles

extension Section {
    /// SHT_NOBITS: takes no place in the file.
    public var isEmptyInFile: Bool { type == Self.noBits }
    /// SHF_ALLOC: is loaded.
    public var isLoaded: Bool { flags & 2 != 0 }
    /// SHF_EXECINSTR.
    public var isExecutable: Bool { flags & 4 != 0 }
    /// SHF_COMPRESSED: its bytes are not what they stand for.
    public var isCompressed: Bool { flags & 0x800 != 0 }
}

extension ObjectFile {
    /// The bytes of a section as they lie in the file, at most `limit`. `source` must be the one that the file was read
    /// from.
    public func contents(
        of section: Section, from source: some ObjectSource, limit: UInt64
    ) throws(ObjectFileError) -> [UInt8] {
        guard !section.isEmptyInFile else { return [] }
        return try source.part(
            section.name.isEmpty ? "a section" : section.name, at: section.offset, size: section.size, limit: limit)
    }

    /// The bytes that the loader maps from an address on, up to `count` or the end of the segment in the file; nil where
    /// no segment holds the address.
    public func loadedBytes(
        at address: UInt64, count: UInt64, from source: some ObjectSource
    ) throws(ObjectFileError) -> [UInt8]? {
        for segment in loadSegments where address >= segment.virtualAddress {
            let within = address - segment.virtualAddress
            guard within < segment.fileSize else { continue }
            let (offset, overflow) = segment.fileOffset.addingReportingOverflow(within)
            guard !overflow else { throw .malformed(what: "a load segment goes round the address space") }
            let size = min(count, segment.fileSize - within)
            return try source.part("a load segment", at: offset, size: size, limit: size)
        }
        return nil
    }
}
