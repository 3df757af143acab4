import ByteCoding

/// The ELF header (elf(5), Elf64_Ehdr).
struct FileHeader {
    static let byteCount = 64

    let bytes: [UInt8]
    let kind: ObjectFile.Kind
    let machine: UInt16
    let entryPoint: UInt64
    let programHeaderOffset: UInt64
    let sectionHeaderOffset: UInt64
    let programHeaderSize: UInt16
    let programHeaderCount: UInt16
    let sectionHeaderSize: UInt16
    let sectionHeaderCount: UInt16
    let sectionNameIndex: UInt16

    init(_ source: some ObjectSource, acceptsRelocatable: Bool = false) throws(ObjectFileError) {
        let magic: [UInt8] = [0x7F, 0x45, 0x4C, 0x46]
        guard source.byteCount >= 16 else { throw .notELF }
        let start = try source.bytes(at: 0, count: 16)
        guard start[..<4] == magic[...] else { throw .notELF }
        guard start[4] == 2 else { throw .unsupported("a 32-bit ELF file") }
        guard start[5] == 1 else { throw .unsupported("a big-endian ELF file") }
        guard start[6] == 1 else { throw .unsupported("an ELF file of version \(start[6])") }
        let bytes = try source.part("the ELF header", at: 0, size: UInt64(Self.byteCount), limit: 64)
        let type: UInt16
        var reader = unsafe ByteReader(bytes.span.bytes)
        do throws(ByteCodingError) {
            try reader.skip(16)
            type = try reader.readUInt16()
            machine = try reader.readUInt16()
            try reader.skip(4)
            entryPoint = try reader.readUInt64()
            programHeaderOffset = try reader.readUInt64()
            sectionHeaderOffset = try reader.readUInt64()
            try reader.skip(4 + 2)
            programHeaderSize = try reader.readUInt16()
            programHeaderCount = try reader.readUInt16()
            sectionHeaderSize = try reader.readUInt16()
            sectionHeaderCount = try reader.readUInt16()
            sectionNameIndex = try reader.readUInt16()
        } catch {
            throw .malformed(what: "the ELF header")
        }
        guard let kind = ObjectFile.Kind(rawValue: type), kind != .relocatable || acceptsRelocatable else {
            throw Self.unsupportedType(type)
        }
        self.kind = kind
        self.bytes = bytes
    }

    private static func unsupportedType(_ type: UInt16) -> ObjectFileError {
        switch type {
        case 1: .unsupported("a relocatable ELF file")
        case 4: .unsupported("a core file")
        default: .unsupported("an ELF file of type \(type)")
        }
    }
}
