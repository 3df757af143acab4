import SymbolTables

/// The lines and inlined bodies of all units, put in order of address.
///
/// Of each unit a run of rows without gap is a piece; only pieces are sorted, of which there is one or a few for each
/// function section, and a row takes 16 bytes.
struct SourceRows {
    /// A row of a line table; file 0: nothing is known from here on.
    struct Line {
        var start: UInt64
        var file: UInt32
        var line: UInt32
        var endsSequence = false
    }

    /// A range of addresses that an inlined call's body fills.
    struct Scope {
        var start: UInt64
        var end: UInt64
        var inlined: UInt32
    }

    private struct Row {
        /// From the piece's start.
        var offset: UInt32
        var inlined: UInt32
        var file: UInt32
        var line: UInt32
    }

    private struct Piece {
        var start: UInt64
        var end: UInt64
        var unit: UInt32
        var rows: Range<UInt32>
    }

    private var units: [[Row]] = []
    private var pieces: [Piece] = []
    private(set) var count = 0
    private let maximumCount = SymbolTable.Limits().lines

    /// Adds a unit. `lines` are ascending, of equal starts the last holds; `scopes` come outer before inner. False when
    /// the limits are reached.
    mutating func add(_ lines: [Line], scopes: [Scope]) -> Bool {
        let scopes = Self.disjoint(scopes)
        guard !lines.isEmpty || !scopes.isEmpty else { return true }
        var rows: [Row] = []
        rows.reserveCapacity(lines.count + scopes.count)
        var place = (line: 0, scope: 0)
        var current = Line(start: 0, file: 0, line: 0)
        var pieceStart: UInt64?
        var firstRow = 0
        let unit = UInt32(units.count)
        while true {
            // The next address where anything changes.
            var address = UInt64.max
            if place.line < lines.count { address = lines[place.line].start }
            if place.scope < scopes.count { address = min(address, scopes[place.scope].start) }
            guard place.line < lines.count || place.scope < scopes.count else { break }
            while place.line < lines.count, lines[place.line].start == address {
                current = lines[place.line]
                place.line += 1
            }
            while place.scope < scopes.count, scopes[place.scope].start == address { place.scope += 1 }
            let inlined = place.scope > 0 ? scopes[place.scope - 1].inlined : 0
            let isNothing = current.file == 0 && inlined == 0
            if isNothing || pieceStart.map({ address - $0 > UInt64(UInt32.max) }) == true {
                if let start = pieceStart {
                    pieces.append(
                        Piece(start: start, end: address, unit: unit, rows: UInt32(firstRow)..<UInt32(rows.count)))
                }
                pieceStart = nil
            }
            if isNothing { continue }
            let start = pieceStart ?? address
            if pieceStart == nil {
                pieceStart = address
                firstRow = rows.count
            }
            rows.append(
                Row(offset: UInt32(address - start), inlined: inlined, file: current.file, line: current.line))
        }
        if let start = pieceStart {
            // A sequence without end: its last row holds for a byte.
            let last = start + UInt64(rows.last?.offset ?? 0)
            pieces.append(
                Piece(
                    start: start, end: last == .max ? last : last + 1, unit: unit,
                    rows: UInt32(firstRow)..<UInt32(rows.count)))
        }
        guard count + rows.count <= maximumCount else { return false }
        count += rows.count
        units.append(rows)
        return true
    }

    /// Puts all rows into `builder`. Where two units claim an address, the piece that begins first has it, of equals the
    /// one that was added first.
    mutating func finish(into builder: inout SymbolTableBuilder) {
        pieces.sort { ($0.start, $0.unit, $0.rows.lowerBound) < ($1.start, $1.unit, $1.rows.lowerBound) }
        var end: UInt64 = 0
        for piece in pieces where Int(piece.unit) < units.count {
            guard piece.end > end else { continue }
            if piece.start > end, end > 0 { builder.addRow(end, inlined: 0, file: 0, line: 0) }
            let rows = units[Int(piece.unit)]
            for index in piece.rows {
                let row = rows[Int(index)]
                let next =
                    index + 1 < piece.rows.upperBound ? piece.start + UInt64(rows[Int(index) + 1].offset) : piece.end
                let start = max(piece.start + UInt64(row.offset), end)
                if start < next { builder.addRow(start, inlined: row.inlined, file: row.file, line: row.line) }
            }
            end = piece.end
        }
        if end > 0 { builder.addRow(end, inlined: 0, file: 0, line: 0) }
    }

    /// Which inlined call is innermost from which address on, 0 for none. Bodies lie within each other; of those that
    /// overlap otherwise the one that begins last wins.
    static func disjoint(_ scopes: [Scope]) -> [Scope] {
        guard !scopes.isEmpty else { return [] }
        let order = scopes.indices.sorted {
            // Outer ones have lower numbers.
            (scopes[$0].start, scopes[$0].inlined, $0) < (scopes[$1].start, scopes[$1].inlined, $1)
        }
        var result: [Scope] = []
        result.reserveCapacity(scopes.count * 2)
        var open: [Scope] = []
        func put(_ address: UInt64) {
            let inlined = open.last?.inlined ?? 0
            if result.last?.start == address { result.removeLast() }
            if (result.last?.inlined ?? 0) != inlined {
                result.append(Scope(start: address, end: address, inlined: inlined))
            }
        }
        func close(upTo limit: UInt64) {
            while let last = open.last, last.end <= limit {
                open.removeLast()
                // Others that end no later can't show again.
                while let outer = open.last, outer.end <= last.end { open.removeLast() }
                put(last.end)
            }
        }
        for index in order {
            let scope = scopes[index]
            close(upTo: scope.start)
            open.append(scope)
            put(scope.start)
        }
        close(upTo: .max)
        return result
    }
}
