import Analysis
import GRDB
import Patterns
import Profiles
import WireProtocol

/// Collects the slices that a question is about into one table of stacks: from a file's blocks and from its tail, the
/// part of the journal that no block covers.
///
/// What is read is decided in one short snapshot per file: the blocks' numbers and the tail's bodies. Blocks are then
/// read a few at a time, each time in a snapshot of its own; they never change, and a reader that stays would keep the
/// log of the database from being checkpointed.
struct SampleGatherer {
    private let query: SampleQuery
    private let budget: QueryBudget
    private let services: NamePatterns
    private let series: SeriesPatterns
    private let hosts: NamePatterns
    private(set) var answer = SampleAnswer()
    private var hostNumbers: [Host: UInt32] = [:]
    /// nil for series that the selection leaves out.
    private var keyNumbers: [SeriesKey: UInt32?] = [:]

    private static let blocksPerRead = 32

    init(_ query: SampleQuery, budget: QueryBudget) {
        self.query = query
        self.budget = budget
        services = NamePatterns(query.selection.services)
        series = SeriesPatterns(query.selection)
        hosts = NamePatterns(query.selection.hosts)
    }

    /// Adds what one file holds.
    mutating func gather(_ partition: Partition, _ dictionaries: DictionaryCache) throws(ProfileStoreError) {
        let snapshot = try read(partition)
        for (reason, count) in snapshot.dropped { answer.dropped[reason, default: 0] &+= count }
        answer.emptyWindows.merge(snapshot.emptyWindows) { $0 + $1 }
        if let covered = snapshot.covered { answer.coveredRange = answer.coveredRange?.union(covered) ?? covered }
        if !snapshot.blocks.isEmpty {
            let dictionary = try dictionaries.take(partition)
            // Others may have it while this question works on its own reference.
            dictionaries.put(dictionary, for: partition)
            var source = SliceSource(table: dictionary.table)
            var index = 0
            while index < snapshot.blocks.count {
                let ids = Array(snapshot.blocks[index..<min(index + Self.blocksPerRead, snapshot.blocks.count)])
                index += ids.count
                try gather(ids, of: partition, dictionary, &source)
            }
        }
        for row in snapshot.tail {
            try budget.spend()
            do {
                try add(try row.profile(), agent: row.batch.name.agent)
            } catch let error as ProfileStoreError {
                throw error
            } catch {
                answer.unreadableSamples &+= row.batch.samples
            }
        }
    }

    private struct Snapshot {
        var blocks: [Int64] = []
        var tail: [JournalRow] = []
        var dropped: [DropReason: UInt64] = [:]
        var emptyWindows: [Host: [TimeRange]] = [:]
        var covered: TimeRange?

        mutating func cover(_ window: TimeRange) { covered = covered?.union(window) ?? window }
    }

