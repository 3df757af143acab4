/// What a symbol table could have held and does not, and why.
public struct TableGaps: OptionSet, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt64

    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Lines and inlined frames were left out: with them the table was too large to send.
    public static let linesTooLarge = TableGaps(rawValue: 1 << 0)
    /// Units of split DWARF whose `.dwo` files, or the `.dwp` that holds them, were not at hand: lines are there, inlined
    /// frames are not.
    public static let splitUnits = TableGaps(rawValue: 1 << 1)
    /// Parts of the debug information contradict themselves and were passed over.
    public static let damagedUnits = TableGaps(rawValue: 1 << 2)
    /// The debug information refers to a file shared by several (dwz) that was not at hand.
    public static let noAlternateFile = TableGaps(rawValue: 1 << 3)
    /// A debug file was given that belongs to another program.
    public static let foreignDebugFile = TableGaps(rawValue: 1 << 4)
    /// The debug information is larger than what is read.
    public static let debugInformationTooLarge = TableGaps(rawValue: 1 << 5)
    /// Compressed in a way that is not known here, or not whole.
    public static let unreadableSections = TableGaps(rawValue: 1 << 6)
    /// The time for one file was over.
    public static let outOfTime = TableGaps(rawValue: 1 << 7)

    public var description: String { singly.map(\.text).joined(separator: "; ") }

    /// Each of them, with the words for it.
    public var singly: [(gap: TableGaps, text: String)] {
        let texts: [(TableGaps, String)] = [
            (.linesTooLarge, "lines left out, the table was too large with them"),
            (.splitUnits, "inlined functions of split DWARF are in .dwo files that were not at hand"),
            (.damagedUnits, "damaged debug information passed over"),
            (.noAlternateFile, "the shared debug file (dwz) is missing"),
            (.foreignDebugFile, "the debug file belongs to another program"),
            (.debugInformationTooLarge, "the debug information is too large"),
            (.unreadableSections, "debug sections that could not be read"),
            (.outOfTime, "the debug information took too long to read"),
        ]
        return texts.filter { contains($0.0) }.map { (gap: $0.0, text: $0.1) }
    }
}
