public import Profiles

/// When a function was first seen, and when it became as large as it is.
public struct Onset: Hashable, Sendable {
    /// The start of the first window, of either side, with the function in its stacks.
    public var firstSeen: Timestamp
    /// That ran in this window, with the function; empty where it was not told.
    public var firstVersion: String
    /// From when its share has been nearer to what it is on the later side than to what it was; nil where no moment
    /// stands out.
    public var since: Timestamp?
    /// The first version seen in which its share is so; nil where none is.
    public var sinceVersion: String?
}

public struct Regression: Hashable, Sendable {
    public var row: DifferenceRow
    public var onset: Onset
}

/// Functions that take more than before, by proof and by size.
///
/// A function grew where its share did beyond chance, and not only because others shrank (`Movement`): such ones are
/// counted apart.
public struct Regressions: Sendable {
    /// The comparison behind it, without rows.
    public var difference: Difference
    /// The first of those that grew.
    public var grown: [Regression]
    public var grownCount: Int
    public var shareOnlyCount: Int

    /// - Parameter isLarge: whether a row's growth is of a size that matters.
    public init(
        _ pair: ProfilePair, options: DifferenceOptions, isLarge: (DifferenceRow) -> Bool
    ) {
        var all = options
        all.order = .evidence
        all.limit = Int.max
        difference = Difference(pair, options: all)
        let large = difference.rows.filter { $0.delta.value > 0 && isLarge($0) }
        let rows = large.filter { $0.movement == .grew }
        grownCount = rows.count
        shareOnlyCount = large.reduce(0) { $0 + ($1.movement == .shareOnly ? 1 : 0) }
        difference.rows = []
        let shown = Array(rows.prefix(max(0, options.limit)))
        let onsets = FunctionHistory(pair.both, rows: shown, sort: options.sort).onsets(of: shown)
        grown = zip(shown, onsets).map { Regression(row: $0, onset: $1) }
    }
}

/// Shares of a few functions over time and by version.
private struct FunctionHistory {
    private let profile: NamedProfile
    private let sort: RankingOrder
    private var accumulator: UnitAccumulator
    /// Slices by window, and windows by step: one after the other, in order of time.
    private let steps: [[[Int]]]

    /// More steps than this make noise of small numbers.
    private static let mostSteps = 500

    init(_ profile: NamedProfile, rows: [DifferenceRow], sort: RankingOrder) {
        self.profile = profile
        self.sort = sort
        var groups = RankedGroups(profile, by: .function)
        groups.choose(rows)
        accumulator = groups.accumulator(of: profile)
        var windows: [Timestamp: [Int]] = [:]
        for (index, slice) in profile.slices.enumerated() { windows[slice.window.start, default: []].append(index) }
        let sorted = windows.sorted { $0.key < $1.key }.map(\.value)
        let each = max(1, (sorted.count + Self.mostSteps - 1) / Self.mostSteps)
        steps = stride(from: 0, to: sorted.count, by: each).map { Array(sorted[$0..<min(sorted.count, $0 + each)]) }
    }

    func onsets(of rows: [DifferenceRow]) -> [Onset] {
        guard !rows.isEmpty else { return [] }
        var accumulator = accumulator
        var shares = [[Double]](repeating: [], count: rows.count)
        var firstStep = [Int?](repeating: nil, count: rows.count)
        for (step, windows) in steps.enumerated() {
            let whole = accumulator.addUp(Array(windows.joined()))
            for row in rows.indices {
                if accumulator.total[row] > 0, firstStep[row] == nil { firstStep[row] = step }
                let value = sort == .self ? accumulator.own[row] : accumulator.total[row]
                shares[row].append(whole > 0 ? Double(value) / Double(whole) : 0)
            }
        }
        let versions = versionShares(rows.count, &accumulator)
        return rows.indices.map { row in
            let (base, against) = (rows[row].baseShare, rows[row].againstShare)
            let middle = (base + against) / 2
            var onset = first(row, step: firstStep[row] ?? 0, &accumulator)
            let level = ChangePoints.levels(shares[row]).changes.first { $0.before < middle && $0.mean >= middle }
            onset.since = level.map { start(of: steps[$0.start]) } ?? (base == 0 ? onset.firstSeen : nil)
            onset.sinceVersion = versions.first { $0.shares[row] >= middle }?.version
            return onset
        }
    }

    private func start(of windows: [[Int]]) -> Timestamp {
        windows.first?.first.map { profile.slices[$0].window.start } ?? profile.range.start
    }

    /// The first window of a step that has the function, and the version that has most of it there.
    private func first(_ row: Int, step: Int, _ accumulator: inout UnitAccumulator) -> Onset {
        for window in steps[step] {
            _ = accumulator.addUp(window)
            guard accumulator.total[row] > 0 else { continue }
            var weights: [String: UInt64] = [:]
            for index in window {
                _ = accumulator.addUp([index])
                weights[profile.keys[Int(profile.slices[index].key)].version, default: 0] += accumulator.total[row]
            }
            let version = weights.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? ""
            return Onset(firstSeen: start(of: [window]), firstVersion: version)
        }
        return Onset(firstSeen: start(of: steps[step]), firstVersion: "")
    }

    /// By the time of their first windows. Samples that tell no version are left out.
    private func versionShares(
        _ rows: Int, _ accumulator: inout UnitAccumulator
    ) -> [(version: String, shares: [Double])] {
        var slices: [String: [Int]] = [:]
        for index in steps.joined().joined() {
            slices[profile.keys[Int(profile.slices[index].key)].version, default: []].append(index)
        }
        let sorted = slices.filter { !$0.key.isEmpty }.sorted { left, right in
            let (one, other) = (start(of: [left.value]), start(of: [right.value]))
            return one != other ? one < other : left.key < right.key
        }
        return sorted.map { version, indices in
            let whole = accumulator.addUp(indices)
            let values = sort == .self ? accumulator.own : accumulator.total
            return (version, values.map { whole > 0 ? Double($0) / Double(whole) : 0 })
        }
    }
}
