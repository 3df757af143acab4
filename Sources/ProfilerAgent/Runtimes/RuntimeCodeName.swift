internal import LanguageRuntimes
internal import Profiles

/// A place in code made at run time, as a raw window's frame tells it.
struct RuntimeCodeAddress: Hashable, Sendable {
    /// Of the process.
    var slot: UInt32
    /// Of the code; of HotSpot's Method where the interpreter runs it.
    var address: UInt64
    /// Where HotSpot's interpreter runs a method: the lower halves of what may point to its bytecode.
    var bytecodePointers: [UInt32]?

    /// nil for a frame of another kind, and for one that has its name.
    init?(_ frame: Frame) {
        guard frame.kind == .jit, frame.address != SampledStack.namedAddress else { return nil }
        slot = frame.line
        address = frame.address
        guard frame.file == Self.interpreterMark else { return }
        bytecodePointers = [frame.module, frame.name].filter { $0 != Frame.none }
    }

    init(slot: UInt32, address: UInt64, bytecodePointers: [UInt32]? = nil) {
        self.slot = slot
        self.address = address
        self.bytecodePointers = bytecodePointers
    }

    /// `file` of a raw frame whose address is that of a Method.
    static let interpreterMark: UInt32 = 1

    /// A raw frame of HotSpot's interpreter. `saved` is the bytecode pointer that the frame saved, `leaf` that in the
    /// register of a leaf frame.
    static func interpreterFrame(slot: UInt32, method: UInt64, saved: UInt64, leaf: UInt64?) -> Frame {
        Frame(
            kind: .jit, name: UInt32(truncatingIfNeeded: saved),
            module: leaf.map { UInt32(truncatingIfNeeded: $0) } ?? Frame.none, file: interpreterMark, line: slot,
            address: method)
    }
}

/// A function at such a place.
struct RuntimeCodeName: Hashable, Sendable {
    /// `jit` or `interpreted`.
    var kind: Frame.Kind
    var function: String
    /// Empty where unknown.
    var file = ""
    /// 0 where unknown.
    var line: UInt32 = 0

    init(kind: Frame.Kind, function: String, file: String = "", line: UInt32 = 0) {
        self.kind = kind
        self.function = function
        self.file = file
        self.line = line
    }

    init(_ frame: JVMFrame) {
        self.init(
            kind: frame.kind == .interpreted ? .interpreted : .jit, function: frame.function, file: frame.file,
            line: frame.line)
    }

    /// From a perf map or a jitdump. V8 writes `JS:*function path:line:column` with a mark of how far it has optimised
    /// it; the place is where the function begins, so only its path is taken.
    init(_ match: RuntimeCodeNames.Match) {
        self.init(kind: .jit, function: match.name, file: match.file, line: match.line)
        let bytes = match.name.utf8
        guard let prefix = ["JS:", "LazyCompile:", "Function:"].first(where: { bytes.starts(with: $0.utf8) }) else {
            return
        }
        var rest = match.name.dropFirst(prefix.count)
        if let mark = rest.first, "*~^+".contains(mark) { rest = rest.dropFirst() }
        let starts = ["/", "file:", "node:", "evalmachine", "internal/"]
        let blanks = rest.indices.filter { rest[$0] == " " }
        guard
            let blank = blanks.first(where: { blank in
                starts.contains { rest[rest.index(after: blank)...].hasPrefix($0) }
            })
        else {
            if !rest.isEmpty { function = String(rest) }
            return
        }
        let place = rest[rest.index(after: blank)...]
        var path = place
        for _ in 0..<2 {
            guard let colon = path.lastIndex(of: ":"), colon < path.index(before: path.endIndex),
                path[path.index(after: colon)...].allSatisfy(\.isNumber)
            else { break }
            path = path[..<colon]
        }
        let name = rest[..<blank]
        let last = place.lastIndex(of: "/").map { place[place.index(after: $0)...] } ?? place
        function = name.isEmpty ? "(anonymous \(last))" : String(name)
        if file.isEmpty { file = String(path) }
    }
}
