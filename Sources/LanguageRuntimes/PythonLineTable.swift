/// Turns a code object's line table into the lines of ranges of its instructions.
///
/// Four forms in six versions: pairs of increments (3.8, 3.9), pairs of lengths and increments (3.10), and location
/// entries (3.11 and later), of which only the line is taken.
package struct PythonLineTable: Hashable, Sendable {
    /// A range of instructions begins at `start` bytes from the first one and ends where the next one begins.
    package struct Row: BitwiseCopyable, Hashable, Sendable {
        package var start: UInt32
        /// 0 where these instructions belong to no line.
        package var line: UInt32

        package init(start: UInt32, line: UInt32) {
            self.start = start
            self.line = line
        }
    }

    package static let maximumRows = 65_536

    /// By start; the last one, of line 0, is the end.
    package var rows: [Row] = []

    /// A table that ends within an entry ends before that entry.
    package init(_ bytes: ArraySlice<UInt8>, firstLine: UInt32, form: PythonLayout.LineTable) {
        switch form {
        case .increments: increments(bytes, Int64(firstLine))
        case .ranges: ranges(bytes, Int64(firstLine))
        case .locations: locations(bytes, Int64(firstLine))
        }
    }

    /// The line of the instruction at `offset` bytes; 0 where it has none. Before the first one: the first line known.
    package static func line(at offset: Int64, in rows: Span<Row>) -> UInt32 {
        var low = 0
        var high = rows.count
        while low < high {
            let middle = (low + high) / 2
            if Int64(rows[middle].start) <= offset { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? rows[low - 1].line : 0
    }

    private mutating func add(_ start: Int64, _ line: Int64?) {
        guard let start = UInt32(exactly: start), rows.count < Self.maximumRows else { return }
        let line = line.flatMap { UInt32(exactly: $0) } ?? 0
        // Nothing for an empty range, and one row for ranges of the same line.
        if let last = rows.last, last.start == start { rows.removeLast() }
        if let last = rows.last, last.line == line { return }
        rows.append(Row(start: start, line: line))
    }

    /// The last increments reach to the end of the code, which the table doesn't tell.
    private mutating func increments(_ bytes: ArraySlice<UInt8>, _ firstLine: Int64) {
        var line = firstLine
        var address: Int64 = 0
        add(0, line)
        var index = bytes.startIndex
        while index + 1 < bytes.endIndex {
            address += Int64(bytes[index])
            line += Int64(Int8(bitPattern: bytes[index + 1]))
            add(address, line)
            index += 2
        }
    }

    private mutating func ranges(_ bytes: ArraySlice<UInt8>, _ firstLine: Int64) {
        var line = firstLine
        var address: Int64 = 0
        var index = bytes.startIndex
        while index + 1 < bytes.endIndex {
            let delta = Int8(bitPattern: bytes[index + 1])
            if delta != -128 { line += Int64(delta) }
            if bytes[index] > 0 { add(address, delta == -128 ? nil : line) }
            address += Int64(bytes[index])
            index += 2
        }
        end(address)
    }

    private mutating func locations(_ bytes: ArraySlice<UInt8>, _ firstLine: Int64) {
        var line = firstLine
        var address: Int64 = 0
        var rest = bytes
        /// Six bits a byte, the lowest first; the seventh says that more follow.
        func varint() -> UInt64? {
            var value: UInt64 = 0
            var shift: UInt64 = 0
            while let byte = rest.popFirst(), byte & 0x80 == 0, shift < 60 {
                value |= UInt64(byte & 0x3F) << shift
                if byte & 0x40 == 0 { return value }
                shift += 6
            }
            return nil
        }
        func signedVarint() -> Int64? {
            varint().map { $0 & 1 == 0 ? Int64($0 >> 1) : -Int64($0 >> 1) }
        }
        while let head = rest.popFirst(), head & 0x80 != 0 {
            let length = Int64(head & 7) + 1
            var hasLine = true
            switch head >> 3 & 15 {
            case 0...9: rest = rest.dropFirst(1)
            case let code where code <= 12:
                line &+= Int64(code) - 10
                rest = rest.dropFirst(2)
            case 13:
                guard let delta = signedVarint() else { return end(address) }
                line &+= delta
            case 14:
                guard let delta = signedVarint(), varint() != nil, varint() != nil, varint() != nil else {
                    return end(address)
                }
                line &+= delta
            default: hasLine = false
            }
            add(address, hasLine ? line : nil)
            address += length * 2
        }
        end(address)
    }

    private mutating func end(_ address: Int64) {
        guard let start = UInt32(exactly: address) else { return }
        rows.append(Row(start: start, line: 0))
    }
}
