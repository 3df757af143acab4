public import ObjectFiles
import Profiles
public import SymbolTables

/// Builds the symbol table of one module from all that is at hand: its own file, a separate debug file, the file that dwz
/// shares among several.
///
/// Sources in order of quality: DWARF of the file or of its debug file; `.symtab` of either; the symbols in
/// `.gnu_debugdata`; Go's `.gopclntab`; `.dynsym`. Names of functions are the symbols', since these have them also for
/// assembly and for the parts that a compiler split off; DWARF gives those that have no symbol, the lines and the
/// inlined calls.
public struct ModuleTable {
    public struct Limits: Sendable {
        /// Of the expanded debug sections of a file; more is not read, and the table says so.
        public var debugBytes = 1 << 30
        /// Longest encoded table; without lines where it would be longer.
        public var encodedBytes = 64 << 20
        /// For reading DWARF: what is not read by then is missing, and the table says so.
        public var duration: Duration = .seconds(45)
        /// False for symbols alone.
        public var readsDebugInformation = true

        public init() {}
    }

    /// The table; `debug` and `alternate` are taken only when they belong to the file: by build ID, or the debug file by
    /// the checksum of `.gnu_debuglink`.
    public static func build(
        _ object: ObjectFile, from source: some ObjectSource, debug: (some ObjectSource)?,
        alternate: (some ObjectSource)?, limits: Limits = Limits()
    ) throws(ObjectFileError) -> SymbolTable {
        try build(
            object, from: source, debug: debug, alternate: alternate, split: SplitSources<ObjectBytes>(), limits: limits
        )
    }

    /// As above, with the files that units were split off to.
    public static func build(
        _ object: ObjectFile, from source: some ObjectSource, debug: (some ObjectSource)?,
        alternate: (some ObjectSource)?, split: SplitSources<some ObjectSource>, limits: Limits = Limits()
    ) throws(ObjectFileError) -> SymbolTable {
        var gaps: TableGaps = []
        let links = DebugLinks(object, from: source)
        var debugFile: ObjectFile?
        if let debug {
            if let file = try? ObjectFile(debug), belongs(file, debug, to: object, links) {
                debugFile = file
            } else {
                gaps.insert(.foreignDebugFile)
            }
        }
        var functions = ELFFunctions()
        try functions.add(object, from: source)
        if let debug, let debugFile { try? functions.add(debugFile, from: debug) }
        if functions.quality < .symbols, let miniature = DebugLinks.miniature(object, from: source),
            let file = try? ObjectFile(miniature)
        {
            try? functions.add(file, from: miniature)
        }
        if functions.quality < .symbols { try? functions.addGo(object, from: source) }
        let ranges = functions.ranges()
        var builder = SymbolTableBuilder(quality: functions.quality, loadSegments: object.loadSegments)
        var information = DebugInformation()
        if limits.readsDebugInformation {
            let image: DebugImage?
            let carrier: DebugLinks
            if DebugImage.isPresent(in: object) {
                image = DebugImage(object, from: source, maximumBytes: limits.debugBytes, gaps: &gaps)
                carrier = links
            } else if let debug, let debugFile {
                image = DebugImage(debugFile, from: debug, maximumBytes: limits.debugBytes, gaps: &gaps)
                carrier = DebugLinks(debugFile, from: debug)
            } else {
                image = nil
                carrier = links
            }
            if let image {
                var other: DebugImage?
                if let alternate, let wanted = carrier.alternate,
                    let file = try? ObjectFile(alternate, acceptsRelocatable: true),
                    file.identity == ModuleIdentity(kind: .buildID, bytes: wanted.buildID)
                {
                    other = DebugImage(file, from: alternate, maximumBytes: limits.debugBytes, gaps: &gaps)
                }
                var reading = DebugInformation.Limits()
                reading.deadline = ContinuousClock.now + limits.duration
                var units = SplitUnits(split, of: image, maximumBytes: limits.debugBytes)
                information.read(
                    image, alternate: other, code: code(of: object), into: &builder, limits: reading,
                    split: { units.unit(of: &$0) }, isNamed: { ranges.contains($0) })
                gaps.formUnion(information.gaps)
            }
        }
        try add(functions, ranges, and: information.functions, to: &builder)
        var rows = information.rows
        rows.finish(into: &builder)
        if rows.count > 0 { builder.quality = .debugInformation }
        builder.gaps = gaps
        return builder.finish()
    }

