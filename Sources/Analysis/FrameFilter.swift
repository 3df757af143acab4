public import Patterns
import Profiles

/// pprof's four filters of frames, with its meaning (profile/filter.go). An expression matches what stands at an address
/// where it matches the name or the file of a function there, inlined or not, or the path of the module.
///
/// Shares stay those of everything selected, as pprof's do: what is left out counts in their whole and in no row.
public struct FrameFilter: Hashable, Sendable {
    /// Only stacks in which something matches.
    public var focus: RegularExpression?
    /// Only stacks in which nothing matches.
    public var ignore: RegularExpression?
    /// Leaves functions that match away; their callers take what they weigh. A stack with nothing left goes.
    public var hide: RegularExpression?
    /// Leaves away what stands above the outermost match, and, of each address that matches, the functions around the
    /// outermost one. A stack without a match goes. `hide` comes first.
    public var showFrom: RegularExpression?

    public init(
        focus: RegularExpression? = nil, ignore: RegularExpression? = nil, hide: RegularExpression? = nil,
        showFrom: RegularExpression? = nil
    ) {
        self.focus = focus
        self.ignore = ignore
        self.hide = hide
        self.showFrom = showFrom
    }

    public var isEmpty: Bool { self == FrameFilter() }

    /// The filters that are there and not among `matched`, as they are called on command lines.
    func names(without matched: FilterMarks) -> [String] {
        [
            (focus, FilterMarks.focus, "focus"), (ignore, .ignore, "ignore"), (hide, .hide, "hide"),
            (showFrom, .showFrom, "show-from"),
        ]
        .filter { $0.0 != nil && !matched.contains($0.1) }.map(\.2)
    }
}

/// Which of the filters match something.
struct FilterMarks: OptionSet {
    var rawValue: UInt8

    static let focus = FilterMarks(rawValue: 1)
    static let ignore = FilterMarks(rawValue: 2)
    static let hide = FilterMarks(rawValue: 4)
    static let showFrom = FilterMarks(rawValue: 8)
    /// Something of the stack is still shown.
    static let isVisible = FilterMarks(rawValue: 16)
}

/// Holds the filters against the frames of one table; names, files and modules are matched once each.
struct LocationFilter {
    private let filter: FrameFilter
    private var byFrame: [FilterMarks?] = []
    private var byModule: [UInt32: FilterMarks] = [:]
    /// What matched anything at all.
    private(set) var matched: FilterMarks = []

    init(_ filter: FrameFilter) {
        self.filter = filter
    }

    /// What is left of the functions at one address, the outermost first, and what matches there.
    mutating func location(
        _ pieces: [UInt32], of frame: Frame, in table: StackTable, frames: [NamedFrame]
    ) -> (shown: [UInt32], marks: FilterMarks) {
        let module = marks(ofModule: frame.module, table)
        var all = module
        var shown: [(piece: UInt32, marks: FilterMarks)] = []
        for piece in pieces {
            let own = marks(of: piece, frames)
            all.formUnion(own)
            if !own.union(module).contains(.hide) { shown.append((piece, own)) }
        }
        var marks = all.intersection([.focus, .ignore])
        if !shown.isEmpty {
            marks.insert(.isVisible)
            if module.contains(.showFrom) {
                marks.insert(.showFrom)
            } else if let outermost = shown.firstIndex(where: { $0.marks.contains(.showFrom) }) {
                shown.removeFirst(outermost)
                marks.insert(.showFrom)
            }
        }
        matched.formUnion(all)
        return (shown.map(\.piece), marks)
    }

    /// Whether a stack with these marks, of all its frames together, is shown.
    func shows(_ marks: FilterMarks) -> Bool {
        marks.contains(.isVisible) && !marks.contains(.ignore) && (filter.focus == nil || marks.contains(.focus))
            && (filter.showFrom == nil || marks.contains(.showFrom))
    }

    /// Whether a frame below such marks is part of what is shown.
    func isBegun(_ marks: FilterMarks) -> Bool { filter.showFrom == nil || marks.contains(.showFrom) }

    private mutating func marks(of piece: UInt32, _ frames: [NamedFrame]) -> FilterMarks {
        let index = Int(piece)
        if byFrame.count <= index { byFrame += Array(repeating: nil, count: frames.count - byFrame.count) }
        if let known = byFrame[index] { return known }
        var marks = marks(of: frames[index].name)
        if !frames[index].file.isEmpty { marks.formUnion(self.marks(of: frames[index].file)) }
        byFrame[index] = marks
        return marks
    }

    private mutating func marks(ofModule module: UInt32, _ table: StackTable) -> FilterMarks {
        guard module != Frame.none else { return [] }
        if let known = byModule[module] { return known }
        let marks = marks(of: table.modules[Int(module)].name)
        byModule[module] = marks
        return marks
    }

    private func marks(of text: String) -> FilterMarks {
        var marks: FilterMarks = []
        if filter.focus?.matches(text) == true { marks.insert(.focus) }
        if filter.ignore?.matches(text) == true { marks.insert(.ignore) }
        if filter.hide?.matches(text) == true { marks.insert(.hide) }
        if filter.showFrom?.matches(text) == true { marks.insert(.showFrom) }
        return marks
    }
}
