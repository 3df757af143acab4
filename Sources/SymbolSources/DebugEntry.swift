internal import CElf
internal import Glibc

/// A DIE (debugging information entry) as libdw hands it out; valid as long as the session that it came from is open.
@safe struct DebugEntry {
    private var die: Dwarf_Die

    private init(_ die: Dwarf_Die) { unsafe self.die = die }

    /// The unit's own entry behind the header at `offset`.
    init?(_ dwarf: OpaquePointer, at offset: UInt64) {
        var die = unsafe Dwarf_Die()
        guard unsafe dwarf_offdie(dwarf, offset, &die) != nil else { return nil }
        unsafe self.die = die
    }

    /// Where it lies in the image: the same in every session over it.
    var place: UInt { unsafe UInt(bitPattern: die.addr) }

    /// DWARF's version of its unit; 0 where that is not known.
    var version: Int {
        var version: Dwarf_Half = 0
        guard unsafe dwarf_cu_info(die.cu, &version, nil, nil, nil, nil, nil, nil) == 0 else { return 0 }
        return Int(version)
    }

    /// What a skeleton and its split unit have in common; nil for other units.
    var unitIdentifier: UInt64? {
        var identifier: UInt64 = 0
        guard unsafe dwarf_cu_info(die.cu, nil, nil, nil, nil, &identifier, nil, nil) == 0 else { return nil }
        return identifier == 0 ? nil : identifier
    }

    /// Where a skeleton says that its split unit is; nil for other entries.
    var splitReference: SplitReference? {
        mutating get {
            for attribute in [DW_AT_dwo_name, DW_AT_GNU_dwo_name] {
                guard let name = inheritedText(Int(attribute), limit: 4096) else { continue }
                let directory = inheritedText(Int(DW_AT_comp_dir), limit: 4096) ?? []
                return SplitReference(
                    name: String(decoding: name, as: UTF8.self), directory: String(decoding: directory, as: UTF8.self))
            }
            return nil
        }
    }

    var lowAddress: UInt64? {
        mutating get {
            var address: Dwarf_Addr = 0
            return unsafe dwarf_lowpc(&die, &address) == 0 ? address : nil
        }
    }

    var tag: Int { mutating get { Int(unsafe dwarf_tag(&die)) } }

    var language: Int { mutating get { Int(unsafe dwarf_srclang(&die)) } }

    mutating func has(_ attribute: Int) -> Bool { unsafe dwarf_hasattr(&die, UInt32(attribute)) != 0 }

    /// nil where there is none.
    mutating func child() -> DebugEntry? {
        var child = unsafe Dwarf_Die()
        guard unsafe dwarf_child(&die, &child) == 0 else { return nil }
        return unsafe DebugEntry(child)
    }

    enum Sibling {
        case next(DebugEntry)
        case none
        case damaged
    }

    /// The next entry of the same parent. Only forward: else a tree of a few bytes would never end.
    mutating func sibling() -> Sibling {
        var next = unsafe Dwarf_Die()
        switch unsafe dwarf_siblingof(&die, &next) {
        case 0:
            let entry = unsafe DebugEntry(next)
            return entry.place > place ? .next(entry) : .damaged
        case 1: return .none
        default: return .damaged
        }
    }

    /// The entry that an attribute refers to.
    mutating func reference(_ attribute: Int) -> DebugEntry? {
        var value = unsafe Dwarf_Attribute()
        var target = unsafe Dwarf_Die()
        guard unsafe dwarf_attr(&die, UInt32(attribute), &value) != nil,
            unsafe dwarf_formref_die(&value, &target) != nil
        else { return nil }
        return unsafe DebugEntry(target)
    }

    mutating func number(_ attribute: Int) -> UInt64? {
        var value = unsafe Dwarf_Attribute()
        var number: Dwarf_Word = 0
        guard unsafe dwarf_attr(&die, UInt32(attribute), &value) != nil,
            unsafe dwarf_formudata(&value, &number) == 0
        else { return nil }
        return number
    }

    /// Up to `limit` bytes of a string attribute of this entry or of those that it stands for; nil where it is missing
    /// or empty.
    mutating func inheritedText(_ attribute: Int, limit: Int) -> [UInt8]? {
        var value = unsafe Dwarf_Attribute()
        guard unsafe dwarf_attr_integrate(&die, UInt32(attribute), &value) != nil,
            let text = unsafe dwarf_formstring(&value)
        else { return nil }
        let bytes = unsafe boundedBytes(text, limit: limit)
        return bytes.isEmpty ? nil : bytes
    }

    enum Range {
        case next(start: UInt64, end: UInt64)
        case end
        case damaged
    }

    /// Ranges of addresses one after the other; `position` and `base` begin at 0.
    mutating func range(_ position: inout Int, _ base: inout UInt64) -> Range {
        var start: Dwarf_Addr = 0
        var end: Dwarf_Addr = 0
        let next = unsafe dwarf_ranges(&die, position, &base, &start, &end)
        guard next > 0, next != position else { return next < 0 ? .damaged : .end }
        position = next
        return .next(start: start, end: end)
    }

    /// The line table of a unit's entry; nil where it has none.
    mutating func lineTable() -> LineTable? {
        var lines: OpaquePointer?
        var count = 0
        guard unsafe dwarf_getsrclines(&die, &lines, &count) == 0, let lines = unsafe lines else { return nil }
        return unsafe LineTable(lines: lines, count: count)
    }

    mutating func fileTable() -> FileTable? {
        var files: OpaquePointer?
        var count = 0
        guard unsafe dwarf_getsrcfiles(&die, &files, &count) == 0, let files = unsafe files else { return nil }
        return unsafe FileTable(files: files, count: count)
    }

    @safe struct FileTable {
        fileprivate let files: OpaquePointer
        let count: Int

        /// The path, made absolute by the unit's directory; nil where the entry says nothing.
        func path(_ index: Int) -> [UInt8]? {
            guard index >= 0, index < count, let path = unsafe dwarf_filesrc(files, index, nil, nil) else { return nil }
            let bytes = unsafe boundedBytes(path, limit: 4096)
            // libdw's word for nothing.
            return bytes.elementsEqual("???".utf8) ? nil : bytes
        }
    }

    @safe struct LineTable {
        fileprivate let lines: OpaquePointer
        let count: Int

        struct Row {
            var address: UInt64
            var file: Int
            var line: UInt32
            var endsSequence: Bool
        }

        /// Rows ascend by address; nil for one that can't be read.
        func row(_ index: Int) -> Row? {
            var address: Dwarf_Addr = 0
            var ends = false
            var number: CInt = 0
            var files: OpaquePointer?
            var file = 0
            guard let line = unsafe dwarf_onesrcline(lines, index), unsafe dwarf_lineaddr(line, &address) == 0,
                unsafe dwarf_lineendsequence(line, &ends) == 0, unsafe dwarf_lineno(line, &number) == 0,
                unsafe dwarf_line_file(line, &files, &file) == 0
            else { return nil }
            return Row(address: address, file: file, line: UInt32(clamping: number), endsSequence: ends)
        }
    }
}

/// The bytes before the zero that libdw has seen within the section.
private func boundedBytes(_ text: UnsafePointer<CChar>, limit: Int) -> [UInt8] {
    let count = unsafe strnlen(text, limit)
    return unsafe text.withMemoryRebound(to: UInt8.self, capacity: max(count, 1)) {
        unsafe [UInt8](UnsafeBufferPointer(start: $0, count: count))
    }
}
