/// Reads one demangled name from its start to its end and keeps what belongs in the short form.
///
/// Template arguments, lambdas and brackets are copied whole (`copyGroup`). A parenthesis behind a name opens a parameter
/// list and is left out. In C++ a space before any parameter list ends a return type, which is then forgotten; in Swift
/// types stand behind ` -> ` and ` : `.
struct NameScanner {
    private let name: ArraySlice<UInt8>
    private var position: Int
    private var output: [UInt8] = []

    init(_ name: ArraySlice<UInt8>) {
        self.name = name
        position = name.startIndex
    }

    mutating func short() -> [UInt8] {
        let isSwift = hasSwiftTypes()
        position = name.startIndex
        output.removeAll(keepingCapacity: true)
        return isSwift ? shortSwift() : shortCPlusPlus()
    }

    // MARK: C++, Rust, D, Go

    private mutating func shortCPlusPlus() -> [UInt8] {
        /// A parameter list has been left out, and only qualifiers or a member of the function can follow.
        var isBehindParameters = false
        var sawParameters = false
        while position < name.endIndex {
            let byte = name[position]
            switch byte {
            case UInt8(ascii: "<"), UInt8(ascii: "{"), UInt8(ascii: "["):
                copyGroup()
            case UInt8(ascii: "("):
                if isParameterList {
                    skipGroup()
                    isBehindParameters = true
                    sawParameters = true
                } else if output.isEmpty, follows("(*") || follows("(&") {
                    // A function that returns a pointer to a function stands within: `void (*f<int>(int))(char)`.
                    output.removeAll(keepingCapacity: true)
                    position += 2
                } else {
                    copyGroup()
                }
            case UInt8(ascii: ")"):
                // Ends the declarator above; its function's parameters follow and are no more of the name.
                return output
            case UInt8(ascii: " "):
                position += 1
                if isBehindParameters {
                    // "const", "&", "&&", "noexcept": up to a member of the function, as a lambda's.
                    while position < name.endIndex, name[position] != UInt8(ascii: ":") { position += 1 }
                    isBehindParameters = false
                } else if !sawParameters {
                    output.removeAll(keepingCapacity: true)
                } else {
                    output.append(byte)
                }
            default:
                isBehindParameters = false
                if byte == UInt8(ascii: "o"), !(output.last.map { isNameByte($0) } ?? false), follows("operator") {
                    copyOperator()
                } else {
                    output.append(byte)
                    position += 1
                }
            }
        }
        // Without parameters no space ended a return type: "vtable for X", "guard variable for f()::x".
        return sawParameters ? output : Array(name)
    }

    /// At an opening parenthesis: whether it opens the parameters of the function whose name is before it.
    private var isParameterList: Bool {
        guard let last = output.last, !follows("(anonymous namespace)"),
            !output.suffix(8).elementsEqual("decltype".utf8)
        else { return false }
        return isNameByte(last) || ">]})'\"".utf8.contains(last) || isOperatorEnd
    }

    /// The output ends in an operator's signs.
    private var isOperatorEnd: Bool { endOfOperator == output.count && endOfOperator > 0 }
    private var endOfOperator = 0

    private static let operators = [
        "<=>", "<<=", ">>=", "->*", "()", "[]", "<<", ">>", "->", "<=", ">=", "==", "!=", "&&", "||", "++", "--", "+=",
        "-=", "*=", "/=", "%=", "^=", "&=", "|=", "<", ">", "+", "-", "*", "/", "%", "^", "&", "|", "~", "!", "=", ",",
    ].map { Array($0.utf8) }

    /// `operator` and what it names: signs, a literal's suffix, a type that is converted to, `new` or `delete`.
    private mutating func copyOperator() {
        copy(8)
        if let signs = Self.operators.first(where: { name[position...].starts(with: $0) }) {
            copy(signs.count)
            // GNU's demangler sets template arguments of `operator<` apart by a space.
            if follows(" <") {
                copy(1)
                copyGroup()
            }
        } else if follows(" ") || follows("\"\"") {
            while position < name.endIndex, name[position] != UInt8(ascii: "(") {
                if name[position] == UInt8(ascii: "<") { copyGroup() } else { copy(1) }
            }
        }
        endOfOperator = output.count
    }

