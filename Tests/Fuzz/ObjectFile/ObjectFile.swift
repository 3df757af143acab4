// fuzz: ObjectFiles, SymbolTables, SymbolSources
import ObjectFiles
import SymbolSources
import SymbolTables

/// What the helper process does with any file: identify it, list, choose and demangle its functions. A good corpus is a
/// handful of small programs, stripped and not.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let source = unsafe ObjectBytes([UInt8](UnsafeBufferPointer(start: start, count: count)))
    guard let file = try? ObjectFile(source) else { return 0 }
    guard let table = try? ELFSymbols.table(of: file, from: source) else { return 0 }
    // What was built must read back.
    do {
        let decoded = try SymbolTable(decoding: table.encoded(level: 1))
        precondition(decoded.rangeCount == table.rangeCount && decoded.nameCount == table.nameCount)
    } catch {
        fatalError("a table that was built does not read back: \(error)")
    }
    return 0
}
