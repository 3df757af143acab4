/// Code objects of a process that stacks were seen in: their names, files and lines.
///
/// A code object is known by its address and by what it points to. Once freed, its address may become another's: each
/// stack reads the fields again, and an entry holds only as long as all of them are as they were.
package struct PythonCodeCache: Sendable {
    /// What is compared: an object whose five fields are the same has the same names and lines.
    package struct Fields: BitwiseCopyable, Hashable, Sendable {
        package var filename: UInt64
        package var name: UInt64
        package var qualifiedName: UInt64
        package var lineTable: UInt64
        package var firstLine: UInt32

        package init(filename: UInt64, name: UInt64, qualifiedName: UInt64, lineTable: UInt64, firstLine: UInt32) {
            self.filename = filename
            self.name = name
            self.qualifiedName = qualifiedName
            self.lineTable = lineTable
            self.firstLine = firstLine
        }
    }

    struct Entry: Sendable {
        var fields: Fields
        var function: String
        var file: String
        /// Rows of its line table among all rows.
        var firstRow: Int32
        var rowCount: Int32
        /// Up to where its instructions reach, in bytes; nil where the table doesn't tell (3.8, 3.9).
        var codeEnd: UInt32?
        /// The interpreter's own: 3.12 and later put a frame of such code beneath an `__init__` that a class's call
        /// runs. Its file is its name; no source is called so by the very same string.
        var isInternal: Bool { fields.filename == fields.name }
        /// The stack that last found its fields as they were.
        var checkedBy: UInt64
    }

    /// With 24 bytes of names and 40 rows a code object this is about 3 MB.
    package static let maximumEntries = 8192
    package static let maximumRows = 262_144

    private(set) var entries: [Entry] = []
    private var rows: [PythonLineTable.Row] = []
    private var indices: [UInt64: UInt32] = [:]
    private var files: Set<String> = []
    /// Grows when everything was forgotten: indices from before then name nothing.
    package private(set) var generation: UInt32 = 0

    package init() {}

    func index(_ address: UInt64) -> UInt32? { indices[address] }

    /// Whether an entry's fields were compared during this stack already.
    func isChecked(_ index: UInt32, by stack: UInt64) -> Bool { entries[Int(index)].checkedBy == stack }

    mutating func markChecked(_ index: UInt32, by stack: UInt64) { entries[Int(index)].checkedBy = stack }

    var isFull: Bool { entries.count >= Self.maximumEntries || rows.count >= Self.maximumRows }

    mutating func forget() {
        entries.removeAll(keepingCapacity: true)
        rows.removeAll(keepingCapacity: true)
        indices.removeAll(keepingCapacity: true)
        files.removeAll(keepingCapacity: true)
        generation &+= 1
    }

    mutating func insert(
        _ address: UInt64, _ fields: Fields, function: String, file: String, lines: PythonLineTable,
        form: PythonLayout.LineTable, by stack: UInt64
    ) -> UInt32 {
        let index = UInt32(entries.count)
        // The last row is the end where the form tells it.
        let end = form == .increments || lines.rows.count < 2 ? nil : lines.rows.last?.start
        entries.append(
            Entry(
                fields: fields, function: function, file: files.insert(file).memberAfterInsert,
                firstRow: Int32(rows.count), rowCount: Int32(lines.rows.count), codeEnd: end, checkedBy: stack))
        rows.append(contentsOf: lines.rows)
        indices[address] = index
        return index
    }

    /// The line of the instruction at `offset` bytes from the first; nil where that is outside the code.
    ///
    /// A frame that was just made stands before its first instruction: it has the function's own line.
    func line(_ index: UInt32, at offset: Int64) -> UInt32? {
        let entry = entries[Int(index)]
        if offset < 0 { return offset >= -2 ? entry.fields.firstLine : nil }
        if let end = entry.codeEnd, offset >= Int64(end) { return nil }
        guard offset < 1 << 24 else { return nil }
        let first = Int(entry.firstRow)
        return PythonLineTable.line(at: offset, in: rows.span.extracting(first..<first + Int(entry.rowCount)))
    }
}
