import ByteCoding

/// One program header (elf(5), Elf64_Phdr).
struct ProgramHeader {
    static let load: UInt32 = 1
    static let note: UInt32 = 4
    /// PT_GNU_EH_FRAME.
    static let exceptionFrames: UInt32 = 0x6474_E550
    static let executable: UInt32 = 1
    static let byteCount = 56

    let type: UInt32
    let flags: UInt32
    let offset: UInt64
    let virtualAddress: UInt64
    let fileSize: UInt64
    let alignment: UInt64

    static func read(
        _ header: FileHeader, from source: some ObjectSource, limits: ObjectFile.Limits
    ) throws(ObjectFileError) -> [ProgramHeader] {
        guard header.programHeaderCount > 0 else { return [] }
        guard Int(header.programHeaderSize) == byteCount else {
            throw .malformed(what: "program headers of \(header.programHeaderSize) bytes, not \(byteCount)")
        }
        let count = UInt64(header.programHeaderCount)
        guard count <= limits.programHeaders else {
            throw .overLimit(what: "program headers", value: count, limit: limits.programHeaders)
        }
        let size = count * UInt64(byteCount)
        let bytes = try source.part("the program headers", at: header.programHeaderOffset, size: size, limit: size)
        var reader = unsafe ByteReader(bytes.span.bytes)
        var headers: [ProgramHeader] = []
        do throws(ByteCodingError) {
            for _ in 0..<count { headers.append(try ProgramHeader(&reader)) }
        } catch {
            throw .malformed(what: "the program headers")
        }
        return headers
    }

    private init(_ reader: inout ByteReader) throws(ByteCodingError) {
        type = try reader.readUInt32()
        flags = try reader.readUInt32()
        offset = try reader.readUInt64()
        virtualAddress = try reader.readUInt64()
        try reader.skip(8)
        fileSize = try reader.readUInt64()
        try reader.skip(8)
        alignment = try reader.readUInt64()
    }
}
