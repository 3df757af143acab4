public import ObjectFiles
import Profiles
public import SymbolTables

/// Builds the symbol table of one ELF file from `.symtab` and `.dynsym`.
///
/// 1. Functions of both tables, sorted by address. Of several at one address the best one names it, chosen as perf does
///    (tools/perf/util/symbol.c, choose_best_symbol): one with a size, not weak, global, fewer underscores in front, the
///    longer name; then the lesser by bytes, so that the table does not hang on the order of the file.
/// 2. A function without size reaches to the next one, at most to the end of its section.
/// 3. A function inside another takes its own range out of the outer one's.
/// 4. Only the chosen names are demangled.
public enum ELFSymbols {
    /// A file without symbols gives an empty table of quality `none`.
    public static func table(
        of file: ObjectFile, from source: some ObjectSource
    ) throws(ObjectFileError) -> SymbolTable {
        var limits = ModuleTable.Limits()
        limits.readsDebugInformation = false
        return try ModuleTable.build(
            file, from: source, debug: ObjectBytes?.none, alternate: ObjectBytes?.none, limits: limits)
    }
}

/// The functions in the symbol tables of one or several files of the same module.
struct ELFFunctions {
    private(set) var quality = SymbolQuality.none
    private var tables: [FunctionSymbols] = []

    mutating func add(_ file: ObjectFile, from source: some ObjectSource) throws(ObjectFileError) {
        for which in [ObjectFile.SymbolSection.symbols, .dynamicSymbols] {
            guard let functions = try file.functionSymbols(which, from: source), !functions.symbols.isEmpty else {
                continue
            }
            tables.append(functions)
            quality = max(quality, which == .symbols ? .symbols : .dynamicSymbols)
        }
    }

    /// What a Go program tells of itself for its stack traces.
    mutating func addGo(_ file: ObjectFile, from source: some ObjectSource) throws(ObjectFileError) {
        guard let functions = try file.goFunctions(from: source), !functions.symbols.isEmpty else { return }
        tables.append(functions)
        quality = .symbols
    }

    /// Ranges that ascend and do not overlap, of the functions that name them.
    struct Ranges {
        fileprivate(set) var all: [FunctionRange]

        func contains(_ address: UInt64) -> Bool {
            var low = 0
            var high = all.count
            while low < high {
                let middle = (low + high) / 2
                if all[middle].start <= address { low = middle + 1 } else { high = middle }
            }
            return low > 0 && address < all[low - 1].end
        }
    }

    func ranges() -> Ranges { Ranges(all: disjointRanges(of: chosenFunctions(tables))) }

    func mangledName(_ range: FunctionRange) -> ArraySlice<UInt8> {
        tables[range.function.table].nameBytes(range.function.symbol, limit: Demangler.maximumMangledBytes + 1)
    }
}

/// A function that names its start address.
struct Function {
    var symbol: FunctionSymbols.Symbol
    /// Exclusive.
    var end: UInt64
    var table: Int
}

/// One function per address, ascending.
private func chosenFunctions(_ tables: [FunctionSymbols]) -> [Function] {
    var all: [Function] = []
    all.reserveCapacity(tables.reduce(0) { $0 + $1.symbols.count })
    for (index, table) in tables.enumerated() {
        for symbol in table.symbols { all.append(Function(symbol: symbol, end: 0, table: index)) }
    }
    all.sort { $0.symbol.address < $1.symbol.address }
    var chosen: [Function] = []
    chosen.reserveCapacity(all.count)
    var index = 0
    while index < all.count {
        var best = all[index]
        var size = best.symbol.size
        var sectionEnd = best.symbol.sectionEnd
        index += 1
        while index < all.count, all[index].symbol.address == best.symbol.address {
            size = max(size, all[index].symbol.size)
            sectionEnd = min(sectionEnd, all[index].symbol.sectionEnd)
            if isBetter(all[index], than: best, tables) { best = all[index] }
            index += 1
        }
        let start = best.symbol.address
        let next = index < all.count ? all[index].symbol.address : UInt64.max
        if size > 0 {
            let (end, overflow) = start.addingReportingOverflow(size)
            best.end = overflow ? .max : end
        } else {
            best.end = min(next, sectionEnd)
            // Nothing bounds the last one: it names its first byte alone.
            if best.end == .max { best.end = start &+ 1 }
        }
        if best.end > start { chosen.append(best) }
    }
    return chosen
}

private func isBetter(_ one: Function, than other: Function, _ tables: [FunctionSymbols]) -> Bool {
    let (left, right) = (one.symbol, other.symbol)
    if (left.size > 0) != (right.size > 0) { return left.size > 0 }
    if (left.binding == .weak) != (right.binding == .weak) { return right.binding == .weak }
    if (left.binding == .global) != (right.binding == .global) { return left.binding == .global }
    let leftName = tables[one.table].nameBytes(left, limit: Demangler.maximumMangledBytes)
    let rightName = tables[other.table].nameBytes(right, limit: Demangler.maximumMangledBytes)
    let underscores = UInt8(ascii: "_")
    let leftCount = leftName.prefix { $0 == underscores }.count
    let rightCount = rightName.prefix { $0 == underscores }.count
    if leftCount != rightCount { return leftCount < rightCount }
    if leftName.count != rightName.count { return leftName.count > rightName.count }
    return leftName.lexicographicallyPrecedes(rightName)
}

/// Cuts overlapping functions into ranges that ascend and do not overlap: the one that begins last wins, and the one
/// around it goes on where it ends.
private func disjointRanges(of functions: [Function]) -> [FunctionRange] {
    var ranges: [FunctionRange] = []
    ranges.reserveCapacity(functions.count)
    // Functions that contain the current position, the innermost last; their ends descend.
    var open: [Function] = []
    var position: UInt64 = 0
    func close(upTo limit: UInt64) {
        while let innermost = open.last {
            let end = min(innermost.end, limit)
            if position < end {
                ranges.append(FunctionRange(start: position, end: end, function: innermost))
                position = end
            }
            guard innermost.end <= limit else { return }
            open.removeLast()
        }
    }
    for function in functions {
        close(upTo: function.symbol.address)
        position = function.symbol.address
        // What ends before the new one can never show again: so the stack stays short and its ends in order.
        while let innermost = open.last, innermost.end <= function.end { open.removeLast() }
        open.append(function)
    }
    close(upTo: .max)
    return ranges
}

struct FunctionRange {
    var start: UInt64
    var end: UInt64
    var function: Function
}
