/// Demangled names in the form that people read.
public enum SymbolNames {
    public enum Form: String, Hashable, Sendable, CaseIterable {
        /// Without parameter lists and return types.
        case short
        /// As the demangler writes them.
        case full
    }

    public static func name(_ full: String, in form: Form) -> String {
        form == .full ? full : short(full)
    }

    /// A full name without parameter lists, return types, qualifiers and marks of clones, specialisations and parts;
    /// template arguments, lambdas and `(anonymous namespace)` stay. What has no parameter list stays whole but for the
    /// marks.
    ///
    /// C++, Rust, D, Swift and Go are told apart by their looks. Linear in the length.
    public static func short(_ full: String) -> String {
        let name = withoutSpecializations(withoutClones(Array(full.utf8)[...]))
        // A colon may stand before the type of a Swift property.
        guard name.contains(where: { $0 == UInt8(ascii: "(") || $0 == UInt8(ascii: ":") }) else {
            return String(decoding: name, as: UTF8.self)
        }
        var start = name.startIndex
        // "non-virtual thunk to X" is as short as X; others ("vtable for X") have no parameters and stay as they are.
        while let thunk = thunks.first(where: { name[start...].starts(with: $0) }) { start += thunk.count }
        var scanner = NameScanner(name[start...])
        let short = scanner.short()
        guard !short.isEmpty else { return String(decoding: name, as: UTF8.self) }
        return String(decoding: name[..<start] + short, as: UTF8.self)
    }

    private static let thunks = [
        "non-virtual thunk to ", "virtual thunk to ", "covariant return thunk to ", "transaction clone for ",
        "non-transaction clone for ", "guard variable for ",
    ].map { Array($0.utf8) }

    /// Without ` [clone .cold]` of GNU's demangler, ` (.cold)` of LLVM's, and the bare suffixes of names that none knew.
    private static func withoutClones(_ name: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var end = name.endIndex
        // Go's linker tells a function's two calling conventions apart so.
        for convention in [".abi0", ".abiinternal"] where name.count > convention.utf8.count {
            let start = name.endIndex - convention.utf8.count
            if name[start...].elementsEqual(convention.utf8) { end = start }
        }
        while let start = markStart(name[..<end]) { end = start }
        if let start = CloneSuffix.starts(in: name[..<end]).first { end = start }
        return name[..<end]
    }

    private static let marks: [(opening: [UInt8], closing: UInt8)] = [
        (Array(" [clone ".utf8), UInt8(ascii: "]")), (Array(" (.".utf8), UInt8(ascii: ")")),
    ]

    private static func markStart(_ name: ArraySlice<UInt8>) -> Int? {
        guard let (opening, closing) = marks.first(where: { $0.closing == name.last }) else { return nil }
        // The mark itself holds no bracket, so the last one opens it.
        guard let bracket = name.lastIndex(of: opening[1]), bracket > name.startIndex + 1,
            name[(bracket - 1)...].starts(with: opening), !name[bracket..<(name.endIndex - 1)].contains(closing)
        else { return nil }
        return bracket - 1
    }

    /// Swift's compiler copies functions for some arguments and cuts asynchronous ones into parts; what it made is the
    /// function that somebody wrote: `generic specialization <Swift.Int> of `, `(1) await resume partial function for `.
    private static func withoutSpecializations(_ name: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var name = name
        while let rest = behindSpecialization(name) ?? behindPart(name) { name = rest }
        return name
    }

    private static let specializations = [
        "generic ", "function signature specialization <", "inlined generic function <",
    ].map { Array($0.utf8) }

    private static func behindSpecialization(_ name: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard specializations.contains(where: { name.starts(with: $0) }),
            let opening = name.firstIndex(of: UInt8(ascii: "<")),
            ["specialization ", "function "].contains(where: {
                name[..<opening].suffix($0.utf8.count).elementsEqual($0.utf8)
            })
        else { return nil }
        var depth = 0
        for index in name[opening...].indices {
            if name[index] == UInt8(ascii: "<") { depth += 1 }
            guard name[index] == UInt8(ascii: ">"), name[index - 1] != UInt8(ascii: "-") else { continue }
            depth -= 1
            guard depth <= 0 else { continue }
            let rest = name[(index + 1)...]
            return rest.count > 4 && rest.starts(with: " of ".utf8) ? rest.dropFirst(4) : nil
        }
        return nil
    }

    private static func behindPart(_ name: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard name.first == UInt8(ascii: "("), let closing = name.prefix(8).firstIndex(of: UInt8(ascii: ")")),
            name[(name.startIndex + 1)..<closing].allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") })
        else { return nil }
        let rest = name[(closing + 1)...]
        for mark in [" suspend resume partial function for ", " await resume partial function for "]
        where rest.count > mark.utf8.count && rest.starts(with: mark.utf8) {
            return rest.dropFirst(mark.utf8.count)
        }
        return nil
    }
}
