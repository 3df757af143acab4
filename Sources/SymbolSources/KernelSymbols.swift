/// The kernel's functions and those of its modules, as /proc/kallsyms lists them (kernel/kallsyms.c).
///
/// A line is address, letter, name and for a module's symbol its name in brackets: `ffffffffc0a2b010 t nf_hook\t[nf]`.
/// Functions are the letters t, T, w and W; all other symbols only bound them. At one address the name is chosen as perf
/// does (tools/perf/util/symbol.c, choose_best_symbol): not weak, then global, then fewer underscores in front, then the
/// longer one.
public struct KernelSymbols: Sendable {
    /// Of functions, ascending, each once.
    private let starts: [UInt64]
    /// Where the next symbol of any kind begins.
    private let ends: [UInt64]
    private let names: [NameRange]
    /// Index into `modules`, 0 for the kernel itself.
    private let moduleIndices: [UInt16]
    private let modules: [String]
    private let text: [UInt8]

    /// Place of a name in the text.
    private struct NameRange: Sendable {
        var start: UInt32
        var count: UInt32
    }

    /// Number of functions.
    public var count: Int { starts.count }

    /// The function at an address, and its module where that is not the kernel itself; nil where there is none.
    public func name(at address: UInt64) -> (name: String, module: String?)? {
        guard let index = index(at: address) else { return nil }
        return (name(index), module(index))
    }

    /// The function's index, below `count`, for callers that keep the strings; binary search, allocates nothing.
    public func index(at address: UInt64) -> Int? {
        var low = 0
        var high = starts.count
        while low < high {
            let middle = (low + high) / 2
            if starts[middle] <= address { low = middle + 1 } else { high = middle }
        }
        guard low > 0, address < ends[low - 1] else { return nil }
        return low - 1
    }

    public func name(_ index: Int) -> String {
        let range = names[index]
        return String(decoding: text[Int(range.start)..<Int(range.start + range.count)], as: UTF8.self)
    }

    /// nil for the kernel's own functions.
    public func module(_ index: Int) -> String? {
        let module = moduleIndices[index]
        return module == 0 ? nil : modules[Int(module)]
    }

    /// Chooses among equals and finds the ends.
    init(_ parsed: ParsedSymbols, text: [UInt8]) throws(KernelSymbolsError) {
        guard parsed.lines.contains(where: \.isFunction) else { throw .noFunctions }
        guard parsed.lines.contains(where: { $0.isFunction && $0.address != 0 }) else { throw .addressesHidden }
        // By address; the list comes nearly sorted, module after module.
        let sorted = parsed.lines.sorted { $0.address < $1.address }
        var starts: [UInt64] = []
        var ends: [UInt64] = []
        var names: [NameRange] = []
        var moduleIndices: [UInt16] = []
        var index = 0
        while index < sorted.count {
            let address = sorted[index].address
            var best: ParsedSymbols.Line?
            while index < sorted.count, sorted[index].address == address {
                let line = sorted[index]
                if line.isFunction, best.map({ Self.isBetter(line, than: $0, text) }) ?? true { best = line }
                index += 1
            }
            guard let best, address != 0 else { continue }
            starts.append(address)
            // The last one of all reaches to the end of its page and one further, as perf has it.
            ends.append(index < sorted.count ? sorted[index].address : (address | 0xFFF) &+ 0x1001)
            names.append(NameRange(start: best.nameStart, count: best.nameCount))
            moduleIndices.append(best.module)
        }
        self.starts = starts
        self.ends = ends
        self.names = names
        self.moduleIndices = moduleIndices
        modules = parsed.modules
        self.text = text
    }

    private static func isBetter(
        _ line: ParsedSymbols.Line, than other: ParsedSymbols.Line, _ text: [UInt8]
    ) -> Bool {
        if line.isWeak != other.isWeak { return other.isWeak }
        if line.isGlobal != other.isGlobal { return line.isGlobal }
        let (ours, theirs) = (underscores(line, text), underscores(other, text))
        if ours != theirs { return ours < theirs }
        return line.nameCount > other.nameCount
    }

    private static func underscores(_ line: ParsedSymbols.Line, _ text: [UInt8]) -> Int {
        let start = Int(line.nameStart)
        return text[start..<start + Int(line.nameCount)].prefix { $0 == UInt8(ascii: "_") }.count
    }
}