    private func read(_ partition: Partition) throws(ProfileStoreError) -> Snapshot {
        let path = partition.file.path
        let start = query.range.start.nanoseconds
        let end = query.range.end.nanoseconds
        let minutes: StatementArguments = [Partition.minute(of: start), Partition.minute(of: end)]
        return try partition.file.read("answering a question") { database in
            var snapshot = Snapshot()
            let names = try Row.fetchAll(
                database, sql: "SELECT id, service FROM block WHERE minute BETWEEN ? AND ? ORDER BY id",
                arguments: minutes)
            snapshot.blocks = names.filter { services.matches($0.text("service")) }.map { $0.number("id") }
            let tail = try Row.fetchCursor(
                database, sql: "\(JournalRow.uncovered) AND body.minute BETWEEN ? AND ?", arguments: minutes)
            while let row = try tail.next() {
                try budget.spend()
                let start = row.number("start")
                guard start >= query.range.start.nanoseconds, start &+ row.number("length") <= end else { continue }
                snapshot.cover(
                    TimeRange(
                        start: Timestamp(nanoseconds: start),
                        end: Timestamp(nanoseconds: start &+ row.number("length"))))
                snapshot.tail.append(try JournalRow(row, path: path))
            }
            let coverage = try Row.fetchCursor(
                database, sql: "SELECT windows FROM coverage WHERE minute BETWEEN ? AND ?", arguments: minutes)
            while let row = try coverage.next() {
                for window in (try? decodeWindows(row.bytes("windows"))) ?? [] where isWithin(window) {
                    snapshot.cover(window)
                }
            }
            let drops = try Row.fetchCursor(
                database,
                sql: """
                    SELECT journal.dropped, epoch.host FROM journal JOIN epoch ON epoch.id = journal.epoch
                    WHERE journal.dropped IS NOT NULL AND journal.start >= ? AND journal.start + journal.length <= ?
                    """, arguments: [start, end])
            while let row = try drops.next() {
                guard hosts.matches(row.text("host")) else { continue }
                for (reason, count) in (try? decodeDrops(row.bytes("dropped"))) ?? [:] {
                    snapshot.dropped[reason, default: 0] &+= count
                }
            }
            guard query.wantsEmptyWindows else { return snapshot }
            let empty = try Row.fetchCursor(
                database,
                sql: """
                    SELECT journal.start, journal.length, epoch.agent, epoch.epoch, epoch.host
                    FROM journal JOIN epoch ON epoch.id = journal.epoch
                    WHERE journal.samples = 0 AND journal.length > 0 AND journal.dropped IS NULL
                        AND journal.start >= ? AND journal.start + journal.length <= ?
                    """, arguments: [start, end])
            while let row = try empty.next() {
                try budget.spend()
                guard hosts.matches(row.text("host")) else { continue }
                let host = Host(name: row.text("host"), agent: try Partition.epochKey(row, path).agent)
                let start = Timestamp(nanoseconds: row.number("start"))
                snapshot.emptyWindows[host, default: []].append(
                    TimeRange(start: start, end: start + row.number("length")))
            }
            return snapshot
        }
    }

