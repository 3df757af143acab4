// fuzz: LanguageRuntimes, LinuxSystem
import LanguageRuntimes

/// The memory of a process as its owner might make it: stacks of two threads, with and without a copy of the C stack,
/// and everything else that is read of it: the table of offsets, the file's dynamic symbols, line tables.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    guard let choice = input.first else { return 0 }
    let memory = MemoryImage(start: 0x1_0000, bytes: Array(input.dropFirst()))
    let layouts = layouts(memory.bytes)
    let layout = layouts[Int(choice & 0x0F) % layouts.count]
    var reader = PythonStackReader(
        memory: memory, layout: layout, runtime: 0x1_0000, codeType: choice & 0x10 == 0 ? 0x1_7000 : 0)
    for _ in 0..<2 {
        for thread: Int32 in [4321, 1] {
            _ = reader.read(thread: thread, threadPointer: 0, stackPointer: 0, copiedStack: RawSpan())
            let stackPointer = UInt64(choice) << 4 + 0x1_0000
            _ = unsafe reader.read(
                thread: thread, threadPointer: 0, stackPointer: stackPointer, copiedStack: memory.bytes.span.bytes)
            for frame in reader.frames { _ = reader.function(frame.code).count + reader.file(frame.code).count }
        }
    }
    if let image = PythonImage(memory: memory, start: 0x1_0000) { _ = image.symbol("_PyRuntime") }
    for form in [PythonLayout.LineTable.increments, .ranges, .locations] {
        let table = PythonLineTable(memory.bytes[...], firstLine: UInt32(choice), form: form)
        _ = PythonLineTable.line(at: Int64(choice) * 7, in: table.rows.span)
    }
    return 0
}

/// Those with a table of their own, and the one that the input's own table gives.
private func layouts(_ bytes: [UInt8]) -> [PythonLayout] {
    var all = (8...12).compactMap { PythonLayout(PythonVersion(3, $0)) }
    // As in the tests' structures: offsets of 3.13 and 3.14 that no real one has.
    for minor: UInt8 in [13, 14] {
        let words: [Int: UInt64] =
            minor == 13
            ? [
                5: 0x300, 8: 0x20, 9: 0x28, 21: 16, 22: 24, 23: 32, 24: 40, 25: 48, 29: 8, 30: 0, 31: 24, 33: 40,
                35: 48, 36: 56, 37: 64, 38: 72, 39: 40, 43: 96, 45: 8, 47: 24, 65: 16, 66: 32, 68: 32, 69: 16, 70: 40,
            ]
            : [
                5: 0x300, 8: 0x20, 9: 0x28, 24: 16, 25: 24, 26: 32, 27: 40, 28: 48, 32: 8, 33: 0, 34: 24, 36: 40,
                40: 48, 41: 56, 42: 64, 43: 72, 44: 40, 48: 96, 51: 8, 53: 24, 75: 16, 76: 32, 78: 32, 79: 16, 80: 40,
            ]
        var table = [UInt8](repeating: 0, count: PythonDebugOffsets.byteCount)
        table.replaceSubrange(0..<8, with: PythonDebugOffsets.cookie)
        table[10] = minor
        table[11] = 3
        for (word, value) in words {
            table[word * 8] = UInt8(truncatingIfNeeded: value)
            table[word * 8 + 1] = UInt8(truncatingIfNeeded: value >> 8)
        }
        if let layout = PythonDebugOffsets(table).flatMap({ PythonLayout($0) }) { all.append(layout) }
    }
    if let own = PythonDebugOffsets(bytes).flatMap({ PythonLayout($0) }) { all.append(own) }
    return all
}
