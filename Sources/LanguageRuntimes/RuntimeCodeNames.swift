/// Names of code that was made at run time, each valid from a moment until other code covers its addresses.
///
/// Entries come in rounds (one reading of a file). A round is flattened to ranges that don't overlap, the later entry
/// winning; rounds are merged into one sorted table once there are several. A look-up takes the time of the sample: of
/// what was known by then the newest counts, and where nothing was, the oldest that came later, since a profiler reads
/// of code after it ran. What rounds replaced is remembered until `forget(before:)`, or until there are too many.
public struct RuntimeCodeNames: Sendable {
    public struct Limits: Hashable, Sendable {
        /// Entries held at a time: 48 bytes each and their names, and half as much again while rounds are merged.
        public var entries = 400_000
        /// Bytes of all names together.
        public var nameBytes = 32 << 20
        /// A longer name is cut.
        public var bytesOfAName = 1024
        /// Source lines of all entries together; 12 bytes each.
        public var lines = 1_000_000

        public init() {}
    }

    /// What was left out, and why; each grows only.
    public struct Losses: Hashable, Sendable {
        public var entriesOverLimit: UInt64 = 0
        public var namesOverLimit: UInt64 = 0
        public var namesCut: UInt64 = 0
        public var linesOverLimit: UInt64 = 0
        /// Entries without length, or beyond the address space.
        public var malformedEntries: UInt64 = 0

        public init() {}
        public var isEmpty: Bool { self == Losses() }
    }

    public struct Match: Hashable, Sendable {
        public var name: String
        /// The file and line of the address, where the entry has lines; else empty and 0.
        public var file: String
        public var line: UInt32
        /// First and end address of the range as it is known now.
        public var range: Range<UInt64>
    }

    struct Entry: BitwiseCopyable {
        var start: UInt64
        var since: UInt64
        /// Longer ranges are cut: no function has 4 GiB.
        var length: UInt32
        /// Index into `codes`.
        var code: UInt32

        var end: UInt64 { start &+ UInt64(length) }
    }

    /// What an entry's ranges share.
    struct Code: BitwiseCopyable {
        var name: UInt32
        /// What its lines' offsets count from; 0 without lines.
        var base: UInt64 = 0
        /// Index of the first of its lines, and their number.
        var firstLine: UInt32
        var lineCount: UInt32
    }

    struct Line: BitwiseCopyable {
        /// From the code's base.
        var offset: UInt32
        var line: UInt32
        var file: UInt32
    }

    public let limits: Limits
    public private(set) var losses = Losses()

    private var names: NamePool
    private var codes: [Code] = []
    private var lines: [Line] = []
    /// Sorted, without overlap.
    private var settled: [Entry] = []
    /// Flattened rounds since, oldest first.
    private var rounds: [[Entry]] = []
    /// Entries of the round that is being gathered.
    private var gathered: [Entry] = []
    /// What was covered by something newer, in no order; bounded.
    private var replaced: [Entry] = []

    private static var mostRounds: Int { 8 }
    private static var mostReplaced: Int { 8192 }

    public init(limits: Limits = Limits()) {
        self.limits = limits
        names = NamePool(limit: limits.nameBytes)
    }

    /// Entries that are held.
    public var count: Int { settled.count + rounds.reduce(0) { $0 + $1.count } + gathered.count }
    public var memoryBytes: Int {
        (count + replaced.count) * MemoryLayout<Entry>.stride + codes.count * MemoryLayout<Code>.stride
            + lines.count * MemoryLayout<Line>.stride + names.memoryBytes
    }
    public var isEmpty: Bool { count == 0 }

    /// A source line of code: valid from `address` until the next one.
    public struct SourceLine: Hashable, Sendable {
        public var address: UInt64
        public var line: UInt32
        public var file: [UInt8]

        public init(address: UInt64, line: UInt32, file: [UInt8]) {
            self.address = address
            self.line = line
            self.file = file
        }
    }

    /// Adds code of `length` bytes at `start`, made at `time` or first seen then. Takes part in look-ups after
    /// `endRound()`.
    public mutating func add(
        start: UInt64, length: UInt64, name: ArraySlice<UInt8>, at time: UInt64, lines: [SourceLine] = []
    ) {
        guard length > 0, length <= UInt64.max - start else {
            losses.malformedEntries += 1
            return
        }
        guard count < limits.entries, codes.count < limits.entries else {
            losses.entriesOverLimit += 1
            return
        }
        guard let name = intern(name) else { return }
        var code = Code(name: name, firstLine: UInt32(self.lines.count), lineCount: 0)
        if self.lines.count + lines.count > limits.lines {
            losses.linesOverLimit += UInt64(lines.count)
        } else {
            for line in lines {
                guard line.address >= start, let offset = UInt32(exactly: line.address - start),
                    let file = intern(line.file[...])
                else { continue }
                self.lines.append(Line(offset: offset, line: line.line, file: file))
                code.base = start
                code.lineCount += 1
            }
            let first = Int(code.firstLine)
            self.lines[first...].sort { $0.offset < $1.offset }
        }
        // Neighbours that differ only in place share their code: trampolines and stubs come by thousands.
        if code.lineCount == 0, let last = codes.last, last.lineCount == 0, last.name == name {
            code.firstLine = last.firstLine
        } else {
            codes.append(code)
        }
        gathered.append(
            Entry(
                start: start, since: time, length: UInt32(clamping: length), code: UInt32(codes.count - 1)))
    }

