/// What was pressed.
public enum TerminalKey: Hashable, Sendable {
    case up, down, left, right, pageUp, pageDown, home, end, enter, escape, backspace
    /// Ctrl-L: draw everything anew.
    case redraw
    case character(Unicode.Scalar)
}

/// Keys out of the bytes that a terminal sends: UTF-8, and xterm's and VT220's sequences for the others
/// (https://invisible-island.net/xterm/ctlseqs/ctlseqs.html). What means nothing here is left out.
public struct TerminalKeys: Sendable {
    private var pending: [UInt8] = []
    /// No sequence of a key is longer.
    private static let longestSequence = 32

    public init() {}

    /// Whether something has begun that could become a key: a lone ESC may be the key or the start of a sequence.
    public var isWaiting: Bool { !pending.isEmpty }

    /// The keys that end in these bytes.
    public mutating func take(_ bytes: [UInt8]) -> [TerminalKey] {
        pending += bytes
        var keys: [TerminalKey] = []
        var start = 0
        while start < pending.count, let (key, length) = Self.next(pending[start...]) {
            if let key { keys.append(key) }
            start += length
        }
        pending.removeFirst(start)
        return keys
    }

    /// The keys of what has begun, since nothing more came.
    public mutating func finish() -> [TerminalKey] {
        let isEscape = pending.first == 0x1B
        let rest = Array(pending.dropFirst())
        pending = []
        // What follows an ESC that starts no sequence are keys of their own, unless it is a sequence that was cut.
        guard isEscape else { return [] }
        return rest.isEmpty || rest.first == 0x5B || rest.first == 0x4F ? [.escape] : [.escape] + take(rest)
    }

    /// The first key and its length; without a key where the bytes mean none; nil where more must come.
    private static func next(_ bytes: ArraySlice<UInt8>) -> (key: TerminalKey?, length: Int)? {
        let at = bytes.startIndex
        let first = bytes[at]
        switch first {
        case 0x1B: return sequence(bytes)
        case 0x0D, 0x0A: return (.enter, 1)
        case 0x7F, 0x08: return (.backspace, 1)
        case 0x0C: return (.redraw, 1)
        case 0..<0x20: return (nil, 1)
        case 0x20..<0x7F: return (.character(Unicode.Scalar(first)), 1)
        default: break
        }
        let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 1
        guard length > 1, first < 0xF5 else { return (nil, 1) }
        let letter = bytes.prefix(length)
        guard letter.dropFirst().allSatisfy({ $0 & 0xC0 == 0x80 }) else { return (nil, 1) }
        guard letter.count == length else { return nil }
        guard let scalar = String(validating: letter, as: UTF8.self)?.unicodeScalars.first else { return (nil, 1) }
        // C1 control characters mean nothing.
        return (scalar.value < 0xA0 ? nil : .character(scalar), length)
    }

    private static func sequence(_ bytes: ArraySlice<UInt8>) -> (key: TerminalKey?, length: Int)? {
        let at = bytes.startIndex
        guard bytes.count > 1 else { return nil }
        switch bytes[at + 1] {
        case 0x4F:
            return bytes.count < 3 ? nil : (key(final: bytes[at + 2], parameter: []), 3)
        case 0x5B:
            guard let final = bytes[(at + 2)...].firstIndex(where: { !(0x20..<0x40).contains($0) }) else {
                return bytes.count < longestSequence ? nil : (nil, bytes.count)
            }
            guard (0x40..<0x7F).contains(bytes[final]) else { return (nil, final - at) }
            let parameter = bytes[(at + 2)..<final].prefix { $0 != 0x3B }
            return (key(final: bytes[final], parameter: parameter), final - at + 1)
        default:
            return (.escape, 1)
        }
    }

    private static func key(final: UInt8, parameter: ArraySlice<UInt8>) -> TerminalKey? {
        switch final {
        case UInt8(ascii: "A"): return .up
        case UInt8(ascii: "B"): return .down
        case UInt8(ascii: "C"): return .right
        case UInt8(ascii: "D"): return .left
        case UInt8(ascii: "H"): return .home
        case UInt8(ascii: "F"): return .end
        case UInt8(ascii: "M"): return parameter.isEmpty ? .enter : nil
        case UInt8(ascii: "~"): break
        default: return nil
        }
        switch String(decoding: parameter, as: UTF8.self) {
        case "1", "7": return .home
        case "4", "8": return .end
        case "5": return .pageUp
        case "6": return .pageDown
        default: return nil
        }
    }
}
