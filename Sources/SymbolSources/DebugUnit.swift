internal import CElf
import SymbolTables

/// One compilation unit: its line table, and its tree of functions and inlined bodies.
struct DebugUnit {
    private(set) var gaps: TableGaps = []
    private(set) var functions: [DebugInformation.NamedRange] = []
    private(set) var lines: [SourceRows.Line] = []
    /// Inlined bodies, one for each range of addresses.
    private(set) var scopes: [SourceRows.Scope] = []
    /// About as many bytes as libdw keeps of this unit.
    private(set) var libraryBytes = 4096

    private let code: [Range<UInt64>]
    private let deadline: ContinuousClock.Instant?
    /// A DIE takes a byte at least; who visits more goes round in circles.
    private var visitsLeft: Int
    private var files: DebugEntry.FileTable?
    private var directory: [UInt8] = []
    /// By libdw's index: one more than the file's place in the table's, 0 for unknown.
    private var fileIndices: [UInt32?] = []
    /// The calls of this unit by what they say: unrolled loops make many of the same.
    private var calls: [Call: UInt32] = [:]

    private struct Call: Hashable {
        var parent: UInt32
        var name: UInt32
        var file: UInt32
        var line: UInt32
    }

    /// Added to all addresses of a split unit.
    private var bias: UInt64 = 0

    private static let maximumDepth = 512

    init(byteCount: Int, code: [Range<UInt64>], deadline: ContinuousClock.Instant?) {
        visitsLeft = byteCount
        self.code = code
        self.deadline = deadline
    }

    mutating func read(
        _ entry: inout DebugEntry, names: inout DebugNames, into builder: inout SymbolTableBuilder,
        split: DebugInformation.SplitOpener, isNamed: (UInt64) -> Bool
    ) {
        let tag = entry.tag
        guard tag == Int(DW_TAG_compile_unit) || tag == Int(DW_TAG_skeleton_unit) else { return }
        files = entry.fileTable()
        directory = entry.inheritedText(Int(DW_AT_comp_dir), limit: 4096) ?? []
        fileIndices = [UInt32?](repeating: nil, count: min(files?.count ?? 0, 1 << 20))
        readLines(&entry, into: &builder)
        walk(
            &entry, typesHoldFunctions: !Self.languagesWithoutFunctionsInTypes.contains(entry.language), names: &names,
            into: &builder, isNamed: isNamed)
        // Swift's compiler names modules in the same way, in units without code.
        if tag == Int(DW_TAG_skeleton_unit) || entry.has(Int(DW_AT_GNU_dwo_name)), !codeRanges(of: &entry).isEmpty {
            guard let unit = split(&entry) else {
                gaps.insert(.splitUnits)
                return
            }
            readSplit(unit, into: &builder, isNamed: isNamed)
        }
    }

    /// The functions and inlined bodies that a skeleton lacks. Lines are the skeleton's; files too, where the split unit
    /// has no table of its own.
    private mutating func readSplit(
        _ unit: SplitUnit, into builder: inout SymbolTableBuilder, isNamed: (UInt64) -> Bool
    ) {
        var entry = unit.entry
        if let table = entry.fileTable() {
            files = table
            fileIndices = [UInt32?](repeating: nil, count: min(table.count, 1 << 20))
        }
        bias = unit.bias
        visitsLeft += unit.byteCount
        libraryBytes += unit.byteCount
        // The places of other images' entries may be the same.
        var names = DebugNames()
        walk(
            &entry, typesHoldFunctions: !Self.languagesWithoutFunctionsInTypes.contains(entry.language), names: &names,
            into: &builder, isNamed: isNamed)
        files = nil
        withExtendedLifetime(unit) {}
    }

    /// In C there are none, and C++ compilers put the code of members outside of the class.
    private static let languagesWithoutFunctionsInTypes: Set<Int> = Set(
        [
            DW_LANG_C, DW_LANG_C89, DW_LANG_C99, DW_LANG_C11, DW_LANG_C_plus_plus, DW_LANG_C_plus_plus_03,
            DW_LANG_C_plus_plus_11, DW_LANG_C_plus_plus_14,
        ].map { Int($0) })

