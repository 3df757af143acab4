internal import LinuxSystem

/// The code objects of a stack: whether they are what they were, their names, their lines.
extension PythonStackReader {
    /// Reads the fields of all code objects of the stack at once, compares or reads their names, and finds the lines.
    mutating func nameFrames() throws(PythonInconsistency) {
        if codes.isFull { codes.forget() }
        let size = layout.codeBytes
        codeSnapshot.clear()
        var lastPlanned: UInt64 = 0
        for index in walked.indices {
            let code = walked[index].code
            if code == lastPlanned { continue }
            lastPlanned = code
            // An entry is marked when it is planned; what its fields are is seen below.
            if let known = codes.index(code) {
                if codes.isChecked(known, by: stack) { continue }
                codes.markChecked(known, by: stack)
            }
            codeSnapshot.plan(code, size)
        }
        do throws(ProcessMemoryError) {
            try codeSnapshot.load(memory)
        } catch {
            throw PythonInconsistency(error, address: lastPlanned)
        }

        var lastCode: UInt64 = 0
        var lastIndex: UInt32 = 0
        for index in walked.indices {
            let frame = walked[index]
            if frame.code != lastCode || index == 0 {
                lastIndex = try code(frame.code, size)
                lastCode = frame.code
            }
            let offset: Int64 =
                switch layout.instruction {
                case .index(let unit): Int64(Int32(truncatingIfNeeded: frame.instruction)) * unit
                case .pointer: Int64(bitPattern: frame.instruction &- frame.code &- UInt64(layout.codeStart))
                }
            var line = codes.line(lastIndex, at: offset)
            if line == nil, layout.instructionsMayMove { line = 0 }
            guard let line else { throw .instructionOutside(address: frame.instruction) }
            if codes.entries[Int(lastIndex)].isInternal {
                if frame.isEntry, !frames.isEmpty { frames[frames.count - 1].isEntry = true }
                continue
            }
            frames.append(PythonFrame(code: lastIndex, line: line, isEntry: frame.isEntry))
        }
    }

    /// The number of a code object whose fields are those of now.
    private mutating func code(_ address: UInt64, _ size: Int) throws(PythonInconsistency) -> UInt32 {
        let position = try codeSnapshot.locate(address, size, memory)
        let type = codeSnapshot.word(position + layout.objectType)
        if codeType == 0, try isCodeType(type) { codeType = type }
        guard type == codeType, type != 0 else { throw .notCode(address: address) }
        let fields = PythonCodeCache.Fields(
            filename: codeSnapshot.word(position + layout.codeFilename),
            name: codeSnapshot.word(position + layout.codeName),
            qualifiedName: layout.codeQualifiedName.map { codeSnapshot.word(position + $0) } ?? 0,
            lineTable: codeSnapshot.word(position + layout.codeLineTable),
            firstLine: codeSnapshot.half(position + layout.codeFirstLine))
        if let known = codes.index(address), codes.entries[Int(known)].fields == fields { return known }
        statistics.codesRead += 1
        let function = try text(fields.qualifiedName != 0 ? fields.qualifiedName : fields.name, of: address)
        let file = try text(fields.filename, of: address)
        let bytes = try lineTable(fields.lineTable, of: address)
        let lines = PythonLineTable(bytes, firstLine: fields.firstLine, form: layout.lineTable)
        return codes.insert(
            address, fields, function: function, file: file, lines: lines, form: layout.lineTable, by: stack)
    }

    /// A type's name is its first field behind the object's header: `code` for code objects.
    private mutating func isCodeType(_ type: UInt64) throws(PythonInconsistency) -> Bool {
        guard type != 0 else { return false }
        let name = try codeSnapshot.word(at: type &+ UInt64(layout.typeName), memory)
        let position = try codeSnapshot.locate(name, 5, memory)
        return Array(codeSnapshot.bytes(position, 5)) == Array("code\0".utf8)
    }

    private mutating func text(_ address: UInt64, of code: UInt64) throws(PythonInconsistency) -> String {
        let header = max(layout.textLength, layout.textState) + 8
        let position = try codeSnapshot.locate(address, header, memory)
        guard
            let shape = PythonText.shape(
                length: codeSnapshot.word(position + layout.textLength),
                state: codeSnapshot.half(position + layout.textState), layout: layout)
        else { throw .damagedCode(address: code) }
        guard shape.byteCount > 0 else { return "" }
        let start = try codeSnapshot.locate(address &+ UInt64(shape.offset), shape.byteCount, memory)
        return PythonText.decode(codeSnapshot.bytes(start, shape.byteCount), shape)
    }

    /// Lines of a table longer than this are not known; the longest of the standard library has 36 KB.
    private static var maximumLineTable: UInt64 { 1 << 18 }

    private mutating func lineTable(
        _ address: UInt64, of code: UInt64
    ) throws(PythonInconsistency) -> ArraySlice<UInt8> {
        let position = try codeSnapshot.locate(address &+ UInt64(layout.bytesSize), 8, memory)
        let count = codeSnapshot.word(position)
        guard count <= Self.maximumLineTable else {
            if count < 1 << 32 { return [] }
            throw .damagedCode(address: code)
        }
        guard count > 0 else { return [] }
        let start = try codeSnapshot.locate(address &+ UInt64(layout.bytesValue), Int(count), memory)
        return codeSnapshot.bytes(start, Int(count))
    }
}