    private mutating func gather(
        _ ids: [Int64], of partition: Partition, _ dictionary: PartitionDictionary, _ source: inout SliceSource
    ) throws(ProfileStoreError) {
        let needsRows = query.detail == .stacks
        let columns = needsRows ? ", rows_expanded, rows_checksum, rows" : ""
        let blocks = try partition.file.read("reading blocks") { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT id, samples, heads_expanded, heads_checksum, heads\(columns) FROM block
                    WHERE id IN (\(ids.map(String.init).joined(separator: ",")))
                    """)
        }
        for row in blocks {
            try budget.spend()
            do {
                let heads = try Block.decodeHeads(Self.stored(row, "heads").expanded())
                guard heads.contains(where: { isWithin($0.window) }) else { continue }
                let block =
                    needsRows
                    ? try Block(
                        heads: heads, rows: Self.stored(row, "rows").expanded(),
                        nodeLimit: dictionary.table.nodes.count) : nil
                try add(heads, block, dictionary, &source)
            } catch let error as ProfileStoreError {
                throw error
            } catch {
                answer.unreadableSamples &+= row.count("samples")
            }
        }
    }

    private static func stored(_ row: Row, _ column: String) -> StoredBytes {
        StoredBytes(
            bytes: row.bytes(column), expandedCount: Int(row.number(column + "_expanded")),
            checksum: UInt32(truncatingIfNeeded: row.number(column + "_checksum")))
    }

    private func isWithin(_ window: TimeRange) -> Bool {
        window.start >= query.range.start && window.end <= query.range.end
    }

    private mutating func add(
        _ heads: [SliceHead], _ block: Block?, _ dictionary: PartitionDictionary, _ source: inout SliceSource
    ) throws {
        var row = 0
        for head in heads {
            let rows = row..<row + head.rows
            row = rows.upperBound
            guard isWithin(head.window) else { continue }
            guard Int(head.host) < dictionary.hosts.count, Int(head.series) < dictionary.series.count else {
                throw SegmentError(detail: "a slice's host or series is not there")
            }
            let stacks =
                block.map { block in
                    StackCounts(
                        nodes: Array(block.nodes[rows]), counts: Array(block.counts[rows]),
                        weights: Array(block.weights[rows]))
                } ?? StackCounts(nodes: [StackTable.root], counts: [head.samples], weights: [head.weight])
            try add(
                stacks, of: dictionary.hosts[Int(head.host)], dictionary.series[Int(head.series)],
                window: head.window, samplesPerSecond: head.samplesPerSecond, quality: head.quality, &source)
        }
    }

    private mutating func add(_ profile: WindowProfile, agent: Identifier) throws(ProfileStoreError) {
        guard isWithin(profile.window) else { return }
        var source = SliceSource(table: profile.stacks)
        let host = Host(name: profile.host.name, agent: agent)
        for series in profile.series where services.matches(series.key.service) {
            let stacks =
                query.detail == .stacks
                ? series.stacks
                : StackCounts(
                    nodes: [StackTable.root], counts: [series.stacks.sampleCount],
                    weights: [series.stacks.totalWeight])
            try add(
                stacks, of: host, series.key, window: profile.window, samplesPerSecond: series.samplesPerSecond,
                quality: series.quality, &source)
        }
    }

    private mutating func add(
        _ stacks: StackCounts, of host: Host, _ key: SeriesKey, window: TimeRange, samplesPerSecond: Double,
        quality: StackQuality, _ source: inout SliceSource
    ) throws(ProfileStoreError) {
        guard hosts.matches(host.name), let keyNumber = number(of: key) else { return }
        try budget.spend(rows: stacks.nodes.count)
        let hostNumber = hostNumbers[host] ?? UInt32(answer.samples.hosts.count)
        if hostNumbers.updateValue(hostNumber, forKey: host) == nil { answer.samples.hosts.append(host) }
        answer.samples.slices.append(
            SampleSlice(
                host: hostNumber, key: keyNumber, window: window, samplesPerSecond: samplesPerSecond,
                stacks: stacks.translated { source.translate($0, into: &answer.samples.stacks) }, quality: quality))
    }

    /// The key's number in the answer; nil where the selection leaves it out.
    private mutating func number(of key: SeriesKey) -> UInt32? {
        if let known = keyNumbers[key] { return known }
        let isOfType = key.type.name == query.selection.type || query.selection.type == "*"
        let number = isOfType && series.matches(key) ? UInt32(answer.samples.keys.count) : nil
        keyNumbers[key] = .some(number)
        if number != nil { answer.samples.keys.append(key) }
        return number
    }
}

/// One table that slices come from, and how far its nodes are known in the answer's table. Only what is used is taken
/// over.
struct SliceSource {
    private let table: StackTable
    private var nodes: [UInt32]
    private var frames: [UInt32]
    private var strings: [UInt32]
    private var modules: [UInt32]
    private var path: [UInt32] = []

    private static let unknown = UInt32.max

    init(table: StackTable) {
        self.table = table
        nodes = Array(repeating: Self.unknown, count: table.nodes.count)
        frames = Array(repeating: Self.unknown, count: table.frames.count)
        strings = Array(repeating: Self.unknown, count: table.strings.count)
        modules = Array(repeating: Self.unknown, count: table.modules.count)
        nodes[0] = StackTable.root
    }

    /// The node of `target` for a node of this table.
    mutating func translate(_ node: UInt32, into target: inout StackTable) -> UInt32 {
        var node = node
        path.removeAll(keepingCapacity: true)
        while nodes[Int(node)] == Self.unknown {
            path.append(node)
            node = table.nodes[Int(node)].parent
        }
        var translated = nodes[Int(node)]
        for step in path.reversed() {
            let frame = translateFrame(table.nodes[Int(step)].frame, into: &target)
            translated = target.intern(parent: translated, frame: frame)
            nodes[Int(step)] = translated
        }
        return translated
    }

    private mutating func translateFrame(_ index: UInt32, into target: inout StackTable) -> UInt32 {
        let known = frames[Int(index)]
        if known != Self.unknown { return known }
        var frame = table.frames[Int(index)]
        frame.name = translateString(frame.name, into: &target)
        frame.file = translateString(frame.file, into: &target)
        if frame.module != Frame.none {
            let module = Int(frame.module)
            if modules[module] == Self.unknown { modules[module] = target.intern(table.modules[module]) }
            frame.module = modules[module]
        }
        frames[Int(index)] = target.intern(frame)
        return frames[Int(index)]
    }

    private mutating func translateString(_ index: UInt32, into target: inout StackTable) -> UInt32 {
        if index == Frame.none { return index }
        if strings[Int(index)] == Self.unknown { strings[Int(index)] = target.intern(table.strings[Int(index)]) }
        return strings[Int(index)]
    }
}
