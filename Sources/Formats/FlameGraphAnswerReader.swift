public import Analysis
import Profiles

extension FlameGraphAnswer {
    /// Reads what `json()` writes, from a server that may be another one than it says: however deep the tree is, the stack
    /// of this program is not.
    ///
    /// - Returns: the answer's opening keys as a JSON object, and its tree. A node's kind is native where none is told.
    public static func read(_ bytes: [UInt8]) throws(FormatError) -> (header: [UInt8], tree: CallTree) {
        var parser = JSONParser(bytes: bytes)
        parser.skipSpace()
        guard parser.take(0x7B) else { throw parser.failed("an object should stand here") }
        var found: (header: [UInt8], tree: CallTree)?
        while found == nil {
            parser.skipSpace()
            let start = parser.offset
            guard try parser.key() == "root" else {
                _ = try parser.value(depth: 1)
                parser.skipSpace()
                guard parser.take(0x2C) else { throw parser.failed("no root follows") }
                continue
            }
            let tree = try CallTreeReader.read(&parser)
            let before = bytes[..<start].lastIndex(where: { $0 == 0x2C || $0 == 0x7B }) ?? 0
            found = (Array(bytes[..<(bytes[before] == 0x7B ? start : before)]) + [0x7D], tree)
        }
        parser.skipSpace()
        guard parser.take(0x7D) else { throw parser.failed("root is not the last member") }
        parser.skipSpace()
        guard parser.offset == bytes.count, let found else { throw parser.failed("something follows the answer") }
        return found
    }
}

/// Reads a tree node by node; the nodes that are open stand in an array.
private struct CallTreeReader {
    private struct Open {
        var node: Int
        var frame = NamedFrame(kind: .native, name: "")
    }

    private var frames: [NamedFrame] = []
    private var indices: [NamedFrame: UInt32] = [:]
    private var nodes: [CallTree.Node] = []
    private var open: [Open] = []
    /// More than any stack of the agent's, and of the importer's.
    private static let deepest = 100_000

    static func read(_ parser: inout JSONParser) throws(FormatError) -> CallTree {
        var reader = CallTreeReader()
        try reader.begin(&parser)
        while let last = reader.open.indices.last {
            parser.skipSpace()
            if parser.take(0x7D) {
                reader.close()
                guard last > 0 else { break }
                parser.skipSpace()
                if parser.take(0x2C) {
                    try reader.begin(&parser)
                } else {
                    guard parser.take(0x5D) else { throw parser.failed("',' or ']' should stand here") }
                    try parser.endMember()
                }
            } else if try reader.member(&parser, of: last) {
                try reader.begin(&parser)
            } else {
                try parser.endMember()
            }
        }
        return CallTree(frames: reader.frames, nodes: reader.nodes)
    }

    private mutating func begin(_ parser: inout JSONParser) throws(FormatError) {
        parser.skipSpace()
        guard open.count < Self.deepest else { throw parser.failed("nested deeper than \(Self.deepest)") }
        guard parser.take(0x7B) else { throw parser.failed("a node should stand here") }
        let parent = UInt32(open.last?.node ?? 0)
        let depth = UInt32(open.count)
        open.append(Open(node: nodes.count))
        nodes.append(
            CallTree.Node(
                frame: 0, parent: parent, end: 0, depth: depth, selfValue: 0, totalValue: 0, selfSamples: 0,
                totalSamples: 0))
    }

    /// Reads one member of the node that was begun last; true where it is children, of which one begins.
    private mutating func member(_ parser: inout JSONParser, of place: Int) throws(FormatError) -> Bool {
        let node = open[place].node
        switch try parser.key() {
        case "children":
            parser.skipSpace()
            guard parser.take(0x5B) else { throw parser.failed("children should be an array") }
            parser.skipSpace()
            return !parser.take(0x5D)
        case "name": open[place].frame.name = try parser.text() ?? ""
        case "module": open[place].frame.module = try parser.text() ?? ""
        case "file": open[place].frame.file = try parser.text() ?? ""
        case "kind": open[place].frame.kind = try parser.text().flatMap { NamedFrame.Kind(word: $0) } ?? .native
        case "line": nodes[node].line = UInt32(clamping: try parser.count())
        case "self": nodes[node].selfValue = try parser.count()
        case "total": nodes[node].totalValue = try parser.count()
        default: _ = try parser.value(depth: 1)
        }
        return false
    }

    private mutating func close() {
        guard let last = open.popLast() else { return }
        nodes[last.node].end = UInt32(nodes.count)
        let known = indices[last.frame]
        nodes[last.node].frame = known ?? UInt32(frames.count)
        guard known == nil else { return }
        indices[last.frame] = UInt32(frames.count)
        frames.append(last.frame)
    }
}

extension JSONParser {
    /// Whether this byte stands here; then it is behind.
    fileprivate mutating func take(_ expected: UInt8) -> Bool {
        guard byte == expected else { return false }
        offset += 1
        return true
    }

    /// A key and its colon.
    fileprivate mutating func key() throws(FormatError) -> String {
        guard byte == 0x22 else { throw failed("a key should stand here") }
        let key = try string()
        skipSpace()
        guard take(0x3A) else { throw failed("':' should stand here") }
        skipSpace()
        return key
    }

    /// Behind a member: a comma that leads to the next key, or a brace that is left where it is.
    fileprivate mutating func endMember() throws(FormatError) {
        skipSpace()
        if take(0x2C) {
            skipSpace()
            guard byte == 0x22 else { throw failed("a key should stand here") }
        } else if byte != 0x7D {
            throw failed("',' or '}' should stand here")
        }
    }

    /// A string, or null.
    fileprivate mutating func text() throws(FormatError) -> String? {
        switch try value(depth: 1) {
        case .string(let text): return text
        case .null: return nil
        default: throw failed("a string or null should stand before this")
        }
    }

    /// A whole number of 64 bits, exactly; null is 0.
    fileprivate mutating func count() throws(FormatError) -> UInt64 {
        var number: UInt64 = 0
        let start = offset
        while let byte, byte >= 0x30, byte <= 0x39 {
            let (tens, isLarge) = number.multipliedReportingOverflow(by: 10)
            let (sum, isLarger) = tens.addingReportingOverflow(UInt64(byte - 0x30))
            guard !isLarge, !isLarger else { throw failed("a number above 64 bits") }
            number = sum
            offset += 1
        }
        if offset > start { return number }
        guard case .null = try value(depth: 1) else { throw failed("a whole number should stand before this") }
        return 0
    }
}

extension NamedFrame.Kind {
    /// As answers name it.
    var word: String {
        switch self {
        case .process: "process"
        case .thread: "thread"
        case .native: "native"
        case .inlined: "inlined"
        case .kernel: "kernel"
        case .jit: "jit"
        case .interpreted: "interpreted"
        case .marker: "marker"
        }
    }

    private static let byWord: [String: Self] = Dictionary(
        uniqueKeysWithValues: [.process, .thread, .native, .inlined, .kernel, .jit, .interpreted, .marker].map {
            ($0.word, $0)
        })

    init?(word: String) {
        guard let kind = Self.byWord[word] else { return nil }
        self = kind
    }
}