    /// Where units of a file, or of its debug file, say that the rest of them is; each place once.
    public static func splitReferences(
        _ object: ObjectFile, from source: some ObjectSource, debug: (some ObjectSource)?, limits: Limits = Limits()
    ) -> [SplitReference] {
        var gaps: TableGaps = []
        var image = DebugImage(object, from: source, maximumBytes: limits.debugBytes, gaps: &gaps)
        if image == nil, let debug, let file = try? ObjectFile(debug) {
            image = DebugImage(file, from: debug, maximumBytes: limits.debugBytes, gaps: &gaps)
        }
        return image.map { DebugInformation.splitReferences($0, limit: maximumSplitFiles) } ?? []
    }

    /// So many `.dwo` files of a module are read; programs of more units are shipped with a `.dwp`.
    public static let maximumSplitFiles = 256

    /// The encoded table, within the limits: without its lines where it is too long with them.
    public static func encode(_ table: SymbolTable, limits: Limits = Limits()) throws(SymbolTableError) -> [UInt8] {
        // Level 6 takes 1.2 s for the symbols of swift-frontend; for millions of lines there is no time for that.
        let bytes = try table.encoded(level: table.lineCount > 1 << 20 ? 3 : 6)
        guard bytes.count > limits.encodedBytes, table.lineCount > 0 else { return bytes }
        return try table.withoutLines().encoded()
    }

    private static func belongs(
        _ file: ObjectFile, _ source: some ObjectSource, to object: ObjectFile, _ links: DebugLinks
    ) -> Bool {
        guard file.machine == object.machine else { return false }
        if object.identity.kind == .buildID, file.identity.kind == .buildID { return file.identity == object.identity }
        guard let link = links.link else { return false }
        return (try? DebugLinks.checksum(source)) == link.checksum
    }

    /// Sections with instructions, ascending; without a section table the executable segments. What a linker threw away
    /// keeps its lines at address 0 or -1, where no code is.
    private static func code(of object: ObjectFile) -> [Range<UInt64>] {
        var ranges: [Range<UInt64>] = []
        // SHF_ALLOC and SHF_EXECINSTR.
        for section in (try? object.sections.get()) ?? [] where section.flags & 6 == 6 && section.size > 0 {
            let (end, overflow) = section.address.addingReportingOverflow(section.size)
            if !overflow { ranges.append(section.address..<end) }
        }
        if ranges.isEmpty {
            for segment in object.loadSegments where segment.isExecutable {
                let (end, overflow) = segment.virtualAddress.addingReportingOverflow(segment.fileSize)
                if !overflow, end > segment.virtualAddress { ranges.append(segment.virtualAddress..<end) }
            }
        }
        return ranges.sorted { $0.lowerBound < $1.lowerBound }
    }

    /// Symbols, and what DWARF knows between them.
    private static func add(
        _ functions: ELFFunctions, _ ranges: ELFFunctions.Ranges, and others: [DebugInformation.NamedRange],
        to builder: inout SymbolTableBuilder
    ) throws(ObjectFileError) {
        let others = others.sorted { ($0.start, $0.end, $0.name) < ($1.start, $1.end, $1.name) }
        var demangler = Demangler()
        var next = 0
        var position: UInt64 = 0
        // DWARF's functions in the gap that ends at `limit`.
        func fill(upTo limit: UInt64) {
            while next < others.count, others[next].start < limit {
                let other = others[next]
                let start = max(other.start, position)
                let end = min(other.end, limit)
                if start < end {
                    builder.add(start, end, name: other.name)
                    position = end
                }
                guard other.end <= limit else { return }
                next += 1
            }
        }
        for range in ranges.all {
            fill(upTo: range.start)
            guard let name = builder.index(ofName: demangler.demangle(functions.mangledName(range))),
                builder.add(range.start, range.end, name: name)
            else {
                let limit = UInt64(SymbolTable.Limits().nameBytes)
                throw .overLimit(what: "bytes of function names", value: limit, limit: limit)
            }
            position = range.end
        }
        fill(upTo: .max)
    }
}
