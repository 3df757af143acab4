import Profiles
import Testing

@Suite struct WordsTests {
    @Test(arguments: [
        ("worker-17", "worker-#"), ("kworker/0:1", "kworker/#:#"), ("main", "main"), ("42", "#"), ("", ""),
        ("a1b22c333", "a#b#c#"),
    ])
    func `digits of a thread's name are folded`(name: String, folded: String) {
        #expect(foldedThreadName(name) == folded)
    }

    @Test func `an identifier is the same after a trip through bytes and through hexadecimal digits`() {
        let identifier = Identifier(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210)
        #expect(identifier.description == "0123456789abcdeffedcba9876543210")
        #expect(Identifier(bytes: identifier.bytes) == identifier)
        #expect(Identifier(hex: identifier.description) == identifier)
        #expect(Identifier(bytes: [1, 2, 3]) == nil)
        #expect(Identifier(hex: "+123456789abcdeffedcba9876543210") == nil)
    }

    @Test(arguments: [(0, 0), (86_399, 0), (86_400, 1), (-1, -1), (-86_400, -1), (-86_401, -2)])
    func `a moment belongs to one UTC day`(seconds: Int64, day: Int64) {
        #expect(Timestamp(seconds: seconds).utcDay == day)
    }

    @Test func `not measured on one side is not measured in the sum`() {
        let measured = StackQuality(whole: 1, cut: 2, broken: 3)
        let sum = measured + StackQuality(whole: nil, cut: 5, broken: nil)
        #expect(sum == StackQuality(whole: nil, cut: 7, broken: nil))
    }

    @Test func `modules with a build ID are equal whatever their path and others by name`() {
        let identity = ModuleIdentity(kind: .buildID, bytes: [1, 2, 3, 4])
        #expect(Module(identity: identity, name: "/lib/a") == Module(identity: identity, name: "/usr/lib/a"))
        #expect(Module(identity: .name, name: "a") != Module(identity: .name, name: "b"))
    }

    @Test func `each drop reason has a place of its own in the ledger`() {
        #expect(Set(DropReason.allCases.map(\.index)).count == DropReason.allCases.count)
    }
}

@Test(
    arguments: [
        ("zone=a", "zone", "a", false), ("zone!=a", "zone", "a", true), ("!zone=a", "zone", "a", true),
        ("zone=", "zone", "", false), ("a=b=c", "a", "b=c", false), ("a=!b", "a", "!b", false),
        ("a=b*", "a", "b*", false),
    ] as [(String, String, String, Bool)])
func `a label's pattern is a name and what its value is like`(
    text: String, name: String, glob: String, isNegated: Bool
) {
    #expect(LabelPattern(text) == LabelPattern(name: name, value: NamePattern(glob: glob, isNegated: isNegated)))
}

@Test(arguments: ["", "zone", "=a", "!=a", "!!=a", "!zone!=a"])
func `what is no label's pattern`(text: String) { #expect(LabelPattern(text) == nil) }
