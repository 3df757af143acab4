internal import CRE2

/// Why a regular expression can't be used.
public struct PatternError: Error, Hashable, Sendable, CustomStringConvertible {
    public var pattern: String
    /// Where the trouble begins, in characters from 1; nil where it is the expression as a whole.
    public var position: Int?
    public var reason: String

    public init(pattern: String, position: Int? = nil, reason: String) {
        self.pattern = pattern
        self.position = position
        self.reason = reason
    }

    public var description: String {
        (position.map { "at character \($0): " } ?? "") + reason
    }
}

/// A regular expression in RE2's syntax (https://github.com/google/re2/wiki/Syntax), which is Go's and pprof's too: no
/// look-around, no back references. A match takes time linear in the text, whatever the expression is.
public struct RegularExpression: Sendable, Hashable {
    public let pattern: String
    private let compiled: CompiledExpression

    /// Longest expression, in bytes of UTF-8.
    public static let maximumBytes = 1024
    /// Most instructions: a bound on the steps for each byte of a text, where RE2's cache of states doesn't help.
    public static let maximumProgramSize = 5_000
    /// Program and cached states of one expression.
    fileprivate static let memoryBytes: Int64 = 4 << 20

    public init(_ pattern: String) throws(PatternError) {
        self.pattern = pattern
        let bytes = Array(pattern.utf8)
        guard bytes.count <= Self.maximumBytes else {
            throw PatternError(
                pattern: pattern, reason: "it has \(bytes.count) bytes; \(Self.maximumBytes) are the most")
        }
        do {
            compiled = try CompiledExpression(bytes[...], memoryBytes: Self.memoryBytes)
        } catch {
            throw error.error(pattern, bytes)
        }
        let size = compiled.programSize
        guard size <= Self.maximumProgramSize else {
            throw PatternError(
                pattern: pattern,
                reason: "it is too large: \(size) instructions, where \(Self.maximumProgramSize) are the most")
        }
    }

    /// Whether any part of `text` matches.
    public func matches(_ text: String) -> Bool { compiled.matches(text) }

    public static func == (left: RegularExpression, right: RegularExpression) -> Bool { left.pattern == right.pattern }
    public func hash(into hasher: inout Hasher) { hasher.combine(pattern) }

    /// What RE2 found, before it has a place.
    fileprivate struct Failure: Error, Equatable {
        var code: Int32
        var argument: [UInt8]

        func error(_ pattern: String, _ bytes: [UInt8]) -> PatternError {
            let offset = offset(in: bytes)
            let characters = offset.map { String(decoding: bytes[..<$0], as: UTF8.self).count + 1 }
            return PatternError(pattern: pattern, position: characters, reason: reason)
        }

        /// Where the argument stands: the first place up to which the expression fails alike, since RE2 reads from left
        /// to right. Of parentheses it names the whole expression, so they are counted here.
        private func offset(in bytes: [UInt8]) -> Int? {
            if code == CRE2_MISSING_PARENTHESIS.code || code == CRE2_UNEXPECTED_PARENTHESIS.code {
                return unmatchedParenthesis(bytes)
            }
            guard !argument.isEmpty, argument.count < bytes.count else { return argument.isEmpty ? nil : 0 }
            for start in 0...(bytes.count - argument.count)
            where bytes[start...].starts(with: argument) {
                let before = bytes[..<(start + argument.count)]
                do throws(Failure) {
                    _ = try CompiledExpression(before, memoryBytes: RegularExpression.memoryBytes)
                } catch {
                    if error == self { return start }
                }
            }
            return nil
        }

        private var reason: String {
            let text = "'\(String(decoding: argument, as: UTF8.self))'"
            return switch code {
            case CRE2_BAD_ESCAPE.code: "\(text) is no escape that is known (back references don't exist here)"
            case CRE2_BAD_CLASS.code: "\(text) is no class of characters"
            case CRE2_BAD_RANGE.code: "\(text) is no range of characters"
            case CRE2_MISSING_BRACKET.code: "a ] is missing after \(text)"
            case CRE2_MISSING_PARENTHESIS.code: "this ( is never closed"
            case CRE2_UNEXPECTED_PARENTHESIS.code: "this ) was never opened"
            case CRE2_TRAILING_BACKSLASH.code: "a \\ at the end escapes nothing"
            case CRE2_REPEAT_ARGUMENT.code: "there is nothing that \(text) could repeat"
            case CRE2_REPEAT_SIZE.code: "\(text) repeats too often (1,000 times are the most)"
            case CRE2_REPEAT_OPERATOR.code: "\(text) repeats what is repeated already"
            case CRE2_BAD_PERL_OPERATOR.code: "\(text) is not known (look-around doesn't exist here)"
            case CRE2_BAD_NAMED_CAPTURE.code: "\(text) is no name of a group"
            case CRE2_BAD_UTF8.code: "it is not UTF-8"
            case CRE2_TOO_LARGE.code: "it is too large once its repetitions are written out"
            case CRE2_NO_MEMORY.code: "there is no memory for it"
            default: "it can't be compiled"
            }
        }
    }
}

