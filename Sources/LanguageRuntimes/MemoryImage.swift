package import LinuxSystem

/// Bytes that stand for a process's memory from an address on: what tests and fuzzing read structures from.
package struct MemoryImage: PythonMemory, Sendable {
    package var start: UInt64
    package var bytes: [UInt8]

    package init(start: UInt64, bytes: [UInt8]) {
        self.start = start
        self.bytes = bytes
    }

    package func read(
        _ ranges: [MemoryRange], into buffer: inout [UInt8], at offset: Int
    ) throws(ProcessMemoryError) -> Int {
        var count = 0
        for range in ranges {
            let first = range.address &- start
            guard range.address >= start, first < UInt64(bytes.count) else { break }
            let available = min(range.byteCount, bytes.count - Int(first))
            guard offset + count + available <= buffer.count else { break }
            let place = offset + count
            buffer.replaceSubrange(place..<place + available, with: bytes[Int(first)..<Int(first) + available])
            count += available
            guard available == range.byteCount else { break }
        }
        guard count > 0 || ranges.isEmpty else {
            throw .unreadable(process: 0, address: ranges.first?.address ?? 0)
        }
        return count
    }
}

extension MemoryImage: ForeignMemory {
    package func read(_ address: UInt64, into buffer: inout [UInt8], at offset: Int, count: Int) -> Bool {
        (try? read([MemoryRange(address: address, byteCount: count)], into: &buffer, at: offset)) == count
    }
}
