public import Profiles

/// What a file of another tool does not say of its samples; what is given here wins over what it says.
public struct ImportFacts: Hashable, Sendable {
    public var service: String?
    public var host: String?
    /// Name of a profile type.
    public var type: String?
    public var labels: [Label] = []
    /// What a bare count weighs: 1 / rate seconds.
    public var samplesPerSecond = 100.0
    /// The one event whose samples are taken from a text of perf script; nil takes all.
    public var event: String?

    public init() {}

    var nanosecondsPerSample: Double { 1e9 / samplesPerSecond }
}

/// One frame of a foreign stack.
struct ForeignFrame: Hashable {
    var kind = Frame.Kind.function
    var name: String
    var module: Module?
    var file = ""
    var line: UInt32 = 0
    var address: UInt64 = 0
}

/// Samples that were read from a file of another tool, added up by host, series and time.
public struct ForeignSamples: Sendable {
    /// Bounds on what is taken from a file.
    public enum Limits {
        /// Of a file, and of what it expands to.
        public static let bytes = 512 << 20
        /// Of one name; longer ones are cut.
        public static let nameBytes = 128 << 10
        /// Of one stack; what lies nearer the root is cut, and the stack says so.
        public static let depth = 2_040
        /// Distinct values of a label; one with more tells samples apart and no series, and is left away.
        public static let labelValues = 100
        /// What a reader makes of a file, and what its samples take, each about so many bytes.
        public static let memory = 1 << 30
        /// Frames of all stacks between the events of a file: so many steps are taken for it.
        static let eventedFrames = 1 << 26
        /// Windows of all hosts that samples without times are spread over: 62 days of one host without a gap.
        static let windows = 90_000
        /// Rows of all these windows, one at least for each stack.
        static let spreadRows = 8 << 20
    }

    struct Place: Hashable {
        var host: String
        var key: SeriesKey
        /// Nanoseconds since the first sample, a multiple of a window's length.
        var offset: Int64
    }

    struct Count: Hashable {
        var samples: UInt64 = 0
        var weight: UInt64 = 0
    }

    static let windowNanoseconds: Int64 = 10_000_000_000
    private static let longestWindow: Int64 = 60_000_000_000

    var stacks = StackTable()
    private(set) var counts: [Place: [UInt32: Count]] = [:]
    private var rowCount = 0
    private var placeBytes = 0
    /// Stacks that were cut here.
    private var cutNodes: Set<UInt32> = []
    private var overflowed = false

    /// When the first sample was taken, where the file tells.
    public var start: Timestamp?
    /// Over which time the samples were taken; nil where the file does not tell.
    public var durationNanoseconds: Int64?
    /// Whether each sample has its own time.
    var isTimed = false
    public var samplesPerSecond = 100.0
    /// Remarks for people: what was left away, and why.
    public internal(set) var notes: [String] = []

    init() {}

    public var sampleCount: UInt64 { counts.values.reduce(0) { $0 &+ $1.values.reduce(0) { $0 &+ $1.samples } } }

    /// The node of a stack, root first below process and thread.
    mutating func intern(process: String, thread: String, _ frames: [ForeignFrame]) -> UInt32 {
        intern(process: process, thread: thread, known: frames.suffix(Limits.depth + 1).map { intern($0) })
    }

    /// The same for frames that are in the table already.
    mutating func intern(
        process: String, thread: String, known frames: some BidirectionalCollection<UInt32>
    ) -> UInt32 {
        func element(_ kind: Frame.Kind, _ name: String) -> Frame {
            Frame(kind: kind, name: stacks.intern(Self.name(name)))
        }
        var node = stacks.intern(parent: StackTable.root, frame: stacks.intern(element(.process, process)))
        node = stacks.intern(parent: node, frame: stacks.intern(element(.thread, foldedThreadName(thread))))
        let kept = frames.suffix(Limits.depth)
        let isCut = kept.count < frames.count
        if isCut {
            let marker = Frame(kind: .marker, name: stacks.intern(Frame.truncatedMarker))
            node = stacks.intern(parent: node, frame: stacks.intern(marker))
        }
        for frame in kept { node = stacks.intern(parent: node, frame: frame) }
        if isCut { cutNodes.insert(node) }
        return node
    }