    /// Code was moved: what lay at `old` lies at `start` from `time` on. False where nothing is known at `old`. Ends the
    /// round, so it costs as much as that.
    public mutating func move(from old: UInt64, to start: UInt64, length: UInt64, at time: UInt64) -> Bool {
        endRound()
        guard length > 0, length <= UInt64.max - start, count < limits.entries, codes.count < limits.entries,
            let entry = rounds.reversed().compactMap({ find(old, in: $0) }).first ?? find(old, in: settled)
        else { return false }
        var code = codes[Int(entry.code)]
        if code.lineCount > 0 { code.base = start &- (old &- code.base) }
        codes.append(code)
        gathered.append(
            Entry(start: start, since: time, length: UInt32(clamping: length), code: UInt32(codes.count - 1)))
        return true
    }

    private mutating func intern(_ name: ArraySlice<UInt8>) -> UInt32? {
        var name = name
        if name.count > limits.bytesOfAName {
            losses.namesCut += 1
            // Not in the middle of a character: the byte behind the cut begins one.
            var end = name.startIndex + limits.bytesOfAName
            for _ in 0..<3 where name[end] & 0xC0 == 0x80 && end > name.startIndex { end -= 1 }
            name = name[..<end]
        }
        guard let index = names.intern(name) else {
            losses.namesOverLimit += 1
            return nil
        }
        return index
    }

    /// Makes what was added since the last call part of look-ups.
    public mutating func endRound() {
        guard !gathered.isEmpty else { return }
        var covered: [Entry] = []
        rounds.append(flatten(gathered, covered: &covered))
        gathered = []
        remember(covered)
        let pending = rounds.reduce(0) { $0 + $1.count }
        if rounds.count > Self.mostRounds || pending * 8 > settled.count { settle() }
    }

    /// Drops what was replaced before `time`: no sample older than that will be asked for.
    public mutating func forget(before time: UInt64) {
        // `since` of what is remembered is its beginning; its end is not kept, so one call's delay is allowed for.
        replaced.removeAll { $0.since < time }
    }

    /// Everything anew: the file was replaced.
    public mutating func removeAll() {
        self = RuntimeCodeNames(limits: limits, losses: losses)
    }

    private init(limits: Limits, losses: Losses) {
        self.init(limits: limits)
        self.losses = losses
    }

    /// What lay at `address` at `time`; nil where no entry ever covered it.
    public func match(_ address: UInt64, at time: UInt64) -> Match? {
        var newest: Entry?
        var oldestLater: Entry?
        func consider(_ entry: Entry) {
            // Of one moment the later entry counts; codes are numbered as they come.
            let order = (entry.since, entry.code)
            if entry.since <= time {
                if newest.map({ ($0.since, $0.code) <= order }) ?? true { newest = entry }
            } else if oldestLater.map({ ($0.since, $0.code) > order }) ?? true {
                oldestLater = entry
            }
        }
        if let entry = find(address, in: settled) { consider(entry) }
        for round in rounds {
            if let entry = find(address, in: round) { consider(entry) }
        }
        // The past is asked for only where the present is too young.
        if newest == nil || !replaced.isEmpty && newest.map({ $0.since < time }) ?? false && oldestLater != nil {
            for entry in replaced where entry.start <= address && address < entry.end { consider(entry) }
        }
        guard let entry = newest ?? oldestLater else { return nil }
        let code = codes[Int(entry.code)]
        var match = Match(name: names.string(code.name), file: "", line: 0, range: entry.start..<entry.end)
        if let line = line(of: address, in: code) {
            match.file = names.string(line.file)
            match.line = line.line
        }
        return match
    }

    private func line(of address: UInt64, in code: Code) -> Line? {
        var low = Int(code.firstLine)
        var high = low + Int(code.lineCount)
        let first = low
        guard address >= code.base else { return nil }
        let offset = address - code.base
        while low < high {
            let middle = (low + high) / 2
            if UInt64(lines[middle].offset) <= offset { low = middle + 1 } else { high = middle }
        }
        return low > first ? lines[low - 1] : nil
    }

