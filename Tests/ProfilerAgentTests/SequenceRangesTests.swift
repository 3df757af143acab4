import Testing

@testable import ProfilerAgent

@Suite struct SequenceRangesTests {
    @Test func `ranges hold what a set of the same numbers holds`() {
        let seed = testSeed()
        print("SEED=\(seed)")
        var random = SplitMix64(state: seed)
        for _ in 0..<200 {
            var ranges = SequenceRanges()
            var set: Set<UInt64> = []
            for _ in 0..<60 {
                if random.next() % 10 == 0 {
                    let last = random.next() % 40
                    ranges.removeThrough(last)
                    set = set.filter { $0 > last }
                } else {
                    let first = random.next() % 50
                    let last = first + random.next() % 4
                    ranges.insert(first...last)
                    set.formUnion(first...last)
                }
                #expect((0...60).allSatisfy { ranges.contains($0) == set.contains($0) })
                for (left, right) in zip(ranges.ranges, ranges.ranges.dropFirst()) {
                    #expect(left.upperBound + 1 < right.lowerBound)
                }
            }
        }
    }
}
