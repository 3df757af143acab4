import Analysis
import Formats
import Profiles
import SampleBuilder
import Testing

private func profile(_ stacks: KeyValuePairs<String, UInt64>, names: NamesByAddress = NamesByAddress()) -> NamedProfile
{
    var builder = SampleBuilder()
    builder.add(stacks)
    return NamedProfile(builder.samples, symbolizer: names)
}

private func lines(_ folded: Folded) -> [String] {
    String(decoding: folded.bytes, as: UTF8.self).split(separator: "\n").map { String($0) }
}

@Test func `folded stacks are sorted lines of process, frames and samples`() {
    let profile = profile(["q/q;z": 1, "p/t1;main;b": 2, "p/t2;main;b": 3, "p/t2;main": 4])
    #expect(
        String(decoding: Folded(of: profile).bytes, as: UTF8.self) == """
            p;main 4
            p;main;b 5
            q;z 1

            """)
}

@Test func `with threads the thread's name is the second element`() {
    let profile = profile(["p/worker-3;main": 1, "p/worker-77;main": 2, "p/p;main": 3])
    #expect(lines(Folded(of: profile, withThreads: true)) == ["p;p;main 3", "p;worker-#;main 3"])
}

@Test func `endings say what kind of code a frame is, and plain leaves them away`() {
    let names = NamesByAddress([0x10: [NamedFrame(kind: .native, name: "f"), NamedFrame(kind: .inlined, name: "g")]])
    let profile = profile(["p/p;0x10@m;j:hot;k:sys_read": 1, "p/p;i:run@a.py:3;0x2f@/lib/m.so": 2], names: names)
    #expect(
        lines(Folded(of: profile)) == ["p;f;g_[i];hot_[j];sys_read_[k] 1", "p;run;[unknown m.so+0x2f] 2"])
    #expect(
        lines(Folded(of: profile, isPlain: true)) == ["p;f;g;hot;sys_read 1", "p;run;[unknown m.so+0x2f] 2"])
}

@Test func `lines stand behind names and before endings, where a frame has one`() {
    let names = NamesByAddress([
        0x10: [
            NamedFrame(kind: .native, name: "f", file: "a.c", line: 7),
            NamedFrame(kind: .inlined, name: "g", file: "a.h", line: 120),
        ],
        0x11: [
            NamedFrame(kind: .native, name: "f", file: "a.c", line: 7),
            NamedFrame(kind: .inlined, name: "g", file: "a.h", line: 121),
        ],
        0x12: [NamedFrame(kind: .native, name: "cpu 7", file: "a.c", line: 9)],
    ])
    let profile = profile(
        ["p/t;0x10@m": 1, "p/t;0x11@m": 2, "p/t;0x12@m": 3, "p/t;i:run@a.py:3;k:read": 4, "p/t;h": 5], names: names)
    #expect(
        lines(Folded(of: profile, withThreads: true, withLines: true)) == [
            "p;t;cpu_7:9 3", "p;t;f:7;g:120_[i] 1", "p;t;f:7;g:121_[i] 2", "p;t;h 5", "p;t;run:3;read_[k] 4",
        ])
    #expect(
        lines(Folded(of: profile, withLines: true, isPlain: true)) == [
            "p;cpu_7:9 3", "p;f:7;g:120 1", "p;f:7;g:121 2", "p;h 5", "p;run:3;read 4",
        ])
    #expect(lines(Folded(of: profile)) == ["p;cpu_7 3", "p;f;g_[i] 3", "p;h 5", "p;run;read_[k] 4"])
}

@Test func `a name can break no line and add no element or value`() {
    let names = NamesByAddress([
        1: [NamedFrame(kind: .native, name: "a;b\nc\u{1B}[31m\u{202E}")], 2: [NamedFrame(kind: .native, name: "cpu 7")],
        3: [NamedFrame(kind: .native, name: "")], 4: [NamedFrame(kind: .native, name: "operator new(int, char) const")],
    ])
    let profile = profile(["p/p;0x1@m": 1, "p/p;0x2@m": 2, "p/p;0x3@m": 3, "p/p;0x4@m": 4], names: names)
    #expect(
        lines(Folded(of: profile)) == [
            "p;[unknown] 3", "p;a:b\\nc\\x1b[31m\\u{202e} 1", "p;cpu_7 2", "p;operator new(int, char) const 4",
        ])
}

@Test func `stacks that read the same are one line`() {
    let names = NamesByAddress([
        1: [NamedFrame(kind: .native, name: "a;b")], 2: [NamedFrame(kind: .native, name: "a:b")],
    ])
    #expect(lines(Folded(of: profile(["p/p;0x1@m": 1, "p/p;0x2@n": 2], names: names))) == ["p;a:b 3"])
}

@Test func `lines are sorted by their bytes as sort -c wants them`() {
    let names = NamesByAddress([
        1: [NamedFrame(kind: .native, name: "a")], 2: [NamedFrame(kind: .native, name: "a b")],
        3: [NamedFrame(kind: .native, name: "a!")], 4: [NamedFrame(kind: .native, name: "ä")],
        5: [NamedFrame(kind: .native, name: "a \u{21}")],
    ])
    let found = lines(
        Folded(
            of: profile(["p/p;0x1@m": 9, "p/p;0x2@m": 1, "p/p;0x3@m": 1, "p/p;0x4@m": 1, "p/p;0x5@m": 1], names: names))
    )
    #expect(found == found.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) })
    #expect(found.count == 5)
}

@Test func `values are samples, and microseconds where rates are mixed or the unit is asked for`() {
    var builder = SampleBuilder()
    builder.add(rate: 100, ["p/p;a": 2])
    let steady = NamedProfile(builder.samples, symbolizer: NamesByAddress())
    #expect(lines(Folded(of: steady)) == ["p;a 2"])
    #expect(Folded(of: steady).note == nil)
    #expect(lines(Folded(of: steady, measure: .unit)) == ["p;a 20000"])
    builder.period = 1_000_499
    builder.add(rate: 1000, ["p/p;a": 1, "p/p;b": 1])
    let mixed = Folded(of: NamedProfile(builder.samples, symbolizer: NamesByAddress()))
    #expect(lines(mixed) == ["p;a 21000", "p;b 1000"])
    #expect(mixed.unitName == "microseconds")
    #expect(mixed.note?.contains("microseconds") == true)
    #expect(
        lines(Folded(of: NamedProfile(builder.samples, symbolizer: NamesByAddress()), measure: .samples)) == [
            "p;a 3", "p;b 1",
        ])
}
