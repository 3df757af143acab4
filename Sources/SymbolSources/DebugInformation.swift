internal import CElf
import ObjectFiles
import SymbolTables

/// Reads functions, lines and inlined calls out of DWARF 2 to 5, unit after unit, by libdw.
///
/// What libdw keeps of a unit (lines above all, 48 bytes each) it keeps until it is closed; so it is closed and opened
/// anew whenever that may have grown to `sessionBytes`. Only the compact rows of this file's own stay.
struct DebugInformation {
    struct Limits {
        /// Of the expanded sections.
        var imageBytes = 1 << 30
        /// What libdw may keep before it is closed.
        var sessionBytes = 128 << 20
        var deadline: ContinuousClock.Instant?
    }

    private(set) var gaps: TableGaps = []
    /// Functions as DWARF has them, in no order.
    private(set) var functions: [NamedRange] = []
    private(set) var rows = SourceRows()

    struct NamedRange {
        var start: UInt64
        var end: UInt64
        /// Index in the table's names.
        var name: UInt32
    }

    /// Opens the unit that belongs to a skeleton; nil where it is not at hand.
    typealias SplitOpener = (inout DebugEntry) -> SplitUnit?

    /// Where the skeletons among the units say that the rest is, each place once, in their order.
    static func splitReferences(_ image: DebugImage, limit: Int) -> [SplitReference] {
        _ = elf_version(UInt32(EV_CURRENT))
        guard let session = unsafe DwarfSession(image.memory) else { return [] }
        var references: [SplitReference] = []
        var seen: Set<SplitReference> = []
        var offset: Dwarf_Off = 0
        while references.count < limit {
            var next: Dwarf_Off = 0
            var headerBytes = 0
            guard unsafe dwarf_next_unit(session.dwarf, offset, &next, &headerBytes, nil, nil, nil, nil, nil, nil) == 0,
                next > offset
            else { break }
            if var entry = unsafe DebugEntry(session.dwarf, at: offset + UInt64(headerBytes)),
                entry.unitIdentifier != nil, let reference = entry.splitReference, seen.insert(reference).inserted
            {
                references.append(reference)
            }
            offset = next
        }
        return references
    }

    /// Reads all units. Names, files and calls go into `builder`; `code` are the addresses that hold code, ascending, and
    /// `isNamed` says that the table of symbols has a function there, whose name is then not asked for.
    mutating func read(
        _ image: DebugImage, alternate: DebugImage?, code: [Range<UInt64>],
        into builder: inout SymbolTableBuilder, limits: Limits, split: SplitOpener, isNamed: (UInt64) -> Bool
    ) {
        _ = elf_version(UInt32(EV_CURRENT))
        gaps.formUnion(image.gaps)
        if image.needsAlternate, alternate == nil { gaps.insert(.noAlternateFile) }
        var names = DebugNames()
        var offset: Dwarf_Off = 0
        var isAtEnd = false
        while !isAtEnd {
            guard let session = unsafe DwarfSession(image.memory) else {
                gaps.insert(.unreadableSections)
                return
            }
            if let alternate {
                // Opened for each session: closing it makes its addresses of names and dies no others.
                guard let other = unsafe DwarfSession(alternate.memory) else {
                    gaps.insert(.noAlternateFile)
                    return
                }
                unsafe dwarf_setalt(session.dwarf, other.dwarf)
                isAtEnd = readUnits(
                    session, from: &offset, names: &names, code: code, into: &builder, limits: limits, split: split,
                    isNamed: isNamed)
                unsafe dwarf_setalt(session.dwarf, nil)
            } else {
                isAtEnd = readUnits(
                    session, from: &offset, names: &names, code: code, into: &builder, limits: limits, split: split,
                    isNamed: isNamed)
            }
        }
    }

    /// Units from `offset` on until the session has grown; true at the end of all.
    private mutating func readUnits(
        _ session: borrowing DwarfSession, from offset: inout Dwarf_Off, names: inout DebugNames,
        code: [Range<UInt64>], into builder: inout SymbolTableBuilder, limits: Limits, split: SplitOpener,
        isNamed: (UInt64) -> Bool
    ) -> Bool {
        let dwarf = unsafe session.dwarf
        var used = 0
        while used < limits.sessionBytes {
            if let deadline = limits.deadline, ContinuousClock.now > deadline {
                gaps.insert(.outOfTime)
                return true
            }
            var next: Dwarf_Off = 0
            var headerBytes = 0
            let result = unsafe dwarf_next_unit(dwarf, offset, &next, &headerBytes, nil, nil, nil, nil, nil, nil)
            guard result == 0, next > offset else {
                if result < 0 { gaps.insert(.damagedUnits) }
                return true
            }
            defer { offset = next }
            guard var entry = unsafe DebugEntry(dwarf, at: offset + UInt64(headerBytes)) else {
                gaps.insert(.damagedUnits)
                continue
            }
            var unit = DebugUnit(
                byteCount: Int(clamping: next - offset), code: code, deadline: limits.deadline)
            unit.read(&entry, names: &names, into: &builder, split: split, isNamed: isNamed)
            gaps.formUnion(unit.gaps)
            functions += unit.functions
            if !rows.add(unit.lines, scopes: unit.scopes) { gaps.insert(.linesTooLarge) }
            used += unit.libraryBytes
        }
        return false
    }
}

/// libdw over an image in memory.
@safe struct DwarfSession: ~Copyable {
    let elf: OpaquePointer
    let dwarf: OpaquePointer

    init?(_ image: UnsafeMutableRawBufferPointer) {
        guard let start = image.baseAddress,
            let elf = unsafe elf_memory(start.assumingMemoryBound(to: CChar.self), image.count)
        else { return nil }
        guard let dwarf = unsafe dwarf_begin_elf(elf, DWARF_C_READ, nil) else {
            unsafe _ = elf_end(elf)
            return nil
        }
        unsafe self.elf = elf
        unsafe self.dwarf = dwarf
    }

    deinit {
        unsafe _ = dwarf_end(dwarf)
        unsafe _ = elf_end(elf)
    }
}