    mutating func intern(_ frame: ForeignFrame) -> UInt32 {
        var one = Frame(kind: frame.kind, address: frame.address)
        if frame.kind != .native { one.name = stacks.intern(Self.name(frame.name)) }
        if let module = frame.module {
            one.module = stacks.intern(Module(identity: module.identity, name: Self.name(module.name)))
        }
        if !frame.file.isEmpty, frame.kind.hasSource {
            one.file = stacks.intern(Self.name(frame.file))
            one.line = frame.line
        }
        return stacks.intern(one)
    }

    /// Whole up to the limit; cut between two characters beyond it.
    static func name(_ name: String) -> String {
        guard name.utf8.count > Limits.nameBytes else { return name.isEmpty ? "[unknown]" : name }
        var cut = name.utf8.index(name.startIndex, offsetBy: Limits.nameBytes)
        while cut > name.startIndex, cut.samePosition(in: name.unicodeScalars) == nil {
            cut = name.utf8.index(before: cut)
        }
        return name[..<cut] + "…"
    }

    mutating func add(
        _ node: UInt32, host: String, key: SeriesKey, at nanoseconds: Int64 = 0, samples: UInt64, weight: UInt64
    ) {
        guard samples > 0 else { return }
        let offset = max(0, nanoseconds) / Self.windowNanoseconds * Self.windowNanoseconds
        let place = Place(host: host, key: key, offset: offset)
        if counts[place] == nil {
            counts[place] = [:]
            // It becomes a slice, and a part of a batch, with its labels.
            placeBytes += 4096 + key.labels.reduce(0) { $0 + 64 + $1.name.utf8.count + $1.value.utf8.count }
        }
        guard let count = counts[place]?[node] else {
            rowCount += 1
            counts[place]?[node] = Count(samples: samples, weight: weight)
            return
        }
        let (sum, tooMany) = count.samples.addingReportingOverflow(samples)
        let (total, tooHeavy) = count.weight.addingReportingOverflow(weight)
        if tooMany || tooHeavy { overflowed = true }
        counts[place]?[node] = Count(samples: sum, weight: total)
    }

    /// What every reader asks after each sample: a small file can hold endlessly many stacks and series. What one sample
    /// adds is little.
    func checkMemory(_ place: FormatError.Place) throws(FormatError) {
        // About what the tables take for each entry, with their room to grow.
        let tables =
            stacks.nodes.count * 40 + stacks.frames.count * 64 + stacks.strings.count * 96
            + stacks.modules.count * 128
        guard tables + rowCount * 64 + placeBytes <= Limits.memory else {
            throw FormatError(
                place, "up to here it holds more stacks or series than fit into \(Limits.memory >> 20) MiB; split it")
        }
    }

    /// What every reader ends with.
    func checked() throws(FormatError) -> ForeignSamples {
        var sum: UInt64 = 0
        var isOver = overflowed
        for count in counts.values.lazy.flatMap(\.values) {
            let (total, overflow) = sum.addingReportingOverflow(max(count.weight, count.samples))
            sum = total
            if overflow { isOver = true }
        }
        if isOver || sum > UInt64(Int64.max) { throw FormatError(.whole, "its values are too large to add up") }
        guard let spread, spread.number * Int(Self.longestWindow) < spread.length else { return self }
        var samples = self
        samples.notes.append(
            "its samples have no times of their own: they were put evenly into \(spread.number) windows of a minute over"
                + " \(spread.length / 1_000_000_000) s, with gaps between")
        return samples
    }

    /// Over how many windows and nanoseconds samples without times are spread; nil where there is nothing to spread.
    private var spread: (number: Int, length: Int64)? {
        guard !isTimed, let length = durationNanoseconds, length > 0 else { return nil }
        let hosts = max(1, Set(counts.keys.lazy.map(\.host)).count)
        let whole = (length - 1) / Self.longestWindow + 1
        return (Int(min(whole, Int64(max(1, Limits.windows / hosts)))), length)
    }

