import ByteCoding
import Profiles

/// What a block holds of one series of one host in one window, beside the stacks.
struct SliceHead: Equatable, Sendable {
    /// Numbers of the file's `host` and `series` tables.
    var host: UInt32
    var series: UInt32
    var window: TimeRange
    var samplesPerSecond: Double
    var quality: StackQuality
    var rows: Int
    var samples: UInt64
    var weight: UInt64
}

/// The content of a block: slices of one service in one minute, ordered by series, host and window.
///
/// Two parts, each compressed apart: `heads` answers who used how much, `rows` adds the stacks. Both are columns of
/// varints, with differences where neighbours are alike.
struct Block: Equatable, Sendable {
    var heads: [SliceHead] = []
    /// The slices' rows one after the other, as many as each head says: nodes of the file's dictionary.
    var nodes: [UInt32] = []
    var counts: [UInt64] = []
    var weights: [UInt64] = []

    /// A bound on what a damaged file can make us reserve.
    static let maximumRows = 64 << 20

    /// Adds a slice; its nodes ascend.
    mutating func append(_ head: SliceHead, _ stacks: StackCounts) {
        heads.append(head)
        nodes.append(contentsOf: stacks.nodes)
        counts.append(contentsOf: stacks.counts)
        weights.append(contentsOf: stacks.weights)
    }

    var encodedHeads: [UInt8] {
        var writer = ByteWriter()
        writer.writeVarint(UInt64(heads.count))
        func column(_ value: (SliceHead) -> Int64) {
            var before: Int64 = 0
            for head in heads {
                writer.writeSignedVarint(value(head) &- before)
                before = value(head)
            }
        }
        column { Int64($0.series) }
        column { Int64($0.host) }
        column { $0.window.start.nanoseconds }
        column { $0.window.end.nanoseconds &- $0.window.start.nanoseconds }
        column { Int64(bitPattern: $0.samplesPerSecond.bitPattern) }
        column { Int64($0.rows) }
        for head in heads { writer.writeVarint(head.samples) }
        for head in heads { writer.writeVarint(head.weight) }
        for part in [\StackQuality.whole, \StackQuality.cut, \StackQuality.broken] {
            for head in heads {
                let value = head.quality[keyPath: part]
                writer.write(UInt8(value == nil ? 0 : 1))
                if let value { writer.writeVarint(value) }
            }
        }
        return writer.bytes
    }

    static func decodeHeads(_ bytes: [UInt8]) throws -> [SliceHead] {
        var reader = unsafe ByteReader(bytes.span.bytes)
        let count = try reader.readVarint()
        guard count <= UInt64(reader.remaining) else { throw SegmentError(detail: "\(count) slices announced") }
        var columns: [[Int64]] = []
        for _ in 0..<6 {
            var column: [Int64] = []
            column.reserveCapacity(Int(count))
            var value: Int64 = 0
            for _ in 0..<count {
                value &+= try reader.readSignedVarint()
                column.append(value)
            }
            columns.append(column)
        }
        var samples: [UInt64] = []
        for _ in 0..<count { samples.append(try reader.readVarint()) }
        var weights: [UInt64] = []
        for _ in 0..<count { weights.append(try reader.readVarint()) }
        var qualities = Array(repeating: StackQuality(whole: nil, cut: nil, broken: nil), count: Int(count))
        for part in [\StackQuality.whole, \StackQuality.cut, \StackQuality.broken] {
            for index in qualities.indices where try reader.readUInt8() != 0 {
                qualities[index][keyPath: part] = try reader.readVarint()
            }
        }
        guard reader.isAtEnd else { throw SegmentError(detail: "bytes follow the last slice") }
        return try (0..<Int(count)).map { index in
            guard let series = UInt32(exactly: columns[0][index]), let host = UInt32(exactly: columns[1][index]),
                let rows = Int(exactly: columns[5][index]), rows >= 0
            else { throw SegmentError(detail: "slice \(index) has a negative or huge number") }
            let start = columns[2][index]
            return SliceHead(
                host: host, series: series,
                window: TimeRange(
                    start: Timestamp(nanoseconds: start), end: Timestamp(nanoseconds: start &+ columns[3][index])),
                samplesPerSecond: Double(bitPattern: UInt64(bitPattern: columns[4][index])),
                quality: qualities[index], rows: rows, samples: samples[index], weight: weights[index])
        }
    }

    var encodedRows: [UInt8] {
        var writer = ByteWriter(reserving: nodes.count * 6)
        var row = 0
        for head in heads {
            var before: UInt32 = 0
            for node in nodes[row..<row + head.rows] {
                writer.writeVarint(UInt64(node &- before))
                before = node
            }
            row += head.rows
        }
        for count in counts { writer.writeVarint(count) }
        // Distinct weights once, in the order of their first use, and each row's number among them: most rows are one
        // sample, which weighs one of the few periods in force.
        var numbers: [UInt64: UInt64] = [:]
        var distinct: [UInt64] = []
        var indices: [UInt64] = []
        indices.reserveCapacity(weights.count)
        for weight in weights {
            if let number = numbers[weight] {
                indices.append(number)
            } else {
                numbers[weight] = UInt64(distinct.count)
                indices.append(UInt64(distinct.count))
                distinct.append(weight)
            }
        }
        writer.writeVarint(UInt64(distinct.count))
        for weight in distinct { writer.writeVarint(weight) }
        for index in indices { writer.writeVarint(index) }
        return writer.bytes
    }

    /// - Parameter nodeLimit: number of nodes of the file's dictionary.
    init(heads: [SliceHead], rows bytes: [UInt8], nodeLimit: Int) throws {
        self.heads = heads
        let rowCount = heads.reduce(0) { $0 &+ $1.rows }
        guard rowCount >= 0, rowCount <= Self.maximumRows, rowCount <= bytes.count else {
            throw SegmentError(detail: "\(rowCount) rows in \(bytes.count) bytes")
        }
        var reader = unsafe ByteReader(bytes.span.bytes)
        nodes.reserveCapacity(rowCount)
        counts.reserveCapacity(rowCount)
        weights.reserveCapacity(rowCount)
        for head in heads {
            var node: UInt64 = 0
            for _ in 0..<head.rows {
                node &+= try reader.readVarint()
                guard node < UInt64(nodeLimit) else { throw SegmentError(detail: "a row's node \(node) is not there") }
                nodes.append(UInt32(node))
            }
        }
        for _ in 0..<rowCount { counts.append(try reader.readVarint()) }
        let distinctCount = try reader.readVarint()
        guard distinctCount <= UInt64(rowCount) else { throw SegmentError(detail: "\(distinctCount) weights") }
        var distinct: [UInt64] = []
        for _ in 0..<distinctCount { distinct.append(try reader.readVarint()) }
        for _ in 0..<rowCount {
            let index = try reader.readVarint()
            guard index < distinctCount else { throw SegmentError(detail: "a row's weight is not there") }
            weights.append(distinct[Int(index)])
        }
        guard reader.isAtEnd else { throw SegmentError(detail: "bytes follow the last row") }
    }

    init() {}
}
