internal import CElf
public import ObjectFiles

/// Where the rest of a split unit is, as its skeleton says (DWARF 5, 3.1.2 and 7.3.2; GNU's form of it for DWARF 4).
public struct SplitReference: Hashable, Sendable {
    /// DW_AT_dwo_name: a path, below `directory` where it is relative.
    public var name: String
    /// DW_AT_comp_dir.
    public var directory: String

    public init(name: String, directory: String) {
        self.name = name
        self.directory = directory
    }
}

/// The files that hold what was split off, each with its source.
public struct SplitSources<Source: ObjectSource> {
    /// `.dwo` files by what the skeletons say.
    public var files: [SplitReference: Source]
    /// A `.dwp` file, which holds the units of many `.dwo` files.
    public var package: Source?

    public init(files: [SplitReference: Source] = [:], package: Source? = nil) {
        self.files = files
        self.package = package
    }
}

/// Opens split units for libdw, which has no way of its own to be given them (0.188).
///
/// An image in memory gets the sections of the `.dwo` under their plain names and, of the program, the unit's part of
/// `.debug_addr` (and `.debug_ranges` before DWARF 5), so that the bases that only the skeleton names are 0. The addresses
/// in it are counted from the unit's first one, which the split unit does not know either: then those that stand in
/// lists relative to it need no other treatment, and the reader adds it to all.
struct SplitUnits<Source: ObjectSource> {
    private let sources: SplitSources<Source>
    private let main: DebugImage
    private let maximumBytes: Int
    /// Of the package, opened once.
    private var package: (image: DebugImage, index: PackageIndex)?
    private var hasTriedPackage = false

    /// `maximumBytes` of the program's image and one more together.
    init(_ sources: SplitSources<Source>, of main: DebugImage, maximumBytes: Int) {
        self.sources = sources
        self.main = main
        self.maximumBytes = max(0, maximumBytes - main.byteCount)
    }

    /// The unit that belongs to a skeleton; nil where it is not at hand, or is another one.
    mutating func unit(of skeleton: inout DebugEntry) -> SplitUnit? {
        guard let identifier = skeleton.unitIdentifier else { return nil }
        let facts = SkeletonFacts(&skeleton)
        if let reference = skeleton.splitReference, let source = sources.files[reference],
            let object = try? ObjectFile(source, acceptsRelocatable: true)
        {
            let addresses = main.addresses(facts)
            let ranges = main.rangeLists(facts)
            if let image = DebugImage(
                split: object, from: source, maximumBytes: maximumBytes, reserving: (addresses.count, ranges.count))
            {
                image.write(addresses, ranges)
                if let unit = SplitUnit(image, identifier, bias: facts.lowAddress) { return unit }
            }
        }
        openPackage()
        guard let (image, index) = package, let places = index.places(of: identifier) else { return nil }
        for (section, place) in places { image.show(section, place) }
        image.write(main.addresses(facts), main.rangeLists(facts))
        return SplitUnit(image, identifier, bias: facts.lowAddress)
    }

    private mutating func openPackage() {
        guard !hasTriedPackage else { return }
        hasTriedPackage = true
        guard let source = sources.package, let object = try? ObjectFile(source, acceptsRelocatable: true),
            let image = DebugImage(
                split: object, from: source, maximumBytes: maximumBytes,
                reserving: (main.byteCount(of: "debug_addr"), main.byteCount(of: "debug_ranges"))),
            let index = PackageIndex(image.bytes(of: "debug_cu_index"))
        else { return }
        package = (image, index)
    }
}

/// What a skeleton says of the sections that its split unit uses.
struct SkeletonFacts {
    /// DW_AT_addr_base, into `.debug_addr`.
    var addressBase: UInt64
    var version: Int
    /// DW_AT_GNU_ranges_base, into `.debug_ranges`.
    var rangesBase: UInt64
    /// What addresses in lists are relative to.
    var lowAddress: UInt64

