/// Bytes that stand for a process's memory from an address on: what tests and fuzzing read structures from.
package struct ForeignMemoryImage: ForeignMemory {
    package var start: UInt64
    package var bytes: [UInt8]

    package init(start: UInt64, bytes: [UInt8]) {
        self.start = start
        self.bytes = bytes
    }

    package func read(_ address: UInt64, into buffer: inout [UInt8], at offset: Int, count: Int) -> Bool {
        let first = address &- start
        guard address >= start, count >= 0, first <= UInt64(bytes.count), count <= bytes.count - Int(first),
            offset >= 0, offset <= buffer.count, count <= buffer.count - offset
        else { return false }
        buffer.replaceSubrange(offset..<offset + count, with: bytes[Int(first)..<Int(first) + count])
        return true
    }
}
