public import Analysis
import Glibc
import Profiles

/// Folded stacks, as flamegraph.pl and many other tools read them: `process;root;…;leaf VALUE`, one line per stack,
/// each stack once, lines sorted by their bytes.
public struct Folded: Sendable {
    public static let fileExtensions = ["folded", "collapsed", "txt"]

    /// UTF-8, every line ended by a line feed.
    public let bytes: [UInt8]
    /// What the values count.
    public let measure: Measure
    /// `samples`, `microseconds`, `bytes`, …
    public let unitName: String
    /// A sentence to say beside the output where the measure was chosen for a reason that users may not expect.
    public let note: String?

    /// - Parameters:
    ///   - withThreads: adds the thread's name as second element.
    ///   - measure: samples for cpu at one rate and else the type's unit where it is nil.
    ///   - withLines: adds `:LINE` to the name of each frame that has one, before its ending.
    ///   - isPlain: leaves the endings `_[k]`, `_[i]` and `_[j]` away.
    public init(
        of profile: NamedProfile, withThreads: Bool = false, withLines: Bool = false, measure: Measure? = nil,
        isPlain: Bool = false
    ) {
        self.measure = measure ?? profile.naturalMeasure
        unitName = profile.unitName(self.measure)
        note =
            measure == nil && profile.mixesRates && profile.type == .cpu
            ? "values are microseconds of CPU time, because the samples were taken at different rates" : nil
        let divisor: UInt64 = self.measure == .unit && profile.type.unit == "nanoseconds" ? 1000 : 1
        bytes = Self.lines(
            profile.callTree(withThreads: withThreads, byLine: withLines), measure: self.measure, divisor: divisor,
            isPlain: isPlain)
    }

    private static func lines(_ tree: CallTree, measure: Measure, divisor: UInt64, isPlain: Bool) -> [UInt8] {
        let names = tree.frames.map { name(of: $0, isPlain: isPlain) }
        // The path to the current node, and where each of its elements ends.
        var path: [UInt8] = []
        var ends: [Int] = []
        var text: [UInt8] = []
        var stacks: [(start: Int, end: Int, value: UInt64)] = []
        for node in tree.nodes.dropFirst() {
            let depth = Int(node.depth) - 1
            ends.removeLast(ends.count - depth)
            path.removeLast(path.count - (ends.last ?? 0))
            if depth > 0 { path.append(0x3B) }
            path.append(contentsOf: names[Int(node.frame)])
            ends.append(path.count)
            let raw = measure == .samples ? node.selfSamples : node.selfValue
            guard raw > 0 else { continue }
            let start = text.count
            text.append(contentsOf: path)
            stacks.append((start, text.count, raw))
        }
        sort(&stacks, in: text)
        var lines: [UInt8] = []
        lines.reserveCapacity(text.count + stacks.count * 8)
        var index = 0
        var written: [(start: Int, end: Int, value: UInt64)] = []
        while index < stacks.count {
            let stack = stacks[index]
            var value = stack.value
            index += 1
            while index < stacks.count, order(stacks[index], stack, in: text) == 0 {
                value &+= stacks[index].value
                index += 1
            }
            let start = lines.count
            lines.append(contentsOf: text[stack.start..<stack.end])
            lines.append(0x20)
            lines.append(contentsOf: String((value &+ divisor / 2) / divisor).utf8)
            lines.append(0x0A)
            written.append((start, lines.count, 0))
        }
        // A space sorts before most of what a name may go on with, so whole lines are all but sorted already; `sort -c`
        // compares whole lines.
        let isSorted = written.indices.dropFirst().allSatisfy { order(written[$0 - 1], written[$0], in: lines) < 0 }
        if isSorted { return lines }
        sort(&written, in: lines)
        var sorted: [UInt8] = []
        sorted.reserveCapacity(lines.count)
        for line in written { sorted.append(contentsOf: lines[line.start..<line.end]) }
        return sorted
    }

    private static func sort(_ pieces: inout [(start: Int, end: Int, value: UInt64)], in text: [UInt8]) {
        pieces.sort { order($0, $1, in: text) < 0 }
    }

    private static func order(
        _ left: (start: Int, end: Int, value: UInt64), _ right: (start: Int, end: Int, value: UInt64), in text: [UInt8]
    ) -> Int {
        let (one, other) = (left.end - left.start, right.end - right.start)
        let order = unsafe text.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return CInt(0) }
            return unsafe memcmp(base + left.start, base + right.start, min(one, other))
        }
        return order != 0 ? Int(order) : one - other
    }

    /// A frame's name as one element of a line: no separators, no control characters, and no number after a last space,
    /// which flamegraph.pl would take for a value.
    static func name(of frame: NamedFrame, isPlain: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        EscapedText.append(frame.name.isEmpty ? "[unknown]" : frame.name, to: &bytes)
        for index in bytes.indices where bytes[index] == 0x3B { bytes[index] = 0x3A }
        if let space = bytes.lastIndex(of: 0x20), space + 1 < bytes.count,
            bytes[(space + 1)...].allSatisfy({ ($0 >= 48 && $0 <= 57) || $0 == 46 })
        {
            bytes[space] = 0x5F
        }
        // Zero but for a tree by line. The ending stays last, where flamegraph.pl and others look for it.
        if frame.line > 0 { bytes.append(contentsOf: ":\(frame.line)".utf8) }
        guard !isPlain else { return bytes }
        switch frame.kind {
        case .kernel: bytes.append(contentsOf: "_[k]".utf8)
        case .inlined: bytes.append(contentsOf: "_[i]".utf8)
        case .jit: bytes.append(contentsOf: "_[j]".utf8)
        case .process, .thread, .native, .interpreted, .marker: break
        }
        return bytes
    }
}