    init(_ skeleton: inout DebugEntry) {
        version = skeleton.version
        addressBase = skeleton.number(Int(DW_AT_addr_base)) ?? skeleton.number(Int(DW_AT_GNU_addr_base)) ?? 0
        rangesBase = skeleton.number(Int(DW_AT_GNU_ranges_base)) ?? 0
        lowAddress = skeleton.lowAddress ?? 0
    }
}

/// A split unit that is open as long as this lives.
final class SplitUnit {
    /// Closed before the image goes that it reads.
    private let session: DwarfSession
    private let image: DebugImage
    /// The unit's own entry.
    let entry: DebugEntry
    /// To be added to all its addresses.
    let bias: UInt64
    let byteCount: Int

    /// The unit with that identifier in the image.
    init?(_ image: DebugImage, _ identifier: UInt64, bias: UInt64) {
        guard let session = unsafe DwarfSession(image.memory) else { return nil }
        var offset: Dwarf_Off = 0
        var found: (entry: DebugEntry, byteCount: Int)?
        while found == nil {
            var next: Dwarf_Off = 0
            var headerBytes = 0
            // Units of types may come before.
            guard unsafe dwarf_next_unit(session.dwarf, offset, &next, &headerBytes, nil, nil, nil, nil, nil, nil) == 0,
                next > offset
            else { break }
            if var entry = unsafe DebugEntry(session.dwarf, at: offset + UInt64(headerBytes)),
                entry.tag == Int(DW_TAG_compile_unit), entry.unitIdentifier == identifier
            {
                found = (entry, Int(clamping: next - offset))
            }
            offset = next
        }
        guard let found else { return nil }
        self.image = image
        self.session = session
        entry = found.entry
        byteCount = found.byteCount
        self.bias = bias
    }
}

/// `.debug_cu_index` of a package (DWARF 5, 7.3.5.3; GNU's version 2 for DWARF 4): which part of each section belongs to
/// which unit.
struct PackageIndex {
    private var rows: [UInt64: [(section: String, place: Range<Int>)]] = [:]

    private static let maximumUnits = 1 << 20

    init?(_ bytes: [UInt8]) {
        func word(_ place: Int) -> Int? {
            guard place >= 0, place + 4 <= bytes.count else { return nil }
            return (0..<4).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
        }
        // Version 5 is a u16 with two bytes of padding, version 2 a u32.
        guard let version = word(0), version == 2 || version == 5, let columns = word(4), let units = word(8),
            let slots = word(12), (1...16).contains(columns), units <= Self.maximumUnits,
            slots <= 4 * Self.maximumUnits,
            bytes.count >= 16 + slots * 12 + (2 * units + 1) * columns * 4
        else { return nil }
        let names: [Int: String] =
            version == 5
            ? [1: "debug_info", 3: "debug_abbrev", 4: "debug_line", 6: "debug_str_offsets", 8: "debug_rnglists"]
            : [1: "debug_info", 3: "debug_abbrev", 4: "debug_line", 6: "debug_str_offsets"]
        let indices = 16 + slots * 8
        let sections = indices + slots * 4
        let offsets = sections + columns * 4
        let sizes = offsets + units * columns * 4
        for slot in 0..<slots {
            guard let row = word(indices + slot * 4), row > 0, row <= units, let low = word(16 + slot * 8),
                let high = word(20 + slot * 8)
            else { continue }
            var places: [(String, Range<Int>)] = []
            for column in 0..<columns {
                let cell = ((row - 1) * columns + column) * 4
                guard let identifier = word(sections + column * 4), let name = names[identifier],
                    let offset = word(offsets + cell), let size = word(sizes + cell)
                else { continue }
                places.append((name, offset..<offset + size))
            }
            rows[UInt64(high) << 32 | UInt64(low)] = places
        }
    }

    func places(of identifier: UInt64) -> [(section: String, place: Range<Int>)]? { rows[identifier] }
}
