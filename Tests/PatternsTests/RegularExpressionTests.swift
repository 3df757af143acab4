import Patterns
import Testing

@Test(
    arguments: [
        ("", "anything", true), ("b", "abc", true), ("^b", "abc", false), ("c$", "abc", true),
        ("(?i)ABC", "xabc", true),
        (#"operator\(\)"#, "Widget::operator()", true), ("std::(map|set)<", "std::set<int>", true),
        (".", "", false), ("^.$", "é", true), (#"\pL+"#, "日本", true), ("^a{2,3}$", "aaaa", false),
        (#"\Q(\E"#, "(", true), ("[(]", "x(", true), ("a\\x00b", "a\0b", true),
    ] as [(String, String, Bool)])
func `an expression matches any part of a text`(pattern: String, text: String, isMatch: Bool) throws {
    #expect(try RegularExpression(pattern).matches(text) == isMatch)
}

@Test(
    arguments: [
        ("a(b", 2, "this ( is never closed"), (#"\(((a)"#, 3, "this ( is never closed"), ("[(](", 4, "never closed"),
        (#"\Q(\E(a"#, 6, "never closed"), ("[[:alpha:](](", 13, "never closed"), ("a)b", 2, "this ) was never opened"),
        ("é[a", 2, "a ] is missing after '[a'"), ("[*] a|*", 7, "nothing that '*' could repeat"),
        (#"\*|*"#, 4, "nothing that '*' could repeat"), ("a**", 2, "'**' repeats what is repeated already"),
        ("a{1001}", 2, "'{1001}' repeats too often"), ("x(?=y)", 2, "'(?=' is not known (look-around"),
        (#"(a)\1"#, 4, #"'\1' is no escape"#), (#"日本\"#, nil, "escapes nothing"), ("[z-a]", 2, "'z-a' is no range"),
        ("(?P<n", 1, "is no name of a group"), ("[[:x:]]", 2, "'[:x:]' is no range"),
        (String(repeating: "a", count: 1025), nil, "it has 1025 bytes; 1024 are the most"),
        (#"(\pL{400})"#, nil, "too large"), ("((a{100}){100}){100}", 10, "repeats too often"),
    ] as [(String, Int?, String)])
func `what is wrong with an expression is said with its place`(pattern: String, position: Int?, reason: String) {
    let error = #expect(throws: PatternError.self) { _ = try RegularExpression(pattern) }
    #expect(error?.position == position, "\(error as Any)")
    #expect(error?.reason.contains(reason) == true, "\(error as Any)")
}

@Test(arguments: ["^(a+)+$", "(a*)*b", "(a|aa)+$", "(.*)(.*)(.*)(.*)(.*)[^a]$", "(x+x+)+y", "(a?){30}a{30}"])
func `no expression takes more than linear time`(pattern: String) throws {
    let expression = try RegularExpression(pattern)
    func time(_ count: Int) -> Duration {
        let text = String(repeating: "a", count: count) + "!"
        return (0..<3).map { _ in ContinuousClock().measure { _ = expression.matches(text) } }.min() ?? .zero
    }
    // A backtracking matcher would not end; a quadratic one would take 10,000 times as long for 100 times the text.
    let (short, long) = (time(1_000), time(100_000))
    #expect(long < max(short, .microseconds(50)) * 2_000, "\(short), \(long)")
}

@Test func `one expression may be used by many threads`() async throws {
    let expression = try RegularExpression("f[0-9]*7$")
    let found = await withTaskGroup(of: Int.self) { group in
        for start in 0..<8 {
            group.addTask { (0..<2_000).count { expression.matches("f\($0 * 8 + start)") } }
        }
        return await group.reduce(0, +)
    }
    #expect(found == 1_600)
}
