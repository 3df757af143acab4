import Patterns
import Testing

@Test(arguments: [
    ("", "", true), ("", "a", false), ("*", "", true), ("*", "anything", true), ("nginx", "nginx", true),
    ("nginx", "nginx2", false), ("nginx*", "nginx2", true), ("*.service", "a.service", true),
    ("*.service", "service", false), ("a*b", "ab", true), ("a*b", "acb", true), ("a*b", "abc", false),
    ("ab*ba", "aba", false), ("ab*ba", "abba", true), ("*aab*", "aaab", true), ("*abab*c", "ababababxc", true),
    ("a**b", "axb", true), ("*a*a*", "a", false), ("*a*a*", "aa", true), ("ünï*", "ünïcode", true),
    ("?", "a", false), ("[a]", "a", false), ("*aba*bab*", "ababa", false), ("*aba*bab*", "abaxbab", true),
])
func `a glob matches what its stars may stand for`(pattern: String, text: String, expected: Bool) {
    #expect(Glob(pattern).matches(text) == expected)
}

/// The definition itself: try every length for every star.
private func matchesByDefinition(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
    guard let first = pattern.first else { return text.isEmpty }
    if first == 42 {
        return (0...text.count).contains { matchesByDefinition(pattern.dropFirst(), text.dropFirst($0)) }
    }
    return text.first == first && matchesByDefinition(pattern.dropFirst(), text.dropFirst())
}

@Test func `every short glob agrees with the definition on every short text`() {
    func words(over letters: [UInt8], upTo length: Int) -> [[UInt8]] {
        var all: [[UInt8]] = [[]]
        var last = all
        for _ in 0..<length {
            last = last.flatMap { word in letters.map { word + [$0] } }
            all += last
        }
        return all
    }
    var wrong: [String] = []
    let texts = words(over: [97, 98], upTo: 6)
    for pattern in words(over: [97, 98, 42], upTo: 5) {
        let glob = Glob(String(decoding: pattern, as: UTF8.self))
        for text in texts
        where glob.matches(String(decoding: text, as: UTF8.self)) != matchesByDefinition(pattern[...], text[...]) {
            wrong.append("\(glob.text) on \(String(decoding: text, as: UTF8.self))")
        }
    }
    #expect(wrong.isEmpty)
}

@Test func `a set wants one of its positive globs and none of its negated ones`() {
    let set = NamePatterns(positive: [Glob("web*"), Glob("db")], negative: [Glob("*-test")])
    #expect(["web", "web-1", "db"].allSatisfy { set.matches($0) })
    #expect(!["db1", "web-test", ""].contains { set.matches($0) })
    #expect(NamePatterns(positive: [], negative: [Glob("a")]).matches("b"))
    #expect(NamePatterns(positive: [], negative: []).isEmpty)
}
