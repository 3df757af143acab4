public import Profiles

/// CPU time of one host by second and by offset within the second: what a thread does in bursts, or now and then, shows as
/// a pattern (the picture is Netflix's FlameScope, 2018).
public struct FlameScope: Sendable {
    /// Where a profile begins: its first column begins there, too.
    public let start: Timestamp
    /// Of one row; all rows make one second.
    public let rowNanoseconds: Int64
    public let rows: Int
    public let columns: Int
    /// Column by column: CPU time per time that was measured (cores); nil where nothing was.
    public private(set) var cores: [Double?]
    /// Column by column: whether samples of the host were lost about then.
    public private(set) var hasLosses: [Bool]
    /// What the brightest cell is: nearly the highest there is, so that one burst does not darken all others; 0 where all
    /// is idle.
    public let brightest: Double
    /// Moments outside of what was measured: samples that were delivered late, or were taken beforehand.
    public private(set) var outside: UInt64 = 0

    /// More seconds than fit on a screen or in a file; what comes later is not drawn, and told.
    public static let mostColumns = 3600

    /// - Parameters:
    ///   - range: what was measured, as far as the windows say so, too.
    ///   - samplesPerSecond: rows are no shorter than the time between two samples, nor than 20 ms.
    public init(_ moments: SampleMoments, range: TimeRange, samplesPerSecond: Double) {
        let second: Int64 = 1_000_000_000
        let rowMilliseconds: Int64 =
            [20, 25, 40, 50, 100, 125, 200, 250, 500].first { Double($0) * samplesPerSecond >= 1000 } ?? 1000
        let row = rowMilliseconds * 1_000_000
        rowNanoseconds = row
        rows = Int(1000 / rowMilliseconds)
        start = range.start
        let span = max(0, range.end.nanoseconds &- range.start.nanoseconds)
        columns = min(Self.mostColumns, Int((span + second - 1) / second))
        let count = rows * columns
        var covered = [Int64](repeating: 0, count: count)
        hasLosses = Array(repeating: false, count: count)
        // A window with samples whose times are not known was not measured here: its cells would look idle.
        for window in moments.windows where window.refused == 0 {
            let from = max(0, window.range.start.nanoseconds - range.start.nanoseconds)
            let to = min(span, window.range.end.nanoseconds - range.start.nanoseconds)
            guard from < to else { continue }
            var cell = from / row
            while cell * row < to, cell < Int64(count) {
                covered[Int(cell)] += min(to, (cell + 1) * row) - max(from, cell * row)
                if window.dropped > 0 { hasLosses[Int(cell)] = true }
                cell += 1
            }
        }
        var weights = [UInt64](repeating: 0, count: count)
        for moment in moments.moments {
            let offset = moment.time.nanoseconds &- range.start.nanoseconds
            guard offset >= 0, offset < span else {
                outside += 1
                continue
            }
            if offset / row < Int64(count) { weights[Int(offset / row)] &+= moment.weight }
        }
        cores = zip(weights, covered).map { weight, time in
            // A sliver of a cell tells nothing, and its rate would be the highest of all.
            time * 4 >= row ? Double(weight) / Double(time) : nil
        }
        let known = cores.compactMap { $0 }.filter { $0 > 0 }.sorted()
        brightest = known.last.map { max($0 / 2, known[known.count * 99 / 100]) } ?? 0
    }

    public func cores(column: Int, row: Int) -> Double? { cores[column * rows + row] }

    /// Mean of a column's measured cells, and the highest with its row; nil where nothing was measured.
    public func summary(column: Int) -> (mean: Double, highest: Double, row: Int)? {
        let known = (0..<rows).compactMap { row in cores(column: column, row: row).map { (row, $0) } }
        guard let highest = known.max(by: { $0.1 < $1.1 }) else { return nil }
        return (known.reduce(0) { $0 + $1.1 } / Double(known.count), highest.1, highest.0)
    }
}

extension SampleSet {
    /// The samples of a span of time, by the moments at which they were taken; blocks of time stay those of the windows, as
    /// far as these lie in it.
    public func narrowed(to span: TimeRange, by moments: SampleMoments) -> SampleSet {
        let ends = StackElements(stacks).end
        let windows = moments.windows.map(\.range).filter { $0.overlaps(span) }.sorted { $0.start < $1.start }
        guard !windows.isEmpty else { return SampleSet(stacks: stacks, hosts: hosts, keys: keys) }
        struct Place: Hashable {
            var window: Int
            var key: UInt32
        }
        var rates: [UInt32: Double] = [:]
        var hasQuality: [UInt32: Bool] = [:]
        for slice in slices {
            rates[slice.key] = slice.samplesPerSecond
            // Frame pointers can't tell a whole stack from a short one.
            hasQuality[slice.key] = hasQuality[slice.key] ?? true && slice.quality.whole != nil
        }
        var sums: [Place: [UInt32: (count: UInt64, weight: UInt64)]] = [:]
        for moment in moments.moments where moment.time >= span.start && moment.time < span.end {
            // The last window that begins before the moment; one that came late lies in the first.
            var (low, high) = (0, windows.count)
            while low < high {
                let middle = (low + high) / 2
                if windows[middle].start <= moment.time { low = middle + 1 } else { high = middle }
            }
            let place = Place(window: max(0, low - 1), key: moment.key)
            sums[place, default: [:]][moment.node, default: (0, 0)].count &+= 1
            sums[place, default: [:]][moment.node, default: (0, 0)].weight &+= moment.weight
        }
        var narrowed = SampleSet(stacks: stacks, hosts: hosts, keys: keys)
        for (place, nodes) in sums.sorted(by: { ($0.key.window, $0.key.key) < ($1.key.window, $1.key.key) }) {
            let sorted = nodes.sorted { $0.key < $1.key }
            var quality = StackQuality(whole: 0, cut: 0, broken: 0)
            for (node, sum) in sorted {
                switch ends[Int(node)] {
                case .whole: quality.whole = (quality.whole ?? 0) &+ sum.count
                case .cut: quality.cut = (quality.cut ?? 0) &+ sum.count
                case .broken: quality.broken = (quality.broken ?? 0) &+ sum.count
                }
            }
            if hasQuality[place.key] != true { (quality.whole, quality.broken) = (nil, nil) }
            let window = windows[place.window]
            narrowed.slices.append(
                SampleSlice(
                    host: 0, key: place.key,
                    window: TimeRange(start: max(window.start, span.start), end: min(window.end, span.end)),
                    samplesPerSecond: rates[place.key] ?? 0,
                    stacks: StackCounts(
                        nodes: sorted.map(\.key), counts: sorted.map(\.value.count),
                        weights: sorted.map(\.value.weight)),
                    quality: quality))
        }
        return narrowed
    }
}

extension NamedProfile {
    /// The call tree, and for each moment which node of it the sample's innermost function is.
    ///
    /// - Parameter moments: of the samples that this profile names.
    public func timedCallTree(_ moments: SampleMoments) -> (tree: CallTree, places: [UInt32]) {
        let (tree, place) = placedCallTree(withThreads: false, byLine: false)
        return (tree, moments.moments.map { place[Int(namedNode[Int($0.node)])] })
    }
}
