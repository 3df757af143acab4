public import ObjectFiles
public import SymbolTables

/// Builds the symbol table of one ELF file from `.symtab` and `.dynsym`.
public enum ELFSymbols {
    /// Reads, chooses, demangles; a file without symbols gives an empty table of quality `none`.
    public static func table(
        of file: ObjectFile, from source: some ObjectSource
    ) throws(ObjectFileError) -> SymbolTable {
        throw .notELF
    }
}
