public import Profiles

/// What changed in the stacks where a series of a timeline changed its level: what lies between the change before and
/// this one, against what lies between this one and the next, as `Difference` compares any two selections.
///
/// The split was chosen because the level differs most there, so a p-value of the level itself would be too small; that
/// of a function's share is not, where shares have no part in the level.
public struct ChangeExplanation: Sendable {
    public enum Verdict: String, Hashable, Sendable, CaseIterable {
        /// Functions changed their shares beyond chance.
        case functions
        /// The hosts' cores changed beyond chance, and the share of no function did.
        case alike
        /// Nothing is proved.
        case withinNoise
        /// There was nothing before, or is nothing after.
        case began, ended
    }

    /// Hosts with samples on either side.
    public var hostsBefore: Int
    public var hostsAfter: Int
    /// Of the whole series, per host with samples and time that it was measured for; nil where the type is no CPU time.
    public var coresBefore: Double?
    public var coresAfter: Double?
    public var deltaCores: Change?
    public var basis: IntervalBasis
    public var verdict: Verdict
    /// The first of the functions whose shares changed beyond chance: those that moved themselves, then those whose
    /// share alone did.
    public var rows: [DifferenceRow]
    public var functionCount: Int
    public var testedCount: Int
    public var significantCount: Int
    /// The smallest change in share that would be seen four times in five in any function tested; nil without such.
    public var visibleChange: Double?
}

extension Timeline {
    /// More are not explained; the largest are.
    public static let mostExplained = 20

    /// By change; nil beyond `mostExplained`. The changes of a host, service, version, label, process or thread are
    /// told by its own stacks, those of code by all that was selected, so that callers and callees are there.
    ///
    /// - Parameters:
    ///   - samples: those that the timeline is of, `dimension`, `filter` and `delivered` as it was made with.
    ///   - functions: rows at most.
    public func explanations(
        by dimension: Dimension?, of samples: SampleSet, symbolizer: some Symbolizer, filter: FrameFilter,
        delivered: SampleSet, sort: RankingOrder, functions: Int = 5
    ) -> [ChangeExplanation?] {
        let largest = changes.indices.sorted {
            let (one, other) = (abs(changes[$0].to - changes[$0].from), abs(changes[$1].to - changes[$1].from))
            return one != other ? one > other : $0 < $1
        }
        let chosen = Set(largest.prefix(Self.mostExplained))
        guard !chosen.isEmpty else { return [] }
        let clock = StepClock(of: self)
        let comparer = SegmentComparer(
            samples: samples, names: StackNames(samples, symbolizer: symbolizer, filter: filter), filter: filter,
            clock: clock, measured: MeasuredTime(delivered, clock: clock),
            options: DifferenceOptions(sort: sort, limit: Int.max), mostRows: functions)
        var parts: [Int: [SampleSlice]] = [:]
        return changes.indices.map { index in
            guard chosen.contains(index) else { return nil }
            let series = changes[index].series
            let edges =
                [0] + changes.filter { $0.series == series }.compactMap { clock.step(of: $0.at) } + [clock.count]
            guard let split = clock.step(of: changes[index].at), let place = edges.dropFirst().firstIndex(of: split),
                place + 1 < edges.count
            else { return nil }
            let part = parts[series] ?? samples.part(of: self.series[series].name, by: dimension)
            parts[series] = part
            return comparer.compare(part, before: edges[place - 1]..<split, after: split..<edges[place + 1])
        }
    }
}

private struct SegmentComparer {
    let samples: SampleSet
    let names: StackNames
    let filter: FrameFilter
    let clock: StepClock
    let measured: MeasuredTime
    let options: DifferenceOptions
    let mostRows: Int