    // MARK: Swift

    /// Whether ` -> ` or ` : ` stands outside of all brackets, as only in Swift.
    private mutating func hasSwiftTypes() -> Bool {
        while position < name.endIndex {
            if isOpening(name[position]) {
                skipGroup()
            } else if follows(" -> ") || follows(" : ") {
                return true
            } else if follows("operator") {
                copyOperator()
            } else {
                position += 1
            }
        }
        return false
    }

    private mutating func shortSwift() -> [UInt8] {
        while position < name.endIndex {
            let byte = name[position]
            if byte == UInt8(ascii: "(") {
                if isSwiftParameterList { skipGroup() } else { copyGroup() }
            } else if byte == UInt8(ascii: "<") || byte == UInt8(ascii: "[") || byte == UInt8(ascii: "{") {
                copyGroup()
            } else if follows(" -> ") || follows(" : ") {
                skipSwiftType()
            } else if follows(" async") || follows(" throws") {
                position += follows(" async") ? 6 : 7
            } else if follows(" in conformance ") {
                output += name[position...]
                return output
            } else {
                output.append(byte)
                position += 1
            }
        }
        return output
    }

    /// Parameters follow a name or an operator, or, one space behind, `closure #1`.
    private var isSwiftParameterList: Bool {
        guard let last = output.last else { return false }
        if last == UInt8(ascii: " ") {
            let digits = output.dropLast().reversed().prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
                .count
            guard digits > 0, digits < 20, output.dropLast(1 + digits).last == UInt8(ascii: "#") else { return false }
            return true
        }
        return last != UInt8(ascii: ".") && last != UInt8(ascii: ":")
    }

    /// Up to ` in `, which says what a closure lies in, or the end.
    private mutating func skipSwiftType() {
        position += 3
        if output.last == UInt8(ascii: " ") { output.removeLast() }
        while position < name.endIndex, !follows(" in ") {
            if isOpening(name[position]) { skipGroup() } else { position += 1 }
        }
    }

    // MARK: Groups

    private func isOpening(_ byte: UInt8) -> Bool { "(<[{".utf8.contains(byte) }

    private mutating func copyGroup() {
        let start = position
        skipGroup()
        output += name[start..<position]
    }

    /// From an opening bracket behind its closing one, or to the end. A `>` closes only a `<`: `(a > b)` and `->` don't.
    private mutating func skipGroup() {
        var open: [UInt8] = []
        while position < name.endIndex {
            let byte = name[position]
            position += 1
            switch byte {
            case UInt8(ascii: "("): open.append(UInt8(ascii: ")"))
            case UInt8(ascii: "["): open.append(UInt8(ascii: "]"))
            case UInt8(ascii: "{"): open.append(UInt8(ascii: "}"))
            case UInt8(ascii: "<"): open.append(UInt8(ascii: ">"))
            case UInt8(ascii: ">"):
                if open.last == byte, name[name.index(position, offsetBy: -2)] != UInt8(ascii: "-") {
                    open.removeLast()
                }
            case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"):
                // `<` may have been a comparison: then it ends with what is around it.
                while let last = open.last, last == UInt8(ascii: ">"), open.count > 1 { open.removeLast() }
                if open.last == byte { open.removeLast() }
            case UInt8(ascii: "o"):
                skipOperatorSigns()
            default: break
            }
            if open.isEmpty { return }
        }
    }

    /// Behind the `o` of `operator`: passes over signs that would look like brackets.
    private mutating func skipOperatorSigns() {
        guard follows("perator"), position < 2 + name.startIndex || !isNameByte(name[position - 2]) else { return }
        let end = position + 7
        guard let signs = Self.operators.first(where: { name[end...].starts(with: $0) }) else { return }
        position = end + signs.count
    }

    private mutating func copy(_ count: Int) {
        output += name[position..<min(position + count, name.endIndex)]
        position = min(position + count, name.endIndex)
    }

    private func follows(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard name.endIndex - position >= count else { return false }
        for index in 0..<count where unsafe name[position + index] != text.utf8Start[index] { return false }
        return true
    }

    private func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "$"), 0x80...:
            true
        default: false
        }
    }
}
