import ByteCoding

/// The functions of one symbol table of a file, with the strings that their names lie in.
public struct FunctionSymbols: Sendable {
    public struct Symbol: Sendable {
        /// In the file's own address space.
        public var address: UInt64
        /// 0 where the file does not say.
        public var size: UInt64
        /// Where the section that holds the function ends; `UInt64.max` where that is unknown.
        public var sectionEnd: UInt64
        /// Bytes from the strings' start.
        public var nameOffset: UInt32
        public var binding: Binding
    }

    /// How a symbol is seen by other files.
    public enum Binding: UInt8, Sendable {
        case local = 0
        case global = 1
        case weak = 2
    }

    public private(set) var symbols: [Symbol] = []
    private let strings: [UInt8]

    /// The mangled name's bytes up to `limit`, without the zero that ends it.
    public func nameBytes(_ symbol: Symbol, limit: Int) -> ArraySlice<UInt8> {
        zeroEnded(strings, from: Int(symbol.nameOffset), limit: limit)
    }

    init(strings: [UInt8]) {
        self.strings = strings
    }

    mutating func append(_ symbol: Symbol) {
        symbols.append(symbol)
    }
}

extension ObjectFile {
    public enum SymbolSection: Sendable {
        /// `.symtab`: all functions, absent from stripped files.
        case symbols
        /// `.dynsym`: what the file shares with others.
        case dynamicSymbols
    }

    /// The functions (STT_FUNC, STT_GNU_IFUNC) that a table defines, in the table's order; nil where the file has no
    /// such table. `source` must be the one that the file was read from.
    public func functionSymbols(
        _ which: SymbolSection, from source: some ObjectSource, limits: Limits = Limits()
    ) throws(ObjectFileError) -> FunctionSymbols? {
        let sections = try self.sections.get()
        let type = which == .symbols ? Section.symbols : Section.dynamicSymbols
        guard let table = sections.first(where: { $0.type == type }) else { return nil }
        let what = which == .symbols ? ".symtab" : ".dynsym"
        let symbolBytes: UInt64 = 24
        guard table.size / symbolBytes <= limits.symbols else {
            throw .overLimit(what: "symbols of \(what)", value: table.size / symbolBytes, limit: limits.symbols)
        }
        guard Int(table.link) < sections.count else {
            throw .malformed(what: "\(what) names section \(table.link) for its strings, there are \(sections.count)")
        }
        let stringSection = sections[Int(table.link)]
        let bytes = try source.part(
            what, at: table.offset, size: table.size / symbolBytes * symbolBytes, limit: limits.symbols * symbolBytes)
        let strings = try source.part(
            "the strings of \(what)", at: stringSection.offset, size: stringSection.size, limit: limits.stringBytes)
        var functions = FunctionSymbols(strings: strings)
        var reader = unsafe ByteReader(bytes.span.bytes)
        do throws(ByteCodingError) {
            while !reader.isAtEnd {
                let name = try reader.readUInt32()
                let info = try reader.readUInt8()
                try reader.skip(1)
                let section = try reader.readUInt16()
                let value = try reader.readUInt64()
                let size = try reader.readUInt64()
                let kind = info & 15
                // STT_FUNC, STT_GNU_IFUNC; defined here (not SHN_UNDEF), and not an absolute number (SHN_ABS).
                guard kind == 2 || kind == 10, section != 0, section < 0xFF00 || section == 0xFFFF else { continue }
                guard Int(name) < strings.count, strings[Int(name)] != 0 else { continue }
                var sectionEnd = UInt64.max
                if Int(section) < sections.count, section != 0xFFFF {
                    let (end, overflow) = sections[Int(section)].address.addingReportingOverflow(
                        sections[Int(section)].size)
                    if !overflow, end > value { sectionEnd = end }
                }
                functions.append(
                    FunctionSymbols.Symbol(
                        address: value, size: size, sectionEnd: sectionEnd, nameOffset: name,
                        binding: FunctionSymbols.Binding(rawValue: info >> 4) ?? .global))
            }
        } catch {
            throw .malformed(what: "\(what) ends inside a symbol")
        }
        return functions
    }
}
