import Analysis
import Profiles
import SampleBuilder
import Testing

private let start = Timestamp(seconds: 1_790_000_000)
private let millisecond: Int64 = 1_000_000

private func range(_ from: Int64, _ to: Int64) -> TimeRange {
    TimeRange(start: start + from * millisecond, end: start + to * millisecond)
}

/// Moments at milliseconds since the start, of 10 ms each, within windows in milliseconds.
private func moments(_ times: [Int64], windows: [(Int64, Int64)], lossy: Set<Int> = []) -> SampleMoments {
    var moments = SampleMoments()
    moments.moments = times.map {
        SampleMoments.Moment(time: start + $0 * millisecond, key: 0, node: 0, weight: 10_000_000)
    }
    moments.windows = windows.enumerated().map { index, window in
        SampleMoments.Window(range: range(window.0, window.1), dropped: lossy.contains(index) ? 3 : 0)
    }
    return moments
}

@Suite struct FlameScopeTests {
    @Test func `a sample counts in the cell of its moment, as CPU time per time`() {
        let scope = FlameScope(
            moments([0, 19, 20, 1000, 1005, 1999], windows: [(0, 1000), (1000, 2000)]), range: range(0, 2000),
            samplesPerSecond: 100)
        #expect(scope.rows == 50 && scope.columns == 2 && scope.rowNanoseconds == 20 * millisecond)
        #expect(scope.cores(column: 0, row: 0) == 1 && scope.cores(column: 0, row: 1) == 0.5)
        #expect(scope.cores(column: 0, row: 2) == 0 && scope.cores(column: 1, row: 0) == 1)
        #expect(scope.cores(column: 1, row: 49) == 0.5)
        #expect(scope.cores.compactMap { $0 }.count == 100)
        #expect(scope.cores.reduce(0) { $0 + ($1 ?? 0) } * 0.02 == 0.06)
        let summary = scope.summary(column: 1)
        #expect(summary?.highest == 1 && summary?.row == 0)
    }

    @Test func `what was not measured is no idleness`() {
        // A hole from 0.5 to 0.8 s, and an end in the middle of a cell of the second second.
        let scope = FlameScope(
            moments([100, 900], windows: [(0, 500), (800, 1000), (1000, 1110)]), range: range(0, 1110),
            samplesPerSecond: 100)
        #expect(scope.columns == 2)
        for row in 0..<50 {
            let isMeasured = row < 25 || row >= 40
            #expect((scope.cores(column: 0, row: row) != nil) == isMeasured, "row \(row)")
            // The cell from 1.10 to 1.12 s is measured by half.
            #expect((scope.cores(column: 1, row: row) != nil) == (row < 6), "row \(row)")
        }
        let nothing = FlameScope(SampleMoments(), range: range(0, 1000), samplesPerSecond: 100)
        #expect(nothing.cores.allSatisfy { $0 == nil } && nothing.brightest == 0 && nothing.summary(column: 0) == nil)
    }

    @Test func `cells of windows that lost samples say so, and samples outside are counted`() {
        let scope = FlameScope(
            moments([-5, 100, 1000, 2000], windows: [(0, 260), (260, 500), (500, 1000)], lossy: [1]),
            range: range(0, 1000), samplesPerSecond: 100)
        #expect(scope.outside == 3)
        #expect((0..<50).filter { scope.hasLosses[$0] } == Array(13..<25))
    }

    @Test(arguments: [(1000.0, 50), (100, 50), (49, 40), (20, 20), (10, 10), (4, 4), (1, 1)])
    func `rows are no shorter than the time between samples`(rate: Double, rows: Int) {
        let scope = FlameScope(SampleMoments(), range: range(0, 1000), samplesPerSecond: rate)
        #expect(scope.rows == rows && Int64(rows) * scope.rowNanoseconds == 1_000_000_000)
    }

    @Test func `ten hours are cut, and none is nothing`() {
        let long = FlameScope(SampleMoments(), range: range(0, 36_000_000), samplesPerSecond: 10)
        #expect(long.columns == FlameScope.mostColumns)
        #expect(FlameScope(SampleMoments(), range: range(5, 5), samplesPerSecond: 100).cores.isEmpty)
    }

    @Test func `a span holds exactly what was sampled in it`() throws {
        var builder = SampleBuilder()
        let hot = builder.intern("p/t;main;hot"), cut = builder.intern("p/t;m:[truncated];deep")
        builder.add(["p/t;main;hot": 4, "p/t;m:[truncated];deep": 2])
        var set = builder.samples
        set.slices[0].quality = StackQuality(whole: 4, cut: 2, broken: 0)
        var times = moments([], windows: [(0, 250), (250, 500), (500, 750)])
        for (time, node, weight) in [
            (10, hot, 1), (200, hot, 2), (300, cut, 3), (320, hot, 4), (499, cut, 5), (600, hot, 6),
        ] as [(Int64, UInt32, UInt64)] {
            times.moments.append(
                SampleMoments.Moment(time: start + time * millisecond, key: 0, node: node, weight: weight))
        }
        let narrow = set.narrowed(to: range(200, 499), by: times)
        #expect(narrow.slices.map(\.window) == [range(200, 250), range(250, 499)])
        #expect(narrow.slices.map(\.stacks.sampleCount) == [1, 2] && narrow.totalWeight == 9)
        #expect(
            narrow.slices.map(\.quality) == [
                StackQuality(whole: 1, cut: 0, broken: 0), StackQuality(whole: 1, cut: 1, broken: 0),
            ])
        let profile = NamedProfile(narrow, symbolizer: NamesByAddress(), range: range(200, 499))
        #expect(profile.ranking(by: .function, sort: .self).rows.map(\.name) == ["hot", "deep", "main"])
        #expect(set.narrowed(to: range(0, 750), by: times).sampleCount == 6)
        #expect(set.narrowed(to: range(800, 900), by: times).slices.isEmpty)
        // Where a profile can't tell whole stacks, no part of it can.
        set.slices[0].quality = StackQuality(whole: nil, cut: 2, broken: nil)
        #expect(set.narrowed(to: range(0, 750), by: times).slices[0].quality.whole == nil)
    }
}
