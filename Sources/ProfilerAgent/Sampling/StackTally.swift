internal import Profiles
internal import Unwinding

/// How the stacks of some samples ended.
struct StackTally: Hashable, Sendable {
    var whole: UInt64 = 0
    var cut: UInt64 = 0
    var broken: UInt64 = 0
    var unknown: UInt64 = 0

    mutating func count(_ end: StackEnd) {
        switch end {
        case .whole: whole &+= 1
        case .cut: cut &+= 1
        case .broken: broken &+= 1
        case .unknown: unknown &+= 1
        }
    }

    static func + (left: StackTally, right: StackTally) -> StackTally {
        StackTally(
            whole: left.whole &+ right.whole, cut: left.cut &+ right.cut, broken: left.broken &+ right.broken,
            unknown: left.unknown &+ right.unknown)
    }

    /// Frame pointers can't tell a whole stack from a broken one.
    var quality: StackQuality {
        unknown > 0
            ? StackQuality(whole: nil, cut: cut, broken: nil) : StackQuality(whole: whole, cut: cut, broken: broken)
    }
}

/// What stands at the root end of a stack that is not whole.
struct StackMarker: Hashable, Sendable {
    /// 0 for a cut, else the reason of a break; in the `address` of a raw window's marker frame.
    let code: UInt64

    init(code: UInt64) { self.code = code }

    /// nil for a stack that needs none.
    init?(_ end: StackEnd) {
        switch end {
        case .whole, .unknown: return nil
        case .cut: code = 0
        case .broken(let reason): code = UInt64(reason.rawValue) + 1
        }
    }

    var text: String {
        guard code > 0 else { return Frame.truncatedMarker }
        let reason = UInt8(exactly: code - 1).flatMap { BreakReason(rawValue: $0) }
        return "[broken: \(reason?.description ?? "unknown")]"
    }
}
