/// From which address on which line and which inlined call hold: rows in order of address, each to the next one's start.
///
/// In memory as blocks of up to `blockRows` rows, coded by their differences: 4 to 5 bytes a row where flat columns take
/// 20, which for a program of 15 million rows is 70 MB instead of 300. A look-up is a binary search for the block and
/// then reads rows from its start.
struct LineRows: Sendable {
    struct Row: BitwiseCopyable, Hashable, Sendable {
        var start: UInt64
        /// One more than the index of the innermost inlined call; 0 where code is the function's own.
        var inlined: UInt32 = 0
        /// One more than the file's index; 0 where nothing is known from here on.
        var file: UInt32 = 0
        var line: UInt32 = 0

        func says(same other: Row) -> Bool {
            inlined == other.inlined && file == other.file && line == other.line
        }
    }

    static let blockRows = 32

    private(set) var count = 0
    private var blockStarts: [UInt64] = []
    /// Of the block's first byte.
    private var blockOffsets: [UInt32] = []
    private var bytes: [UInt8] = []
    private var rowsInBlock = 0
    private var last: Row?

    var memoryBytes: Int { blockStarts.count * 12 + bytes.count }

    /// Adds a row behind all others; false, and nothing added, where it does not start behind them or no room is left.
    /// What says the same as the row before is not kept.
    mutating func append(_ row: Row) -> Bool {
        if let last {
            guard row.start > last.start else { return false }
            if last.says(same: row) { return true }
        }
        guard bytes.count < Int(UInt32.max) - 64 else { return false }
        var base = last ?? Row(start: row.start)
        if last == nil || rowsInBlock == Self.blockRows || row.start - base.start >= 1 << 60 {
            blockStarts.append(row.start)
            blockOffsets.append(UInt32(bytes.count))
            rowsInBlock = 0
            base = Row(start: row.start)
        }
        var head = (row.start - base.start) << 2
        if row.file != base.file { head |= 1 }
        if row.inlined != base.inlined { head |= 2 }
        write(head)
        write(zigzag(Int64(row.line) - Int64(base.line)))
        if row.file != base.file { write(zigzag(Int64(row.file) - Int64(base.file))) }
        if row.inlined != base.inlined { write(zigzag(Int64(row.inlined) - Int64(base.inlined))) }
        rowsInBlock += 1
        count += 1
        last = row
        return true
    }

    /// The row that holds at an address; nil before the first, or where nothing is known.
    func row(at address: UInt64) -> Row? {
        var low = 0
        var high = blockStarts.count
        while low < high {
            let middle = (low + high) / 2
            if blockStarts[middle] <= address { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return nil }
        var cursor = Cursor(self, block: low - 1)
        var found = cursor.next(bytes)
        while let row = cursor.next(bytes), row.start <= address { found = row }
        guard let found, found.file > 0 || found.inlined > 0 else { return nil }
        return found
    }

    /// All rows in order.
    func forEach(_ body: (Row) -> Void) {
        for block in blockStarts.indices {
            var cursor = Cursor(self, block: block)
            while let row = cursor.next(bytes) { body(row) }
        }
    }

    private struct Cursor {
        var row: Row
        var offset: Int
        let end: Int

        init(_ rows: LineRows, block: Int) {
            row = Row(start: rows.blockStarts[block])
            offset = Int(rows.blockOffsets[block])
            end = block + 1 < rows.blockOffsets.count ? Int(rows.blockOffsets[block + 1]) : rows.bytes.count
        }

        mutating func next(_ bytes: [UInt8]) -> Row? {
            guard offset < end else { return nil }
            let head = read(bytes)
            row.start &+= head >> 2
            row.line = UInt32(truncatingIfNeeded: Int64(row.line) &+ signed(read(bytes)))
            if head & 1 != 0 { row.file = UInt32(truncatingIfNeeded: Int64(row.file) &+ signed(read(bytes))) }
            if head & 2 != 0 { row.inlined = UInt32(truncatingIfNeeded: Int64(row.inlined) &+ signed(read(bytes))) }
            return row
        }

        private mutating func read(_ bytes: [UInt8]) -> UInt64 {
            var value: UInt64 = 0
            var shift: UInt64 = 0
            while true {
                let byte = bytes[offset]
                offset += 1
                value |= UInt64(byte & 0x7F) << shift
                if byte < 0x80 { return value }
                shift += 7
            }
        }

        private func signed(_ value: UInt64) -> Int64 {
            Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
        }
    }

    private func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: value << 1 ^ value >> 63) }

    private mutating func write(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }
}
