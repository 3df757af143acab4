import Testing

@testable import LanguageRuntimes

struct PerfMapTests {
    @Test func `a line that is not ended waits for its rest`() {
        var map = PerfMap()
        map.append(Array("1000 10 one\n2000 20 tw".utf8)[...], at: 1)
        #expect(map.names.match(0x1008, at: 1)?.name == "one")
        #expect(map.names.match(0x2008, at: 1) == nil)
        map.append(Array("o\n".utf8)[...], at: 2)
        #expect(map.names.match(0x201F, at: 2)?.name == "two")
        #expect(map.names.match(0x2020, at: 2) == nil)
    }
}
