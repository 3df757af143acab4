import Compression
import ObjectFiles
import SymbolTables

/// The debug sections of an object file as an ELF file of our own in memory, for libdw to read.
///
/// libdw gets no file: it would map it (SIGBUS when someone shortens it), read every section at once (locations and
/// macros, half of all, are of no use here), expand compressed ones without our limits, zstd not at all (0.188), and
/// look for further files by paths. Here are the sections that are used, expanded within limits, and nothing that names
/// another file.
@safe final class DebugImage {
    let memory: UnsafeMutableRawBufferPointer
    /// What could not be taken.
    let gaps: TableGaps
    /// Units' functions may lie in the file that dwz shares among several.
    let needsAlternate: Bool

    private static let wanted: Set<String> = [
        "debug_info", "debug_abbrev", "debug_line", "debug_str", "debug_line_str", "debug_str_offsets", "debug_addr",
        "debug_ranges", "debug_rnglists",
    ]

    /// Whether a file has DWARF that is read here.
    static func isPresent(in object: ObjectFile) -> Bool {
        guard let sections = try? object.sections.get() else { return false }
        return sections.contains { $0.type != 8 && $0.size > 0 && shortName($0.name) == "debug_info" }
    }

    /// `.debug_info` and, of old compressed ones, `.zdebug_info`.
    private static func shortName(_ name: String) -> String? {
        if name.hasPrefix(".debug_") { return String(name.dropFirst()) }
        if name.hasPrefix(".zdebug_") { return String(name.dropFirst(2)) }
        return nil
    }

    private struct Part {
        var name: String
        var section: Section
        var packing: SectionPacking
        /// In the image.
        var offset = 0
    }

    /// nil where the file has no DWARF, or none that can be read; `gaps` says so.
    init?(
        _ object: ObjectFile, from source: some ObjectSource, maximumBytes: Int, gaps: inout TableGaps
    ) {
        guard Self.isPresent(in: object), let sections = try? object.sections.get() else { return nil }
        var parts: [Part] = []
        var size = 64
        for section in sections where section.type != 8 && section.size > 0 {
            guard let name = Self.shortName(section.name), Self.wanted.contains(name),
                !parts.contains(where: { $0.name == name })
            else { continue }
            guard let packing = SectionPacking(section, from: source) else {
                gaps.insert(.unreadableSections)
                continue
            }
            var part = Part(name: name, section: section, packing: packing)
            part.offset = size
            guard packing.expandedBytes <= UInt64(maximumBytes - size) else {
                gaps.insert(.debugInformationTooLarge)
                return nil
            }
            size += (Int(packing.expandedBytes) + 7) / 8 * 8
            parts.append(part)
        }
        let names = ([""] + parts.map { "." + $0.name } + [".shstrtab"]).map { Array($0.utf8) + [0] }
        let nameBytes = names.flatMap { $0 }
        let nameOffset = size
        size += (nameBytes.count + 7) / 8 * 8
        let headers = size
        size += (parts.count + 2) * 64
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
        var failed = false
        for part in parts {
            let target = unsafe UnsafeMutableRawBufferPointer(
                rebasing: memory[part.offset..<part.offset + Int(part.packing.expandedBytes)])
            if unsafe !part.packing.expand(from: source, into: target) {
                gaps.insert(.unreadableSections)
                // Nothing can be said without units and abbreviations; others are only missed.
                if part.name == "debug_info" || part.name == "debug_abbrev" { failed = true }
                unsafe target.initializeMemory(as: UInt8.self, repeating: 0)
            }
        }
        guard !failed else {
            unsafe memory.deallocate()
            return nil
        }
        unsafe memory.baseAddress?.initializeMemory(as: UInt8.self, repeating: 0, count: 64)
        for (index, byte) in nameBytes.enumerated() { unsafe memory[nameOffset + index] = byte }
        unsafe Self.writeHeader(memory, sectionHeaders: headers, count: parts.count + 2)
        unsafe (memory.baseAddress.map { unsafe $0 + headers })?.initializeMemory(
            as: UInt8.self, repeating: 0, count: 64)
        var name = 1
        for (index, part) in parts.enumerated() {
            unsafe Self.writeSection(
                memory, at: headers + (index + 1) * 64, name: name, type: 1, offset: part.offset,
                size: Int(part.packing.expandedBytes))
            name += names[index + 1].count
        }
        unsafe Self.writeSection(
            memory, at: headers + (parts.count + 1) * 64, name: name, type: 3, offset: nameOffset,
            size: nameBytes.count)
        unsafe self.memory = memory
        self.gaps = gaps
        needsAlternate = sections.contains { $0.name == ".gnu_debugaltlink" }
    }

    /// elf(5), Elf64_Ehdr: a program for x86-64, which spares libdw every relocation.
    private static func writeHeader(_ memory: UnsafeMutableRawBufferPointer, sectionHeaders: Int, count: Int) {
        for (index, byte) in ([0x7F, 0x45, 0x4C, 0x46, 2, 1, 1] as [UInt8]).enumerated() { unsafe memory[index] = byte }
        unsafe memory.storeBytes(of: UInt16(2).littleEndian, toByteOffset: 16, as: UInt16.self)
        unsafe memory.storeBytes(of: UInt16(62).littleEndian, toByteOffset: 18, as: UInt16.self)
        unsafe memory.storeBytes(of: UInt32(1).littleEndian, toByteOffset: 20, as: UInt32.self)
        unsafe memory.storeBytes(of: UInt64(sectionHeaders).littleEndian, toByteOffset: 40, as: UInt64.self)
        unsafe memory.storeBytes(of: UInt16(64).littleEndian, toByteOffset: 52, as: UInt16.self)
        unsafe memory.storeBytes(of: UInt16(64).littleEndian, toByteOffset: 58, as: UInt16.self)
        unsafe memory.storeBytes(of: UInt16(count).littleEndian, toByteOffset: 60, as: UInt16.self)
        unsafe memory.storeBytes(of: UInt16(count - 1).littleEndian, toByteOffset: 62, as: UInt16.self)
    }

    /// elf(5), Elf64_Shdr.
    private static func writeSection(
        _ memory: UnsafeMutableRawBufferPointer, at place: Int, name: Int, type: UInt32, offset: Int, size: Int
    ) {
        unsafe (memory.baseAddress.map { unsafe $0 + place })?.initializeMemory(
            as: UInt8.self, repeating: 0, count: 64)
        unsafe memory.storeBytes(of: UInt32(name).littleEndian, toByteOffset: place, as: UInt32.self)
        unsafe memory.storeBytes(of: type.littleEndian, toByteOffset: place + 4, as: UInt32.self)
        unsafe memory.storeBytes(of: UInt64(offset).littleEndian, toByteOffset: place + 24, as: UInt64.self)
        unsafe memory.storeBytes(of: UInt64(size).littleEndian, toByteOffset: place + 32, as: UInt64.self)
        unsafe memory.storeBytes(of: UInt64(1).littleEndian, toByteOffset: place + 48, as: UInt64.self)
    }

    deinit { unsafe memory.deallocate() }
}
