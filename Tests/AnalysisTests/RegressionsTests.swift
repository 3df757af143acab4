import Analysis
import Profiles
import SampleBuilder
import Testing

private func regressions(
    _ base: SampleSet, _ against: SampleSet, limit: Int = 20, isLarge: (DifferenceRow) -> Bool = { _ in true }
) -> Regressions {
    Regressions(
        ProfilePair(SamplePair(base: base, against: against), symbolizer: NamesByAddress()),
        options: DifferenceOptions(sort: .self, limit: limit), isLarge: isLarge)
}

/// Eight hosts; from window 30 on `slow` takes 300 of 1,300 samples where it took 200 of 1,200, and `new` comes up.
private func fleet(_ windows: Range<Int>) -> SampleSet {
    var builder = SampleBuilder()
    for window in windows {
        for host in 0..<8 {
            let isAfter = window >= 30
            // Hosts go to the new version one after the other.
            let version = window >= 30 + host ? "2" : "1"
            let noise = UInt64((window * 7 + host * 5) % 11)
            var stacks: [(String, UInt64)] = [
                ("p/t;main;steady", 1000 - noise), ("p/t;main;slow", (isAfter ? 300 : 200) + noise),
            ]
            if version == "2" { stacks.append(("p/t;main;new", 50)) }
            builder.add(host: "h\(host)", version: version, window: window, stacks: stacks)
        }
    }
    return builder.samples
}

@Test func `what grew is told with when and in which version it did`() throws {
    let found = regressions(fleet(0..<30), fleet(30..<60))
    #expect(found.grown.map(\.row.name) == ["slow", "new"])
    #expect(found.grownCount == 2 && found.shareOnlyCount == 0 && found.difference.rows.isEmpty)
    let start = Timestamp(seconds: 1_790_000_000 / 86_400 * 86_400)
    let slow = try #require(found.grown.first)
    #expect(slow.onset.firstSeen == start && slow.onset.firstVersion == "1")
    #expect(slow.onset.since == start + 300_000_000_000)
    // The first windows with version 1 are mostly before the change: only in version 2 is it large all along.
    #expect(slow.onset.sinceVersion == "2")
    let new = try #require(found.grown.last)
    #expect(new.onset.firstSeen == start + 300_000_000_000 && new.onset.firstVersion == "2")
    // Half of the hosts have it four windows later.
    let since = try #require(new.onset.since)
    #expect(since >= start + 300_000_000_000 && since <= start + 380_000_000_000)
    #expect(new.onset.sinceVersion == "2")
}

@Test func `growth is held to a least size, and rows to a limit`() {
    let (base, against) = (fleet(0..<30), fleet(30..<60))
    #expect(regressions(base, against) { $0.delta.value > 0.045 }.grown.map(\.row.name) == ["slow"])
    #expect(regressions(base, against) { $0.delta.value > 0.5 }.grownCount == 0)
    let one = regressions(base, against, limit: 1)
    #expect(one.grown.count == 1 && one.grownCount == 2)
    #expect(regressions(against, base).grown.map(\.row.name) == [])
    #expect(regressions(fleet(0..<15), fleet(15..<30)).grownCount == 0)
}

@Test func `a function that only has a larger share since another one shrank is no regression`() {
    func side(_ first: Int, gone: UInt64) -> SampleSet {
        var builder = SampleBuilder()
        for window in first..<first + 20 {
            for host in 0..<6 {
                let noise = UInt64((window * 3 + host) % 7)
                builder.add(
                    host: "h\(host)", window: window,
                    stacks: [("p/t;main;kept", 400 + noise), ("p/t;main;gone", gone), ("p/t;main;rest", 300)])
            }
        }
        return builder.samples
    }
    let found = regressions(side(0, gone: 500), side(20, gone: 20))
    #expect(found.grown.isEmpty && found.shareOnlyCount == 2)
}