    private func isCode(_ start: UInt64, _ end: UInt64) -> Bool {
        guard let region = Self.last(of: code.count, { code[$0].lowerBound <= start }) else { return false }
        return end <= code[region].upperBound
    }

    /// The last index for which a condition holds that holds for none behind the first it does not hold for.
    private static func last(of count: Int, _ holds: (Int) -> Bool) -> Int? {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if holds(middle) { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? low - 1 : nil
    }

    // MARK: Lines

    private mutating func readLines(_ entry: inout DebugEntry, into builder: inout SymbolTableBuilder) {
        guard let table = entry.lineTable() else { return }
        let ranges = codeRanges(of: &entry).sorted { $0.start < $1.start }
        func isOfUnit(_ address: UInt64) -> Bool {
            guard let range = Self.last(of: ranges.count, { ranges[$0].start <= address }) else {
                return ranges.isEmpty
            }
            return address < ranges[range].end
        }
        libraryBytes += table.count * 56 + fileIndices.count * 128
        lines.reserveCapacity(table.count)
        var last: SourceRows.Line?
        for index in 0..<table.count {
            guard let row = table.row(index) else {
                gaps.insert(.damagedUnits)
                break
            }
            guard isCode(row.address, row.address) else { continue }
            // libdw puts a sequence's end before rows of the same address. They are the next sequence's, or an empty last
            // row of this one, which must not go on: then the unit has no code there.
            if !row.endsSequence, let last, last.endsSequence, last.start == row.address,
                !isOfUnit(row.address)
            {
                continue
            }
            var line = SourceRows.Line(start: row.address, file: 0, line: 0, endsSequence: row.endsSequence)
            if !row.endsSequence {
                line.file = fileIndex(row.file, &builder)
                line.line = row.line
            }
            if let last, last.file == line.file, last.line == line.line, last.start < line.start { continue }
            lines.append(line)
            last = line
        }
    }

    private mutating func fileIndex(_ index: Int, _ builder: inout SymbolTableBuilder) -> UInt32 {
        guard let files, index >= 0, index < fileIndices.count else { return 0 }
        if let known = fileIndices[index] { return known }
        let found = files.path(index).map { builder.index(ofFile: SourcePath.resolved($0, directory: directory)) } ?? 0
        fileIndices[index] = found
        return found
    }

    // MARK: Functions

    /// A DIE that is to be visited.
    private struct Level {
        var entry: DebugEntry
        /// The innermost inlined call around it; nil outside of functions' code.
        var call: UInt32?
        /// Within a function, with code or without: GCC leaves the code of a lambda in its class, and that in the function.
        var isInFunction: Bool
    }

    private mutating func walk(
        _ unit: inout DebugEntry, typesHoldFunctions: Bool, names: inout DebugNames,
        into builder: inout SymbolTableBuilder, isNamed: (UInt64) -> Bool
    ) {
        guard let first = unit.child() else { return }
        var levels = [Level(entry: first, call: nil, isInFunction: false)]
        while var level = levels.popLast() {
            visitsLeft -= 1
            guard visitsLeft > 0 else {
                gaps.insert(.damagedUnits)
                return
            }
            if visitsLeft & 0xFFFF == 0, let deadline, ContinuousClock.now > deadline {
                gaps.insert(.outOfTime)
                return
            }
            let inner = visit(
                &level.entry, call: level.call, typesHoldFunctions: typesHoldFunctions || level.isInFunction,
                names: &names, into: &builder, isNamed: isNamed)
            switch level.entry.sibling() {
            case .next(let next): levels.append(Level(entry: next, call: level.call, isInFunction: level.isInFunction))
            case .none: break
            case .damaged: gaps.insert(.damagedUnits)
            }
            if case .children(let call) = inner, let child = level.entry.child() {
                guard levels.count < Self.maximumDepth else {
                    gaps.insert(.damagedUnits)
                    continue
                }
                let isFunction = UInt32(truncatingIfNeeded: level.entry.tag) == Tag.subprogram
                levels.append(Level(entry: child, call: call, isInFunction: level.isInFunction || isFunction))
            }
        }
    }

    private enum Inner {
        case skip
        case children(call: UInt32?)
    }

    private mutating func visit(
        _ entry: inout DebugEntry, call: UInt32?, typesHoldFunctions: Bool, names: inout DebugNames,
        into builder: inout SymbolTableBuilder, isNamed: (UInt64) -> Bool
    ) -> Inner {
        switch UInt32(truncatingIfNeeded: entry.tag) {
        case Tag.subprogram:
            guard !entry.has(Int(DW_AT_declaration)) else { return .skip }
            let ranges = codeRanges(of: &entry)
            for (start, end) in ranges where !isNamed(start) {
                guard let name = names.index(of: &entry, in: &builder) else { break }
                functions.append(DebugInformation.NamedRange(start: start, end: end, name: name))
            }
            return .children(call: ranges.isEmpty ? nil : 0)
        case Tag.inlinedSubroutine:
            guard let call else { return .children(call: nil) }
            let ranges = codeRanges(of: &entry)
            guard !ranges.isEmpty, let name = names.index(of: &entry, in: &builder) else {
                return .children(call: call)
            }
            let key = Call(
                parent: call, name: name,
                file: fileIndex(Int(clamping: entry.number(Int(DW_AT_call_file)) ?? 0), &builder),
                line: UInt32(clamping: entry.number(Int(DW_AT_call_line)) ?? 0))
            let inlined =
                calls[key]
                ?? builder.addCall(parent: call, name: name, file: key.file, line: key.line)
            calls[key] = inlined
            for (start, end) in ranges { scopes.append(SourceRows.Scope(start: start, end: end, inlined: inlined)) }
            return .children(call: inlined)
        case Tag.lexicalBlock, Tag.tryBlock, Tag.catchBlock, Tag.withStatement:
            return .children(call: call)
        case Tag.namespace, Tag.module:
            return .children(call: nil)
        case Tag.structureType, Tag.classType, Tag.unionType, Tag.enumerationType, Tag.variantPart, Tag.interfaceType:
            return typesHoldFunctions ? .children(call: nil) : .skip
        default:
            return .skip
        }
    }

    /// DWARF 5, 7.5.3.
    private enum Tag {
        static let catchBlock: UInt32 = 0x25
        static let classType: UInt32 = 0x02
        static let enumerationType: UInt32 = 0x04
        static let inlinedSubroutine: UInt32 = 0x1D
        static let interfaceType: UInt32 = 0x38
        static let lexicalBlock: UInt32 = 0x0B
        static let module: UInt32 = 0x1E
        static let namespace: UInt32 = 0x39
        static let structureType: UInt32 = 0x13
        static let subprogram: UInt32 = 0x2E
        static let tryBlock: UInt32 = 0x32
        static let unionType: UInt32 = 0x17
        static let variantPart: UInt32 = 0x33
        static let withStatement: UInt32 = 0x22
    }

    /// The ranges of addresses of a DIE that lie in code.
    private mutating func codeRanges(of entry: inout DebugEntry) -> [(start: UInt64, end: UInt64)] {
        var ranges: [(start: UInt64, end: UInt64)] = []
        var position = 0
        var base: UInt64 = 0
        while visitsLeft > 0 {
            switch entry.range(&position, &base) {
            case .next(let start, let end):
                // A list of ranges may be shared by many DIEs: it counts as if they all had their own.
                visitsLeft -= 1
                let (start, end) = (start &+ bias, end &+ bias)
                if start < end, isCode(start, end) { ranges.append((start, end)) }
            case .end:
                return ranges
            case .damaged:
                gaps.insert(.damagedUnits)
                return ranges
            }
        }
        return ranges
    }
}
