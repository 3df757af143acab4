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

    /// A full name without parameter lists, return types, qualifiers and marks of clones; template arguments, lambdas
    /// and `(anonymous namespace)` stay. What has no parameter list stays whole but for the clones.
    ///
    /// C++, Rust, D, Swift and Go are told apart by their looks. Linear in the length.
    public static func short(_ full: String) -> String {
        let name = withoutClones(Array(full.utf8)[...])
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
}
