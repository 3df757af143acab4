import ObjectFiles
import ToolOutput

@testable import Unwinding

/// Keeps a blob in memory for its table.
final class BlobMemory: Sendable {
    nonisolated(unsafe) let buffer: UnsafeMutableRawBufferPointer

    init(_ bytes: [UInt8]) {
        unsafe buffer = .allocate(byteCount: max(bytes.count, 1), alignment: 8)
        unsafe buffer.copyBytes(from: bytes)
    }

    deinit {
        unsafe buffer.deallocate()
    }
}

func unwindTable(_ blob: [UInt8]) throws -> UnwindTable {
    let memory = BlobMemory(blob)
    return try unsafe UnwindTable(UnsafeRawBufferPointer(rebasing: memory.buffer[..<blob.count]), keeping: memory)
}

func unwindTable(ofFile path: String) throws -> UnwindTable {
    try unwindTable(ofObject: contents(path))
}

func unwindTable(ofObject bytes: [UInt8]) throws -> UnwindTable {
    let source = ObjectBytes(bytes)
    return try unwindTable(UnwindSections.encode(ObjectFile(source), from: source))
}

/// The tables of a gdb session's modules, with its mappings.
struct SessionTables {
    var mappings: [CodeMapping] = []
    var tables: [UnwindTable] = []

    /// `replacing`: files that are read in others' places.
    init(_ session: StackCapture.Session, replacing: [String: String] = [:]) throws {
        var numbers: [String: UInt32] = [:]
        for map in session.maps.sorted(by: { $0.start < $1.start }) {
            if numbers[map.path] == nil {
                let table =
                    map.path == "[vdso]"
                    ? try unwindTable(ofObject: session.sharedObject)
                    : try unwindTable(ofFile: replacing[map.path] ?? map.path)
                numbers[map.path] = UInt32(tables.count)
                tables.append(table)
            }
            mappings.append(
                CodeMapping(start: map.start, end: map.end, fileOffset: map.offset, file: numbers[map.path] ?? 0))
        }
    }

    func unwinder() -> Unwinder {
        var unwinder = Unwinder(.x86_64)
        for (number, table) in tables.enumerated() { unwinder.set(.ready(table), forFile: UInt32(number)) }
        return unwinder
    }
}

extension Unwinder {
    mutating func unwind(_ capture: StackCapture, _ tables: SessionTables) -> UnwindOutcome {
        unsafe unwind(capture.registers, stack: capture.stack.span.bytes, mappings: tables.mappings.span)
    }

    /// Program counters, as debuggers show them.
    var shown: [StackCapture.Frame] {
        frames.map { StackCapture.Frame(address: $0.address + ($0.isReturnAddress ? 1 : 0), isSignal: $0.isSignal) }
    }
}

func encoded(_ bytes: [UInt8]) throws -> [UInt8] {
    let source = ObjectBytes(bytes)
    return try UnwindSections.encode(ObjectFile(source), from: source)
}
