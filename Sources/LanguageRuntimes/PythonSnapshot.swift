package import LinuxSystem

/// Memory to read a Python stack from: a live process, or an image that a test made.
package protocol PythonMemory {
    /// As `ProcessMemory.read`: whole leading ranges, a number of bytes, an error where there is none at all.
    func read(_ ranges: [MemoryRange], into bytes: inout [UInt8], at offset: Int) throws(ProcessMemoryError) -> Int
}

extension ProcessMemory: PythonMemory {}

/// Pieces of a process's memory that were read one soon after the other.
///
/// What a thread's last stack was read from is planned beforehand and read by one system call; what is missing is read
/// when it is asked for. Storage is kept from stack to stack, so that nothing is allocated once it is large enough.
package struct PythonSnapshot: Sendable {
    /// Bytes and system calls that one stack may cost.
    package static let maximumBytes = 2 << 20
    package static let maximumReads = 4096

    private var ranges: [MemoryRange] = []
    private var offsets: [Int] = []
    private var buffer: [UInt8] = []
    private var used = 0
    /// The range that the last look-up ended with: a chain is mostly looked up in the order in which it was planned.
    private var hint = 0
    private var single = [MemoryRange(address: 0, byteCount: 0)]
    /// System calls since `clear`.
    package private(set) var reads = 0

    package init() {}

    package mutating func clear(keepingReads: Bool = false) {
        ranges.removeAll(keepingCapacity: true)
        offsets.removeAll(keepingCapacity: true)
        used = 0
        hint = 0
        if !keepingReads { reads = 0 }
    }

    /// Number of ranges planned or read.
    package var count: Int { ranges.count }
    package func range(_ index: Int) -> MemoryRange { ranges[index] }

    /// Adds a range to those that the next `load` reads.
    package mutating func plan(_ address: UInt64, _ byteCount: Int) {
        guard ranges.count < ProcessMemory.maximumRanges, byteCount > 0, used + byteCount <= Self.maximumBytes,
            address <= UInt64.max - UInt64(byteCount)
        else { return }
        ranges.append(MemoryRange(address: address, byteCount: byteCount))
        offsets.append(used)
        used += byteCount
    }

    /// Reads what is planned. Ranges that can't be read, and those behind the first such one, are dropped: whoever
    /// needs one reads it alone. Throws only where nothing of the process can be read any more.
    package mutating func load(_ memory: some PythonMemory) throws(ProcessMemoryError) {
        guard !ranges.isEmpty else { return }
        makeRoom()
        reads += 1
        var count = 0
        do throws(ProcessMemoryError) {
            count = try memory.read(ranges, into: &buffer, at: 0)
        } catch {
            guard case .unreadable = error else { throw error }
        }
        while let range = ranges.last, let offset = offsets.last, offset + range.byteCount > count {
            ranges.removeLast()
            offsets.removeLast()
            used = offset
        }
    }

    /// Where in the snapshot `byteCount` bytes at `address` lie; nil where they were not read.
    package mutating func find(_ address: UInt64, _ byteCount: Int) -> Int? {
        var index = hint
        for _ in 0..<ranges.count {
            if index >= ranges.count { index = 0 }
            let range = ranges[index]
            let distance = address &- range.address
            if distance <= UInt64(range.byteCount), UInt64(range.byteCount) - distance >= UInt64(byteCount) {
                hint = index
                return offsets[index] + Int(distance)
            }
            index += 1
        }
        return nil
    }

    /// The same, reading `window` (which holds those bytes) where they are not there yet.
    package mutating func locate(
        _ address: UInt64, _ byteCount: Int, window: MemoryRange, _ memory: some PythonMemory
    ) throws(PythonInconsistency) -> Int {
        if let offset = find(address, byteCount) { return offset }
        guard reads < Self.maximumReads, window.byteCount > 0, used + window.byteCount <= Self.maximumBytes else {
            throw .tooMuchToRead
        }
        single[0] = window
        let start = used
        used += window.byteCount
        makeRoom()
        reads += 1
        var count = 0
        do throws(ProcessMemoryError) {
            count = try memory.read(single, into: &buffer, at: start)
        } catch {
            used = start
            throw PythonInconsistency(error, address: address)
        }
        guard count == window.byteCount else {
            used = start
            throw .unreadable(address: address)
        }
        ranges.append(window)
        offsets.append(start)
        hint = ranges.count - 1
        return start + Int(address &- window.address)
    }

    /// The same for just these bytes.
    package mutating func locate(
        _ address: UInt64, _ byteCount: Int, _ memory: some PythonMemory
    ) throws(PythonInconsistency) -> Int {
        try locate(address, byteCount, window: MemoryRange(address: address, byteCount: byteCount), memory)
    }

    /// The word at an address, read where it is not there yet.
    package mutating func word(at address: UInt64, _ memory: some PythonMemory) throws(PythonInconsistency) -> UInt64 {
        let position = try locate(address, 8, memory)
        return word(position)
    }

    private mutating func makeRoom() {
        if buffer.count < used {
            buffer.append(contentsOf: repeatElement(0, count: max(used, buffer.count * 2, 8192) - buffer.count))
        }
    }

    // Positions below come from `find` or `locate` plus an offset within the bytes that were asked for.

    package func word(_ position: Int) -> UInt64 { buffer.littleEndianWord(position) }

    package func half(_ position: Int) -> UInt32 { buffer.littleEndianHalf(position) }

    package func byte(_ position: Int) -> UInt8 {
        buffer.indices.contains(position) ? buffer[position] : 0
    }

    package func bytes(_ position: Int, _ count: Int) -> ArraySlice<UInt8> {
        buffer[max(0, min(position, buffer.count))..<max(0, min(position + max(0, count), buffer.count))]
    }
}
