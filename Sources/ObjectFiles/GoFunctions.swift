import ByteCoding

/// Go's own table of functions (.gopclntab), which stays in a program that was stripped: the runtime needs it for its
/// stack traces.
///
/// The layouts of Go 1.2, 1.16, 1.18, 1.20 and later (go: src/debug/gosym/pclntab.go; src/runtime/symtab.go, pcHeader
/// and functab): a header, then pairs of a function's address and the place of its record, which begins with that address
/// and the place of its name. The pairs ascend; the address behind the last pair ends its function.
private struct GoFunctionTable {
    private enum Layout: UInt32 {
        case version2 = 0xFFFF_FFFB
        case version16 = 0xFFFF_FFFA
        case version18 = 0xFFFF_FFF0
        case version20 = 0xFFFF_FFF1
    }

    let count: UInt64
    /// Addresses are 32 bits from the start of the text, places too; before 1.18 both had the size of a pointer.
    private let isRelative: Bool
    private var textStart: UInt64 = 0
    /// `textStart` is only what the section says.
    private(set) var isGuessed = false
    /// Bytes from the table's start to the names, to the pairs, and to what the places of records count from.
    private var names: UInt64 = 0
    private var pairs: UInt64 = 16
    private var records: UInt64 = 0

    /// nil where the bytes are no such table, or one of a program of 32 bits.
    ///
    /// - Parameter text: where .text begins: the header may leave it to the loader.
    init?(_ bytes: RawSpan, text: UInt64) throws(ByteCodingError) {
        var reader = ByteReader(bytes)
        guard let layout = Layout(rawValue: try reader.readUInt32()) else { return nil }
        isRelative = layout == .version18 || layout == .version20
        // Two zeros, the size of the smallest instruction, the size of a pointer.
        try reader.skip(3)
        guard try reader.readUInt8() == 8 else { return nil }
        count = try reader.readUInt64()
        guard layout != .version2 else { return }
        // The number of files.
        try reader.skip(8)
        if isRelative {
            textStart = try reader.readUInt64()
            if textStart == 0 { (textStart, isGuessed) = (text, true) }
        }
        names = try reader.readUInt64()
        // Compilation units, files, tables of values by address.
        try reader.skip(24)
        pairs = try reader.readUInt64()
        records = pairs
    }

    func symbols(_ bytes: [UInt8]) throws(ByteCodingError) -> FunctionSymbols {
        var functions = FunctionSymbols(strings: bytes)
        var reader = unsafe ByteReader(bytes.span.bytes)
        var record = unsafe ByteReader(bytes.span.bytes)
        try reader.seek(to: Int(clamping: pairs))
        var start = try number(&reader)
        for _ in 0..<count {
            let place = try number(&reader)
            let end = try number(&reader)
            defer { start = end }
            try record.seek(to: Int(clamping: records.addingReportingOverflow(place).partialValue))
            _ = try number(&record)
            let (name, overflow) = names.addingReportingOverflow(UInt64(try record.readUInt32()))
            guard !overflow, let nameOffset = UInt32(exactly: name), name < bytes.count, start < end else { continue }
            functions.append(
                FunctionSymbols.Symbol(
                    address: textStart &+ start, size: end - start, sectionEnd: .max, nameOffset: nameOffset,
                    binding: .local))
        }
        return functions
    }

    private func number(_ reader: inout ByteReader) throws(ByteCodingError) -> UInt64 {
        isRelative ? UInt64(try reader.readUInt32()) : try reader.readUInt64()
    }
}

extension ObjectFile {
    /// The functions of a Go program, ascending; nil where the file has no table of them. `source` must be the one that
    /// the file was read from.
    public func goFunctions(
        from source: some ObjectSource, limits: Limits = Limits()
    ) throws(ObjectFileError) -> FunctionSymbols? {
        let sections = try self.sections.get()
        // Programs that are loaded anywhere have it among what the loader relocates.
        let section = sections.first { [".gopclntab", ".data.rel.ro.gopclntab"].contains($0.name) }
        guard let section, !section.isEmptyInFile, !section.isCompressed else { return nil }
        let bytes = try source.part(section.name, at: section.offset, size: section.size, limit: limits.stringBytes)
        let text = sections.first { $0.name == ".text" }?.address ?? 0
        do throws(ByteCodingError) {
            guard let table = try unsafe GoFunctionTable(bytes.span.bytes, text: text) else { return nil }
            if table.count <= limits.symbols {
                let functions = try table.symbols(bytes)
                // Where C's start code stands first in .text, Go's begins later, and nothing here says where.
                guard !table.isGuessed || functions.symbols.contains(where: { $0.address == entryPoint }) else {
                    return nil
                }
                return functions
            }
        } catch {
            throw .malformed(what: "\(section.name) \(error)")
        }
        throw .overLimit(what: "functions of \(section.name)", value: .max, limit: limits.symbols)
    }
}
