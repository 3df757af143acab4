import Testing

@testable import LanguageRuntimes

struct RuntimeAdviceTests {
    @Test(
        arguments: [
            (["node", "a.js"], [:], ["--perf-basic-prof", "--interpreted-frames-native-stack"]),
            (["node", "--perf_basic_prof", "a.js"], [:], ["--interpreted-frames-native-stack"]),
            (
                ["node", "a.js"], ["NODE_OPTIONS": "--perf-basic-prof --interpreted-frames-native-stack"], []
            ),
        ] as [([String], [String: String], [String])])
    func `node whose V8 can't be read is told the flags that it lacks`(
        arguments: [String], environment: [String: String], flags: [String]
    ) {
        let facts = RuntimeAdvice.Facts(
            program: "/usr/bin/node", arguments: arguments, environment: environment)
        #expect(RuntimeAdvice.about(facts)?.flags == flags)
    }

    @Test(arguments: [(["node", "a.js"], true), (["node", "--perf-basic-prof", "a.js"], false)])
    func `node whose V8 can be read needs no flag, and is told what one would add`(
        arguments: [String], isTold: Bool
    ) throws {
        let facts = RuntimeAdvice.Facts(program: "/usr/bin/node", arguments: arguments, hasV8Symbols: true)
        let advice = try #require(RuntimeAdvice.about(facts))
        #expect(advice.flags == [] && advice.given.contains("functions of JavaScript"))
        #expect(advice.gain.contains("--perf-basic-prof would add") == isTold)
        #expect(advice.gain.contains("compiled into their callers"))
    }

    @Test func `a JVM needs frame pointers only where its tables can't be read`() {
        var facts = RuntimeAdvice.Facts(
            program: "/usr/bin/java", arguments: ["java", "-XX:+DebugNonSafepoints"], hasJVM: true, hasJVMTables: true)
        #expect(RuntimeAdvice.about(facts)?.flags == [])
        facts.hasJVMTables = false
        #expect(RuntimeAdvice.about(facts)?.flags == ["-XX:+PreserveFramePointer"])
    }

    @Test(arguments: ["/usr/bin/python3.11", "/opt/python", "/usr/bin/python3"])
    func `Python needs nothing`(program: String) {
        #expect(RuntimeAdvice.about(.init(program: program, arguments: []))?.flags == [])
    }

    @Test(arguments: ["/usr/bin/sleep", "/usr/bin/pythonic"])
    func `other programs are told nothing`(program: String) {
        #expect(RuntimeAdvice.about(.init(program: program, arguments: [])) == nil)
    }
}
