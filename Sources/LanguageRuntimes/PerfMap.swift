/// The text of a perf map (tools/perf/Documentation/jit-interface.txt), taken in piece by piece as it grows.
///
/// Lines are `START SIZE NAME`, hexadecimal, with or without `0x`; the name is the rest of the line. The last entry for
/// an address wins. A line that is not ended yet waits for the next piece.
public struct PerfMap: Sendable {
    public private(set) var names: RuntimeCodeNames
    /// Lines that are no entries.
    public private(set) var malformedLines: UInt64 = 0
    /// Entries taken.
    public private(set) var lineCount: UInt64 = 0

    /// The beginning of a line whose end has not been written.
    private var torn: [UInt8] = []
    /// In a line whose beginning fills `torn`: the rest is left out.
    private var isInLongLine = false

    public init(limits: RuntimeCodeNames.Limits = RuntimeCodeNames.Limits()) {
        names = RuntimeCodeNames(limits: limits)
    }

    /// Start, size and blanks take less.
    private var mostTornBytes: Int { names.limits.bytesOfAName + 64 }

    /// Takes the next bytes of the file, seen at `time` (CLOCK_MONOTONIC, nanoseconds).
    public mutating func append(_ bytes: ArraySlice<UInt8>, at time: UInt64) {
        var rest = bytes
        while let end = rest.firstIndex(of: 10) {
            if torn.isEmpty, !isInLongLine {
                take(rest[..<end], at: time)
            } else {
                keep(rest[..<end])
                let line = torn
                torn = []
                isInLongLine = false
                take(line[...], at: time)
            }
            rest = rest[(end + 1)...]
        }
        keep(rest)
        names.endRound()
    }

    private mutating func keep(_ part: ArraySlice<UInt8>) {
        guard !part.isEmpty else { return }
        let room = mostTornBytes - torn.count
        torn += part.prefix(max(0, room))
        // One more byte than a name may have is kept, so that the cut is counted.
        if part.count > room { isInLongLine = true }
    }

    private mutating func take(_ line: ArraySlice<UInt8>, at time: UInt64) {
        guard !line.isEmpty else { return }
        var position = line.startIndex
        guard let start = Self.hexadecimal(line, &position), Self.blank(line, &position),
            let size = Self.hexadecimal(line, &position), Self.blank(line, &position), position < line.endIndex
        else {
            malformedLines += 1
            return
        }
        lineCount += 1
        names.add(start: start, length: size, name: line[position...], at: time)
    }

    private static func blank(_ line: ArraySlice<UInt8>, _ position: inout Int) -> Bool {
        let start = position
        while position < line.endIndex, line[position] == 32 || line[position] == 9 { position += 1 }
        return position > start
    }

    private static func hexadecimal(_ line: ArraySlice<UInt8>, _ position: inout Int) -> UInt64? {
        if position + 1 < line.endIndex, line[position] == 48, line[position + 1] | 32 == 120 { position += 2 }
        let start = position
        var value: UInt64 = 0
        while position < line.endIndex {
            let byte = line[position]
            let digit: UInt8
            switch byte {
            case 48...57: digit = byte - 48
            case 65...70, 97...102: digit = (byte | 32) - 87
            default:
                return position > start ? value : nil
            }
            guard value >> 60 == 0 else { return nil }
            value = value << 4 | UInt64(digit)
            position += 1
        }
        return position > start ? value : nil
    }
}
