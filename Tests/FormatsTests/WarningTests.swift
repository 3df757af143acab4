import Analysis
import Formats
import Profiles
import SampleBuilder
import Testing

private func header(
    samples: UInt64 = 10_000, hosts: Int = 20, silent: Int = 0, dropped: UInt64 = 0, cut: UInt64 = 0,
    unsymbolised: UInt64 = 0, basis: IntervalBasis = .hosts(20)
) -> AnswerHeader {
    let day = TimeRange(start: Timestamp(seconds: 0), end: Timestamp(seconds: 86_400))
    var coverage = Coverage(
        hosts: hosts, hostsSilent: silent, agents: hosts, dropped: [.ringFull: dropped],
        quality: StackQuality(whole: samples - cut, cut: cut, broken: 0))
    coverage.unsymbolised = unsymbolised
    return AnswerHeader(
        range: day, asked: day, type: .cpu, samples: samples, value: samples * 10_000_000, basis: basis,
        coverage: coverage)
}

@Test(
    arguments: [
        (header(), []), (header(samples: 99), ["only 99 samples: shares are rough"]),
        (header(samples: 1), ["only 1 sample: shares are rough"]), (header(silent: 2), []),
        (header(silent: 3), ["3 of 23 hosts are silent"]), (header(dropped: 500), []),
        (header(dropped: 600), ["600 samples of these hosts were dropped, of whichever service"]),
        (header(hosts: 4, basis: .hosts(4)), ["intervals over 4 hosts are wide"]),
        (header(hosts: 1, basis: .time(blocks: 10)), []),
        (header(cut: 1_000), []), (header(cut: 1_200), ["12 % of stacks are not whole: callers are missing"]),
        (header(unsymbolised: 2_000), []),
        (header(unsymbolised: 3_000), ["30 % of samples are in functions without a name"]),
        (header(samples: 50, silent: 9), ["only 50 samples: shares are rough", "9 of 29 hosts are silent"]),
    ] as [(AnswerHeader, [String])])
func `an answer says what makes it poor, and nothing where it is not`(header: AnswerHeader, warnings: [String]) {
    #expect(AnswerWarnings.warnings(header, about: .code) == warnings)
}

@Test func `names and callers are of no concern to a question about services`() {
    #expect(AnswerWarnings.warnings(header(cut: 9_000, unsymbolised: 9_000), about: .owners) == [])
}

@Test func `samples in functions without a name are counted, inlined ones by the innermost`() {
    var builder = SampleBuilder()
    builder.add(["p/p;main;0x10@lib.so": 3, "p/p;0x10@lib.so;main": 4, "p/p;0x20@lib.so": 8, "p/p": 16])
    let names = NamesByAddress([0x20: [NamedFrame(kind: .native, name: "known")]])
    let profile = NamedProfile(builder.samples, symbolizer: names)
    #expect(profile.unsymbolisedSamples == 3)
    #expect(Coverage(of: profile).unsymbolised == 3)
    #expect(
        SummaryLine.stacks(Coverage(of: profile), of: 30)?.hasSuffix("10.0 % in functions without a name") == true)
}
