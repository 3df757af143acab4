// fuzz: Patterns
// Expressions that users type: each compiles or fails with a reason and a place within it, and matches any text.
import Patterns

/// The first 0xFF ends the expression; the rest is a text.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: min(count, 4096)))
    let pattern = String(decoding: bytes.prefix { $0 != 0xFF }, as: UTF8.self)
    let text = String(decoding: bytes.drop { $0 != 0xFF }.dropFirst(), as: UTF8.self)
    do {
        let expression = try RegularExpression(pattern)
        let isMatch = expression.matches(text)
        precondition(isMatch == expression.matches(text), "the same text matches at one time and not at another")
    } catch {
        precondition(!error.reason.isEmpty, "an error without a reason")
        let isInside = error.position.map { (1...pattern.count + 1).contains($0) } ?? true
        precondition(isInside, "a place outside the expression")
    }
    return 0
}
