import ByteCoding
import Digests
import Profiles

/// The GNU build ID of the notes; else SHA-256 over the file's size (8 bytes, little-endian), ELF header, program
/// headers, section headers and the notes of segments.
///
/// Sections are asked after segments: a debug file keeps the program headers of its program, whose offsets then point
/// nowhere. Notes that make no sense are passed over; a file is not refused for them.
func readIdentity(
    header: FileHeader, programHeaders: [ProgramHeader], sections: Result<Section.Table, ObjectFileError>,
    source: some ObjectSource, limits: ObjectFile.Limits
) -> ModuleIdentity {
    for segment in programHeaders where segment.type == ProgramHeader.note {
        let notes = try? source.part("notes", at: segment.offset, size: segment.fileSize, limit: limits.noteBytes)
        if let notes, let buildID = buildID(inNotes: notes, alignment: segment.alignment) {
            return ModuleIdentity(kind: .buildID, bytes: buildID)
        }
    }
    let table = try? sections.get()
    for section in table?.sections ?? [] where section.type == Section.notes {
        let notes = try? source.part("notes", at: section.offset, size: section.size, limit: limits.noteBytes)
        if let notes, let buildID = buildID(inNotes: notes, alignment: section.alignment) {
            return ModuleIdentity(kind: .buildID, bytes: buildID)
        }
    }
    var digest = SHA256()
    var size = ByteWriter()
    size.write(source.byteCount)
    digest.update(size.bytes)
    digest.update(header.bytes)
    let programHeaderBytes = UInt64(programHeaders.count * ProgramHeader.byteCount)
    if let bytes = try? source.part(
        "the program headers", at: header.programHeaderOffset, size: programHeaderBytes, limit: programHeaderBytes)
    {
        digest.update(bytes)
    }
    digest.update(table?.bytes ?? [])
    // Notes of others tell builds apart that are laid out alike: Go's build ID.
    for segment in programHeaders where segment.type == ProgramHeader.note {
        let notes = try? source.part("notes", at: segment.offset, size: segment.fileSize, limit: limits.noteBytes)
        digest.update(notes ?? [])
    }
    return ModuleIdentity(kind: .contentDigest, bytes: digest.finished())
}

/// The build ID among notes: name "GNU", type 3 (NT_GNU_BUILD_ID), 2 to 64 bytes; nil where there is none.
///
/// A note is three 32-bit words (length of name, length of description, type), then both, padded to 4 bytes, or to 8
/// where the segment is aligned so (gabi, "note section").
func buildID(inNotes notes: [UInt8], alignment: UInt64) -> [UInt8]? {
    let step = alignment == 8 ? 8 : 4
    func padded(_ offset: Int) -> Int { (offset + step - 1) / step * step }
    var reader = unsafe ByteReader(notes.span.bytes)
    do throws(ByteCodingError) {
        while reader.remaining >= 12 {
            let nameLength = Int(try reader.readUInt32())
            let length = Int(try reader.readUInt32())
            let type = try reader.readUInt32()
            let name = try reader.readBytes(nameLength)
            try reader.seek(to: padded(reader.offset))
            if type == 3, name == [0x47, 0x4E, 0x55, 0], length >= 2, length <= ModuleIdentity.maximumBytes {
                return try reader.readBytes(length)
            }
            try reader.skip(length)
            try reader.seek(to: min(padded(reader.offset), notes.count))
        }
    } catch {
        // A note longer than the rest: nothing after it can be found.
        return nil
    }
    return nil
}
