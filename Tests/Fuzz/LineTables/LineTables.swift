// fuzz: SymbolSources, SymbolTables, ObjectFiles, ByteCoding
import ByteCoding
import ObjectFiles
import SymbolSources
import SymbolTables

/// Hostile DWARF by way of libdw: the input is the contents of the debug sections, each behind its length (u16), put into
/// a well-formed ELF file around one region of code, since no fuzzer keeps a section table whole. What does not begin so
/// is taken as an ELF file itself.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    let file = bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]) ? bytes : program(bytes)
    let source = ObjectBytes(file)
    guard let object = try? ObjectFile(source) else { return 0 }
    _ = DebugLinks(object, from: source)
    var limits = ModuleTable.Limits()
    limits.debugBytes = 1 << 24
    limits.duration = .seconds(2)
    // The sections of split units lie in the same file, under names that end in .dwo; both ways to them are tried.
    let references = ModuleTable.splitReferences(object, from: source, debug: source, limits: limits)
    let split = SplitSources(
        files: Dictionary(references.dropFirst(references.count % 2).map { ($0, source) }) { $1 }, package: source)
    guard
        let table = try? ModuleTable.build(
            object, from: source, debug: source, alternate: source, split: split, limits: limits),
        let encoded = try? ModuleTable.encode(table, limits: limits)
    else { return 0 }
    // What was built is a table like any other.
    guard let decoded = try? SymbolTable(decoding: encoded) else { fatalError("a table that can't be read") }
    for address in stride(from: UInt64(0x1000), to: 0x1400, by: 7) {
        if decoded.frames(at: address) != table.frames(at: address) { fatalError("coding changes a table") }
    }
    return 0
}

private let sections = [
    ".debug_info", ".debug_abbrev", ".debug_line", ".debug_str", ".debug_line_str", ".debug_ranges", ".debug_rnglists",
    ".debug_addr", ".debug_str_offsets", ".debug_info.dwo", ".debug_abbrev.dwo", ".debug_str.dwo",
    ".debug_str_offsets.dwo", ".debug_rnglists.dwo", ".debug_line.dwo", ".debug_cu_index",
]

private func program(_ input: [UInt8]) -> [UInt8] {
    var writer = ByteWriter()
    writer.write([0x7F, 0x45, 0x4C, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9))
    let names = ["", ".text"] + sections + [".shstrtab"]
    var nameOffsets: [UInt32] = []
    var nameBytes: [UInt8] = []
    for name in names {
        nameOffsets.append(UInt32(nameBytes.count))
        nameBytes += Array(name.utf8) + [0]
    }
    var data: [UInt8] = []
    var places: [(offset: UInt64, size: UInt64)] = []
    var rest = input[...]
    for _ in sections {
        var part: ArraySlice<UInt8> = []
        if rest.count >= 2 {
            let size = Int(rest[rest.startIndex]) | Int(rest[rest.startIndex + 1]) << 8
            rest = rest.dropFirst(2)
            part = rest.prefix(size)
            rest = rest.dropFirst(size)
        }
        places.append((UInt64(64 + data.count), UInt64(part.count)))
        data += part
    }
    let nameOffset = UInt64(64 + data.count)
    data += nameBytes
    writer.write(UInt16(2))
    writer.write(UInt16(62))
    writer.write(UInt32(1))
    writer.write(UInt64(0))
    writer.write(UInt64(0))
    writer.write(UInt64(64 + data.count))
    writer.write(UInt32(0))
    for value in [64, 0, 0, 64, UInt16(names.count), UInt16(names.count - 1)] as [UInt16] { writer.write(value) }
    writer.write(data)
    func header(_ index: Int, _ type: UInt32, _ flags: UInt64, _ address: UInt64, _ offset: UInt64, _ size: UInt64) {
        writer.write(nameOffsets[index])
        writer.write(type)
        writer.write(flags)
        for value in [address, offset, size, 0, 1, 0] { writer.write(value) }
    }
    header(0, 0, 0, 0, 0, 0)
    header(1, 8, 6, 0x1000, 64, 0x10_0000)
    for (index, place) in places.enumerated() { header(index + 2, 1, 0, 0, place.offset, place.size) }
    header(names.count - 1, 3, 0, 0, nameOffset, UInt64(nameBytes.count))
    return writer.bytes
}