    /// The samples as they were taken, or are put, at `moment`: in windows of 10 s where each has a time; where the file
    /// tells only how long it took, spread evenly over that time; else in a window without length, so that no answer
    /// makes cores of them.
    public func sampleSet(at moment: Timestamp) -> SampleSet {
        var set = SampleSet(stacks: stacks)
        var hosts: [String: UInt32] = [:]
        var keys: [SeriesKey: UInt32] = [:]
        let spread = spread
        let order = counts.keys.sorted {
            ($0.offset, $0.host, $0.key.service, $0.key.version, $0.key.type.name)
                < ($1.offset, $1.host, $1.key.service, $1.key.version, $1.key.type.name)
        }
        for place in order {
            let host = hosts[place.host] ?? UInt32(set.hosts.count)
            if Int(host) == set.hosts.count {
                hosts[place.host] = host
                set.hosts.append(Host(name: place.host, agent: Identifier(high: 0, low: 0)))
            }
            let key = keys[place.key] ?? UInt32(set.keys.count)
            if Int(key) == set.keys.count {
                keys[place.key] = key
                set.keys.append(place.key)
            }
            let rows = (counts[place] ?? [:]).sorted { $0.key < $1.key }.filter { $0.value.samples > 0 }
            for (window, part) in windows(of: rows, from: moment + place.offset, spread: spread) {
                let cut = part.reduce(UInt64(0)) { $0 + (cutNodes.contains($1.key) ? $1.value.samples : 0) }
                set.slices.append(
                    SampleSlice(
                        host: host, key: key, window: window, samplesPerSecond: samplesPerSecond,
                        stacks: StackCounts(
                            nodes: part.map(\.key), counts: part.map(\.value.samples),
                            weights: part.map(\.value.weight)),
                        quality: StackQuality(whole: nil, cut: cut, broken: nil)))
            }
        }
        return set
    }

    /// From the first window's start to the last one's end.
    public var spanNanoseconds: Int64 {
        let duration = max(0, durationNanoseconds ?? 0)
        guard isTimed else { return duration }
        let windows = (duration / Self.windowNanoseconds + 1).multipliedReportingOverflow(by: Self.windowNanoseconds)
        return windows.overflow ? duration : windows.partialValue
    }

    private typealias Rows = [(key: UInt32, value: Count)]

    private func windows(
        of rows: Rows, from start: Timestamp, spread: (number: Int, length: Int64)?
    ) -> [(TimeRange, Rows)] {
        if isTimed { return [(TimeRange(start: start, end: start + Self.windowNanoseconds), rows)] }
        guard let spread else { return [(TimeRange(start: start, end: start), rows)] }
        let number = spread.number
        let most = max(1, Limits.spreadRows / max(1, rowCount))
        var parts = [Rows](repeating: [], count: number)
        for (position, row) in rows.enumerated() {
            let pieces = Int(min(UInt64(min(number, most)), row.value.samples))
            // The first row begins with the first window and the last one with the last, so that what is less than a
            // sample for each window lies evenly.
            let first = rows.count > 1 ? position * (number - 1) / (rows.count - 1) : 0
            let (each, rest) = row.value.samples.quotientAndRemainder(dividingBy: UInt64(pieces))
            let perSample = row.value.weight / row.value.samples
            for piece in 0..<pieces {
                let samples = each + (UInt64(piece) < rest ? 1 : 0)
                // The first has what does not divide by the samples.
                let remainder = piece == 0 ? row.value.weight - perSample * row.value.samples : 0
                let step = pieces > 1 ? piece * (number - 1) / (pieces - 1) : 0
                parts[(first + step) % number].append(
                    (row.key, Count(samples: samples, weight: perSample * samples + remainder)))
            }
        }
        // A duration of many windows leaves gaps between them, and ends with the last one's end.
        let length = min(Self.longestWindow, spread.length / Int64(number))
        let last = spread.length - length
        return parts.enumerated().compactMap { index, part in
            guard !part.isEmpty else { return nil }
            let offset = number == 1 ? 0 : Self.offset(index, of: number - 1, in: last)
            return (TimeRange(start: start + offset, end: start + offset + length), part)
        }
    }

    /// `length` × index / number, whose product may not fit.
    private static func offset(_ index: Int, of number: Int, in length: Int64) -> Int64 {
        let (each, rest) = length.quotientAndRemainder(dividingBy: Int64(number))
        return each * Int64(index) + rest * Int64(index) / Int64(number)
    }
}
