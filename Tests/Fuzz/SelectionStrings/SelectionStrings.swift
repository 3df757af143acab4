// fuzz: ProfilerAggregator, Profiles
import Profiles

@testable import ProfilerAggregator

/// A selection as users of `diff` type it: refused with a reason, or parameters of which each has a name that a question
/// knows and a value, and which say the same when they are written as such a text again.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let text = unsafe String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    let now = Timestamp(seconds: 1_790_000_000)
    let selection: SelectionText
    do throws(APIError) { selection = try SelectionText(text, name: "base", common: [], now: now) } catch {
        precondition(error.message.hasPrefix("base: "), "an error that does not say where")
        return 0
    }
    let names: Set = ["service", "host", "process", "thread", "type", "version", "frame", "label", "from", "to"]
    precondition(selection.parameters.allSatisfy { names.contains($0.name) && !$0.value.isEmpty }, "not a parameter")
    // Parameters in the text's own words.
    let parts = selection.parameters.map { parameter -> String in
        var (key, value) = (parameter.name, parameter.value)
        if key == "label" { return "label:" + escaped(value) }
        if key != "type", value.first == "!", value.count > 1 {
            value.removeFirst()
            key += "!"
        }
        return "\(key)=\(escaped(value))"
    }
    let again = try? SelectionText(parts.joined(separator: ","), name: "base", common: [], now: now)
    // Spaces around a part are nobody's, and those at an end of a value can't be told from them.
    let hasSpaces = selection.parameters.contains { $0.value.first == " " || $0.value.last == " " }
    let isShort = parts.joined(separator: ",").utf8.count <= 16 << 10
    precondition(again == selection || hasSpaces || !isShort, "not what was said")
    return 0
}

private func escaped(_ value: String) -> String {
    value.map { $0 == "," || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined()
}