/// RE2's object. It doesn't change after it is made, and several threads may match by it.
@safe private final class CompiledExpression: @unchecked Sendable {
    private let pointer: OpaquePointer

    init(_ bytes: ArraySlice<UInt8>, memoryBytes: Int64) throws(RegularExpression.Failure) {
        var failure = cre2_failure()
        let compiled = unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe cre2_compile(buffer.baseAddress, buffer.count, memoryBytes, &failure)
        }
        guard let compiled = unsafe compiled else {
            let argument = unsafe withUnsafeBytes(of: failure.argument) { all in
                unsafe Array(all.prefix(Int(failure.argument_length)))
            }
            throw RegularExpression.Failure(code: failure.code, argument: argument)
        }
        unsafe pointer = compiled
    }

    deinit { unsafe cre2_free(pointer) }

    var programSize: Int { withExtendedLifetime(self) { unsafe Int(cre2_program_size(pointer)) } }

    func matches(_ text: String) -> Bool {
        withExtendedLifetime(self) {
            unsafe text.utf8.span.withUnsafeBufferPointer { bytes in
                unsafe cre2_matches(pointer, bytes.baseAddress, bytes.count) != 0
            }
        }
    }
}

extension cre2_code {
    /// Negative ones included, whatever type C gave the enumeration.
    fileprivate var code: Int32 { Int32(truncatingIfNeeded: rawValue) }
}

/// The offset of the first ) that closes nothing, else of the last ( that nothing closes; escapes, classes and \Q…\E
/// are passed over.
private func unmatchedParenthesis(_ bytes: [UInt8]) -> Int? {
    let (open, close, bracket, endBracket) = (UInt8(0x28), UInt8(0x29), UInt8(0x5B), UInt8(0x5D))
    let (backslash, colon, caret) = (UInt8(0x5C), UInt8(0x3A), UInt8(0x5E))
    func at(_ index: Int) -> UInt8 { index < bytes.count ? bytes[index] : 0 }
    var opened: [Int] = []
    var index = 0
    while index < bytes.count {
        switch bytes[index] {
        case backslash where at(index + 1) == 0x51:
            index += 2
            while index < bytes.count, !(bytes[index] == backslash && at(index + 1) == 0x45) { index += 1 }
            index += 2
        case backslash: index += 2
        case bracket:
            index += at(index + 1) == caret ? 2 : 1
            if at(index) == endBracket { index += 1 }
            while index < bytes.count, bytes[index] != endBracket {
                if bytes[index] == bracket && at(index + 1) == colon {
                    while index < bytes.count, bytes[index] != endBracket { index += 1 }
                    index += 1
                } else {
                    index += bytes[index] == backslash ? 2 : 1
                }
            }
            index += 1
        case open:
            opened.append(index)
            index += 1
        case close:
            if opened.popLast() == nil { return index }
            index += 1
        default: index += 1
        }
    }
    return opened.last
}