    func compare(_ slices: [SampleSlice], before: Range<Int>, after: Range<Int>) -> ChangeExplanation {
        func side(_ steps: Range<Int>) -> Side { Side(slices, of: samples, in: steps, clock, measured) }
        let (base, against) = (side(before), side(after))
        var explanation = ChangeExplanation(
            hostsBefore: base.hosts, hostsAfter: against.hosts, coresBefore: nil, coresAfter: nil, deltaCores: nil,
            basis: .samples, verdict: base.hosts == 0 ? .began : .ended, rows: [], functionCount: 0, testedCount: 0,
            significantCount: 0, visibleChange: nil)
        guard base.hosts > 0, against.hosts > 0 else { return explanation }

        var both = samples
        both.slices = base.slices + against.slices
        let pair = ProfilePair(
            both, base: base.slices, against: against.slices, names: names, filter: filter,
            ranges: (base.range, against.range), hostTime: (base.hostTime, against.hostTime))
        let difference = Difference(pair, options: options)
        let significant = difference.rows.filter { $0.isSignificant }
        explanation.rows = Array(
            (significant.filter { $0.movement != .shareOnly } + significant.filter { $0.movement == .shareOnly })
                .prefix(mostRows))
        explanation.basis = difference.basis
        explanation.functionCount = difference.rowCount
        explanation.testedCount = difference.testedCount
        explanation.significantCount = difference.significantCount
        explanation.visibleChange = difference.onePoint?.visible

        // Everything as one row.
        func shown(_ profile: NamedProfile) -> [Double] { [Double(profile.shown.value)] }
        let whole = Comparison(pair, totals: (shown(pair.base), shown(pair.against))) { indices in
            let stacks = indices.map { pair.both.slices[$0].stacks }
            return (
                Double(stacks.reduce(UInt64(0)) { $0 &+ $1.totalWeight }),
                [Double(stacks.reduce(UInt64(0)) { $0 &+ pair.both.shownWeight($1) })]
            )
        }
        var isProved = false
        if let cores = whole.rates {
            var critical = CriticalValues()
            (explanation.coresBefore, explanation.coresAfter) = cores.ratios(0)
            explanation.deltaCores = cores.change(of: 0, &critical)
            isProved = cores.pValue(of: 0) <= options.falseDiscoveryRate
        }
        explanation.verdict =
            difference.significantCount > 0
            ? .functions : isProved && difference.testedCount > 0 ? .alike : .withinNoise
        return explanation
    }

    /// What lies in some steps.
    private struct Side {
        var slices: [SampleSlice]
        /// Those with samples.
        var hosts: Int
        var range: TimeRange
        /// Nanoseconds.
        var hostTime: Double

        init(
            _ all: [SampleSlice], of samples: SampleSet, in steps: Range<Int>, _ clock: StepClock,
            _ measured: MeasuredTime
        ) {
            slices = all.filter { slice in
                !slice.stacks.nodes.isEmpty && clock.step(of: slice.window.start).map { steps.contains($0) } == true
            }
            let hosts = Set(slices.map { samples.hosts[Int($0.host)] })
            self.hosts = hosts.count
            range = TimeRange(
                start: clock.start + Int64(steps.lowerBound) * clock.nanoseconds,
                end: clock.start + Int64(steps.upperBound) * clock.nanoseconds)
            hostTime = measured.seconds(of: hosts, in: steps) * 1e9
        }
    }
}

extension SampleSet {
    /// The slices of one series of a timeline; all of them where series are code.
    fileprivate func part(of name: String, by dimension: Dimension?) -> [SampleSlice] {
        func owned(_ names: [String]) -> [SampleSlice] { slices.filter { names[Int($0.key)] == name } }
        func named(_ words: [UInt32]) -> [SampleSlice] {
            var part = self
            part.keep(StackElements(stacks).end) { words[$0] != Frame.none && stacks.strings[Int(words[$0])] == name }
            return part.slices
        }
        switch dimension {
        case nil, .function, .line, .module: return slices
        case .host:
            let names = Host.distinctNames(hosts)
            return slices.filter { names[Int($0.host)] == name }
        case .service: return owned(keys.map(\.service))
        case .version: return owned(keys.map { $0.version.isEmpty ? Dimension.missing : $0.version })
        case .label(let label):
            return owned(keys.map { key in key.labels.first { $0.name == label }?.value ?? Dimension.missing })
        case .process: return named(StackElements(stacks).process)
        case .thread: return named(StackElements(stacks).thread)
        }
    }
}