    private func find(_ address: UInt64, in entries: [Entry]) -> Entry? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].start <= address { low = middle + 1 } else { high = middle }
        }
        guard low > 0, address < entries[low - 1].end else { return nil }
        return entries[low - 1]
    }

    private mutating func remember(_ covered: [Entry]) {
        replaced += covered
        if replaced.count > Self.mostReplaced { replaced.removeFirst(replaced.count - Self.mostReplaced) }
    }

    /// Ranges without overlap, by address; where entries overlap the later one in the array counts.
    private func flatten(_ entries: [Entry], covered: inout [Entry]) -> [Entry] {
        // A sweep over the starts; `open` is a heap of entries by their place in the array, the latest on top.
        let order = entries.indices.sorted { (entries[$0].start, $0) < (entries[$1].start, $1) }
        var result: [Entry] = []
        result.reserveCapacity(entries.count)
        var open = IndexHeap()
        var position: UInt64 = 0
        /// Gives out what is open up to `limit`.
        func emit(until limit: UInt64) {
            while position < limit, let top = open.top {
                let entry = entries[top]
                if entry.end <= position {
                    open.removeTop()
                    continue
                }
                let end = min(entry.end, limit)
                append(entry, from: position, to: end)
                position = end
            }
            position = max(position, limit)
        }
        func append(_ entry: Entry, from start: UInt64, to end: UInt64) {
            if let last = result.last, last.end == start, last.code == entry.code, last.since == entry.since,
                UInt64(last.length) + (end - start) <= UInt64(entry.length)
            {
                result[result.count - 1].length += UInt32(end - start)
            } else {
                result.append(Entry(start: start, since: entry.since, length: UInt32(end - start), code: entry.code))
            }
        }
        for index in order {
            emit(until: entries[index].start)
            if let top = open.top, entries[top].end > entries[index].start {
                // One of the two is covered from here on.
                if covered.count < Self.mostReplaced { covered.append(entries[min(top, index)]) }
            }
            open.insert(index)
        }
        emit(until: .max)
        return result
    }

    /// Merges all rounds into the settled table.
    private mutating func settle() {
        for round in rounds {
            var covered: [Entry] = []
            settled = merge(settled, round, covered: &covered)
            remember(covered)
        }
        rounds = []
        if codes.count > 2 * settled.count + 4096 { dropUnused() }
    }

    /// Names, lines and codes of ranges that are gone go too. The order of codes stays.
    private mutating func dropUnused() {
        var places = [UInt32](repeating: .max, count: codes.count)
        for entry in settled { places[Int(entry.code)] = 0 }
        for entry in replaced { places[Int(entry.code)] = 0 }
        var pool = NamePool(limit: limits.nameBytes)
        var keptCodes: [Code] = []
        var keptLines: [Line] = []
        for index in codes.indices where places[index] == 0 {
            places[index] = .max
            var code = codes[index]
            guard let name = pool.intern(names.bytes(code.name)) else { continue }
            code.name = name
            let old = Int(code.firstLine)..<Int(code.firstLine) + Int(code.lineCount)
            code.firstLine = UInt32(keptLines.count)
            code.lineCount = 0
            for var line in lines[old] {
                guard let file = pool.intern(names.bytes(line.file)) else { continue }
                line.file = file
                keptLines.append(line)
                code.lineCount += 1
            }
            places[index] = UInt32(keptCodes.count)
            keptCodes.append(code)
        }
        func moved(_ entry: Entry) -> Entry? {
            var entry = entry
            entry.code = places[Int(entry.code)]
            return entry.code == .max ? nil : entry
        }
        settled = settled.compactMap(moved)
        replaced = replaced.compactMap(moved)
        names = pool
        codes = keptCodes
        lines = keptLines
    }

    /// Both are sorted and without overlap; the newer one wins.
    private func merge(_ old: [Entry], _ new: [Entry], covered: inout [Entry]) -> [Entry] {
        guard !old.isEmpty else { return new }
        var result: [Entry] = []
        result.reserveCapacity(old.count + new.count)
        var next = 0
        for var entry in old {
            while next < new.count, new[next].end <= entry.start {
                result.append(new[next])
                next += 1
            }
            var isCovered = false
            let whole = entry
            // Cut the old range where newer ones lie in it. A newer one that reaches beyond is kept for the next turn.
            var rest = true
            while next < new.count, new[next].start < entry.end {
                isCovered = true
                if new[next].start > entry.start {
                    var part = entry
                    part.length = UInt32(new[next].start - entry.start)
                    result.append(part)
                }
                if new[next].end >= entry.end {
                    rest = false
                    break
                }
                result.append(new[next])
                entry.length = UInt32(entry.end - new[next].end)
                entry.start = new[next].end
                next += 1
            }
            if rest, entry.length > 0 { result.append(entry) }
            if isCovered, covered.count < Self.mostReplaced { covered.append(whole) }
        }
        result += new[next...]
        return result
    }
}

/// Indices, the greatest on top.
private struct IndexHeap {
    private var items: [Int] = []
    var top: Int? { items.first }

    mutating func insert(_ item: Int) {
        items.append(item)
        var child = items.count - 1
        while child > 0, items[(child - 1) / 2] < items[child] {
            items.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func removeTop() {
        guard let last = items.popLast(), !items.isEmpty else { return }
        items[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < items.count else { return }
            if child + 1 < items.count, items[child + 1] > items[child] { child += 1 }
            guard items[child] > items[parent] else { return }
            items.swapAt(child, parent)
            parent = child
        }
    }
}
