internal import CElf
import SymbolTables

/// Names of functions by their DIE: the mangled one where the compiler wrote it, demangled, else the plain one.
struct DebugNames {
    private var demangler = Demangler()
    /// By the place of the DIE in the image; one more than the index, 0 for none.
    private var known: [UInt: UInt32] = [:]

    /// Index of the function's name; nil where it has none. Of a concrete function or inlined body the abstract one is
    /// asked, once for all of them.
    mutating func index(of entry: inout DebugEntry, in builder: inout SymbolTableBuilder) -> UInt32? {
        var abstract = entry.reference(Int(DW_AT_abstract_origin)) ?? entry
        if let index = known[abstract.place] { return index == 0 ? nil : index - 1 }
        // DW_AT_MIPS_linkage_name is what GCC wrote before DWARF 4.
        var text: [UInt8]?
        for name in [DW_AT_linkage_name, DW_AT_MIPS_linkage_name, DW_AT_name] where text == nil {
            text = abstract.inheritedText(Int(name), limit: Demangler.maximumMangledBytes + 1)
        }
        let index = text.flatMap { builder.index(ofName: demangler.demangle($0[...])) }
        known[abstract.place] = index.map { $0 + 1 } ?? 0
        return index
    }
}
