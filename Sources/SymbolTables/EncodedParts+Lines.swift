import ByteCoding

extension EncodedParts {
    func gaps() throws(SymbolTableError) -> TableGaps {
        guard let body = bodies[7] else { return [] }
        var reader = unsafe ByteReader(body.span.bytes)
        do { return TableGaps(rawValue: try reader.readVarint()) } catch { throw .unreadable(error) }
    }

    /// Parents come before their children, so no chain goes round; none is deeper than `InlinedCall.maximumDepth`.
    func calls(
        limits: SymbolTable.Limits, nameCount: Int, fileCount: Int
    ) throws(SymbolTableError) -> [InlinedCall] {
        guard let body = bodies[5] else { return [] }
        var reader = unsafe ByteReader(body.span.bytes)
        let count: Int
        do { count = try Self.count(&reader, limit: limits.calls) } catch { throw .unreadable(error) }
        var column = VarintColumn(body, from: reader.offset, to: body.count)
        var calls: [InlinedCall] = []
        var depths: [UInt8] = []
        calls.reserveCapacity(count)
        depths.reserveCapacity(count)
        for index in 0..<count {
            let distance = try column.next()
            guard distance <= UInt64(index) else { throw .malformed("inlined call \(index) lies in none before it") }
            let parent = distance == 0 ? 0 : index + 1 - Int(distance)
            let depth = parent == 0 ? 1 : Int(depths[parent - 1]) + 1
            guard depth <= InlinedCall.maximumDepth else {
                throw .overLimit(what: "depth of inlined calls", value: UInt64(depth), limit: 255)
            }
            depths.append(UInt8(depth))
            calls.append(InlinedCall(parent: UInt32(parent), name: 0, file: 0, line: 0))
        }
        var value: Int64 = 0
        for index in calls.indices {
            calls[index].name = try column.next(after: &value, below: nameCount, what: "a call's name")
        }
        value = 0
        for index in calls.indices {
            calls[index].file = try column.next(after: &value, below: fileCount + 1, what: "a call's file")
        }
        value = 0
        for index in calls.indices {
            calls[index].line = try column.next(after: &value, below: 1 << 32, what: "a call's line")
        }
        return calls
    }

    func rows(
        limits: SymbolTable.Limits, callCount: Int, fileCount: Int
    ) throws(SymbolTableError) -> LineRows {
        guard let body = bodies[6] else { return LineRows() }
        var reader = unsafe ByteReader(body.span.bytes)
        let count: Int
        var columns: [VarintColumn] = []
        do throws(ByteCodingError) {
            count = try Self.count(&reader, limit: limits.lines)
            for _ in 0..<4 {
                let length = try reader.readVarint()
                let start = reader.offset
                guard length <= UInt64(reader.remaining), length >= UInt64(count) else {
                    throw ByteCodingError.lengthOverLimit(offset: start, length: length, limit: reader.remaining)
                }
                columns.append(VarintColumn(body, from: start, to: start + Int(length)))
                try reader.skip(Int(length))
            }
        } catch {
            throw .unreadable(error)
        }
        var (starts, calls, files, lines) = (columns[0], columns[1], columns[2], columns[3])
        var rows = LineRows()
        var start: UInt64 = 0
        var (call, file, line) = (Int64(0), Int64(0), Int64(0))
        for index in 0..<count {
            let (next, overflow) = start.addingReportingOverflow(try starts.next())
            guard !overflow else { throw .malformed("row \(index) leaves the address space") }
            start = next
            let row = LineRows.Row(
                start: start, inlined: try calls.next(after: &call, below: callCount + 1, what: "a row's call"),
                file: try files.next(after: &file, below: fileCount + 1, what: "a row's file"),
                line: try lines.next(after: &line, below: 1 << 32, what: "a row's line"))
            guard rows.append(row) else { throw .malformed("row \(index) does not come behind the one before") }
        }
        return rows
    }
}

/// Varints one after the other. `ByteReader`'s, called across modules, took most of the time of decoding 50 million.
private struct VarintColumn {
    private let bytes: [UInt8]
    private var offset: Int
    private let end: Int

    init(_ bytes: [UInt8], from start: Int, to end: Int) {
        self.bytes = bytes
        offset = start
        self.end = end
    }

    mutating func next() throws(SymbolTableError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while offset < end {
            let byte = bytes[offset]
            offset += 1
            guard shift < 63 || (shift == 63 && byte <= 1) else { throw .unreadable(.varintTooLong(offset: offset)) }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw .unreadable(.truncated(offset: offset, needed: 1, available: 0))
    }

    /// The value that lies by a zigzag difference behind the one before, which it replaces.
    mutating func next(
        after before: inout Int64, below bound: Int, what: StaticString
    ) throws(SymbolTableError) -> UInt32 {
        let raw = try next()
        let (value, overflow) = before.addingReportingOverflow(
            Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1))
        guard !overflow, value >= 0, value < Int64(bound) else {
            throw .malformed("\(what) is \(value), the bound is \(bound)")
        }
        before = value
        return UInt32(value)
    }
}
