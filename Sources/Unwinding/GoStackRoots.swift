import ObjectFiles
import Profiles

/// Functions of Go's runtime above whose frames no caller's lies.
///
/// Goroutines begin in `goexit`, as if it had called their first function; threads begin in `clone` and `mstart`, the
/// program in `rt0_go` (go: src/runtime/asm_amd64.s, asm_arm64.s, TOPFRAME). `mcall` leaves a goroutine for the
/// scheduler, which goes on on the thread's own stack and returns to nobody. `systemstack` calls a function on that
/// stack and returns to the goroutine, whose frames lie elsewhere. Where there is call frame information it says so of
/// some of them alone, and of `systemstack` something else.
enum GoStackRoots {
    private static let kinds: [(name: String, kind: EncodedSections.StackRootKind)] = [
        ("runtime.goexit", .start), ("runtime.mstart", .start), ("runtime.rt0_go", .start), ("runtime.clone", .start),
        ("runtime.mcall", .start), ("runtime.systemstack", .otherStack),
    ]

    /// Names of functions that are found by the way: no other is longer.
    private static let longestName = 32

    static func records(
        in object: ObjectFile, from source: some ObjectSource, base: UInt64, limits: UnwindSections.Limits
    ) -> [UInt8] {
        // A table that makes no sense is as good as none.
        guard let functions = try? object.goFunctions(from: source, limits: limits.object) else { return [] }
        var found: [(start: UInt32, end: UInt32, kind: UInt32)] = []
        for symbol in functions.symbols {
            let name = functions.nameBytes(symbol, limit: longestName)
            guard let kind = kinds.first(where: { name.elementsEqual($0.name.utf8) })?.kind,
                let start = UInt32(exactly: symbol.address &- base), let size = UInt32(exactly: symbol.size),
                !start.addingReportingOverflow(size).overflow, found.count < 64
            else { continue }
            found.append((start, start + size, kind.rawValue))
        }
        return UnwindSections.words(found.sorted { $0.start < $1.start }.flatMap { [$0.start, $0.end, $0.kind] })
    }
}
