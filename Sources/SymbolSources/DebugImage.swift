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
    /// By name.
    private var places: [String: Place]

    private struct Place {
        /// Of the section's header.
        var header: Int
        var offset: Int
        /// That are there; the header may show fewer.
        var byteCount: Int
    }

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
    convenience init?(
        _ object: ObjectFile, from source: some ObjectSource, maximumBytes: Int, gaps: inout TableGaps
    ) {
        guard Self.isPresent(in: object) else { return nil }
        self.init(object, from: source, maximumBytes: maximumBytes, gaps: &gaps, reserved: []) {
            Self.shortName($0).flatMap { Self.wanted.contains($0) ? $0 : nil }
        }
    }

    /// Of a `.dwo` or `.dwp` file, under the sections' plain names, with room for the program's `.debug_addr` and
    /// `.debug_ranges`; nil where it can't be read.
    convenience init?(
        split object: ObjectFile, from source: some ObjectSource, maximumBytes: Int,
        reserving: (addresses: Int, ranges: Int)
    ) {
        var gaps: TableGaps = []
        let reserved = [("debug_addr", reserving.addresses), ("debug_ranges", reserving.ranges)]
        self.init(object, from: source, maximumBytes: maximumBytes, gaps: &gaps, reserved: reserved) { name in
            if name == ".debug_cu_index" { return "debug_cu_index" }
            guard name.hasSuffix(".dwo"), let short = Self.shortName(String(name.dropLast(4))) else { return nil }
            return Self.wanted.contains(short) && !reserved.contains { $0.0 == short } ? short : nil
        }
    }

    private init?(
        _ object: ObjectFile, from source: some ObjectSource, maximumBytes: Int, gaps: inout TableGaps,
        reserved: [(name: String, byteCount: Int)], name nameOf: (String) -> String?
    ) {
        guard let sections = try? object.sections.get() else { return nil }
        var parts: [Part] = []
        var size = 64
        for section in sections where section.type != 8 && section.size > 0 {
            guard let name = nameOf(section.name), !parts.contains(where: { $0.name == name }) else { continue }
            guard let packing = SectionPacking(section, from: source) else {
                gaps.insert(.unreadableSections)
                continue
            }
            var part = Part(name: name, section: section, packing: packing)
            part.offset = size
            guard packing.expandedBytes <= UInt64(max(0, maximumBytes - size)) else {
                gaps.insert(.debugInformationTooLarge)
                return nil
            }
            size += (Int(packing.expandedBytes) + 7) / 8 * 8
            parts.append(part)
        }
        guard parts.contains(where: { $0.name == "debug_info" }) else { return nil }
        var rooms: [(name: String, offset: Int, byteCount: Int)] = []
        for (name, byteCount) in reserved where byteCount > 0 {
            guard byteCount <= maximumBytes - size else { return nil }
            rooms.append((name, size, byteCount))
            size += (byteCount + 7) / 8 * 8
        }
        let all = parts.map(\.name) + rooms.map(\.name)
        let names = ([""] + all.map { "." + $0 } + [".shstrtab"]).map { Array($0.utf8) + [0] }
        let nameBytes = names.flatMap { $0 }
        let nameOffset = size
        size += (nameBytes.count + 7) / 8 * 8
        let headers = size
        size += (all.count + 2) * 64
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
        unsafe Self.writeHeader(memory, sectionHeaders: headers, count: all.count + 2)
        unsafe (memory.baseAddress.map { unsafe $0 + headers })?.initializeMemory(
            as: UInt8.self, repeating: 0, count: 64)
        var name = 1
        var places: [String: Place] = [:]
        rooms = parts.map { ($0.name, $0.offset, Int($0.packing.expandedBytes)) } + rooms
        for (index, room) in rooms.enumerated() {
            let header = headers + (index + 1) * 64
            unsafe Self.writeSection(
                memory, at: header, name: name, type: 1, offset: room.offset, size: room.byteCount)
            places[room.name] = Place(header: header, offset: room.offset, byteCount: room.byteCount)
            name += names[index + 1].count
        }
        unsafe Self.writeSection(
            memory, at: headers + (all.count + 1) * 64, name: name, type: 3, offset: nameOffset,
            size: nameBytes.count)
        self.places = places
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

    // MARK: Split units

    var byteCount: Int { unsafe memory.count }

    func byteCount(of section: String) -> Int { places[section]?.byteCount ?? 0 }

    func bytes(of section: String) -> [UInt8] {
        guard let place = places[section] else { return [] }
        return unsafe Array(memory[place.offset..<place.offset + place.byteCount])
    }

    /// Lets readers that open the image from now on see only a part of a section, or nothing where there is no such part.
    func show(_ section: String, _ part: Range<Int>) {
        guard let place = places[section] else { return }
        let isInside = part.lowerBound >= 0 && part.upperBound <= place.byteCount
        unsafe memory.storeBytes(
            of: UInt64(place.offset + (isInside ? part.lowerBound : 0)).littleEndian,
            toByteOffset: place.header + 24, as: UInt64.self)
        unsafe memory.storeBytes(
            of: UInt64(isInside ? part.count : 0).littleEndian, toByteOffset: place.header + 32, as: UInt64.self)
    }

    /// Fills the rooms that were reserved.
    func write(_ addresses: [UInt8], _ ranges: [UInt8]) {
        for (section, bytes) in [("debug_addr", addresses), ("debug_ranges", ranges)] {
            guard let place = places[section] else { continue }
            let count = min(bytes.count, place.byteCount)
            for index in 0..<count { unsafe memory[place.offset + index] = bytes[index] }
            show(section, 0..<count)
        }
    }

    /// A unit's part of `.debug_addr`, counted from its first address.
    func addresses(_ skeleton: SkeletonFacts) -> [UInt8] {
        guard let place = places["debug_addr"], skeleton.addressBase < UInt64(place.byteCount) else { return [] }
        let start = Int(skeleton.addressBase)
        var count = place.byteCount - start
        if skeleton.version >= 5, start >= 8 {
            // DWARF 5, 7.27: u32 bytes behind it, u16 version, u8 size of an address, u8 0.
            let stated = unsafe memory.loadUnaligned(fromByteOffset: place.offset + start - 8, as: UInt32.self)
            count = min(count, max(0, Int(UInt32(littleEndian: stated)) - 4))
        }
        var bytes = unsafe Array(memory[place.offset + start..<place.offset + start + count])
        guard skeleton.lowAddress != 0 else { return bytes }
        unsafe bytes.withUnsafeMutableBytes { bytes in
            for index in stride(from: 0, to: count / 8 * 8, by: 8) {
                let address = unsafe bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                unsafe bytes.storeBytes(
                    of: (UInt64(littleEndian: address) &- skeleton.lowAddress).littleEndian, toByteOffset: index,
                    as: UInt64.self)
            }
        }
        return bytes
    }

    /// A unit's part of `.debug_ranges`, to the section's end.
    func rangeLists(_ skeleton: SkeletonFacts) -> [UInt8] {
        guard skeleton.version < 5, let place = places["debug_ranges"], skeleton.rangesBase < UInt64(place.byteCount)
        else { return [] }
        return unsafe Array(memory[place.offset + Int(skeleton.rangesBase)..<place.offset + place.byteCount])
    }

    deinit { unsafe memory.deallocate() }
}
