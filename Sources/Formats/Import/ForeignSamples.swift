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
        /// Frames of all stacks between the events of a file, half a GiB of them.
        static let eventedFrames = 1 << 26
        /// Windows that samples without times are spread over.
        public static let windows = 1_440
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
        func element(_ kind: Frame.Kind, _ name: String) -> Frame {
            Frame(kind: kind, name: stacks.intern(Self.name(name)))
        }
        var node = stacks.intern(parent: StackTable.root, frame: stacks.intern(element(.process, process)))
        node = stacks.intern(parent: node, frame: stacks.intern(element(.thread, foldedThreadName(thread))))
        let kept = frames.suffix(Limits.depth)
        let isCut = kept.count < frames.count
        if isCut { node = addTruncation(below: node) }
        for frame in kept { node = stacks.intern(parent: node, frame: intern(frame)) }
        if isCut { noteCut(node) }
        return node
    }

    /// Says that what lies nearer the root was cut.
    mutating func addTruncation(below node: UInt32) -> UInt32 {
        let marker = Frame(kind: .marker, name: stacks.intern(Frame.truncatedMarker))
        return stacks.intern(parent: node, frame: stacks.intern(marker))
    }

    mutating func noteCut(_ node: UInt32) { cutNodes.insert(node) }

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
        var count = counts[place, default: [:]][node] ?? Count()
        let (sum, tooMany) = count.samples.addingReportingOverflow(samples)
        let (total, tooHeavy) = count.weight.addingReportingOverflow(weight)
        if tooMany || tooHeavy { overflowed = true }
        count = Count(samples: sum, weight: total)
        counts[place, default: [:]][node] = count
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
        return self
    }

    /// The samples as they were taken, or are put, at `moment`: in windows of 10 s where each has a time; where the file
    /// tells only how long it took, spread evenly over that time; else in a window without length, so that no answer
    /// makes cores of them.
    public func sampleSet(at moment: Timestamp) -> SampleSet {
        var set = SampleSet(stacks: stacks)
        var hosts: [String: UInt32] = [:]
        var keys: [SeriesKey: UInt32] = [:]
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
            for (window, part) in windows(of: rows, from: moment + place.offset) {
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

    private func windows(of rows: Rows, from start: Timestamp) -> [(TimeRange, Rows)] {
        if isTimed { return [(TimeRange(start: start, end: start + Self.windowNanoseconds), rows)] }
        guard let duration = durationNanoseconds, duration > 0 else {
            return [(TimeRange(start: start, end: start), rows)]
        }
        let length = min(duration, Int64(Limits.windows) * Self.longestWindow)
        let number = UInt64((length + Self.longestWindow - 1) / Self.longestWindow)
        return (0..<number).compactMap { index in
            let part: Rows = rows.enumerated().compactMap { position, row in
                // Each row begins at another window, so that the remainders lie evenly.
                let turn = (index + UInt64(position)) % number
                func share(_ value: UInt64) -> UInt64 { value / number + (turn < value % number ? 1 : 0) }
                let count = Count(samples: share(row.value.samples), weight: 0)
                guard count.samples > 0 else { return nil }
                return (
                    row.key, Count(samples: count.samples, weight: Self.weight(of: row.value, turn: turn, of: number))
                )
            }
            guard !part.isEmpty else { return nil }
            let from = start + Int64(index) * (length / Int64(number))
            return (TimeRange(start: from, end: from + length / Int64(number)), part)
        }
    }

    /// The weight goes to the parts that have samples, in proportion to them up to the remainder, which the first has.
    private static func weight(of count: Count, turn: UInt64, of number: UInt64) -> UInt64 {
        let (each, rest) = (count.samples / number, count.samples % number)
        let samples = each + (turn < rest ? 1 : 0)
        let perSample = count.weight / count.samples
        return perSample * samples + (turn == 0 ? count.weight - perSample * count.samples : 0)
    }
}
