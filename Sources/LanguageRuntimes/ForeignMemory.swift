public import LinuxSystem

/// Memory that is somebody else's: a process's, or bytes that a test made.
public protocol ForeignMemory: Sendable {
    /// Fills `count` bytes of `bytes` from `offset` on with what lies at `address`; false where not all of it could be
    /// read (not mapped, gone, no right).
    func read(_ address: UInt64, into bytes: inout [UInt8], at offset: Int, count: Int) -> Bool

    /// Fills `bytes` from `offset` on with ranges, one behind the other, until one can't be read; answers how many bytes
    /// belong to ranges that could be.
    func gather(_ ranges: [MemoryRange], into bytes: inout [UInt8], at offset: Int) -> Int
}

extension ForeignMemory {
    public func gather(_ ranges: [MemoryRange], into bytes: inout [UInt8], at offset: Int) -> Int {
        var count = 0
        for range in ranges {
            guard read(range.address, into: &bytes, at: offset + count, count: range.byteCount) else { break }
            count += range.byteCount
        }
        return count
    }
}

extension ProcessMemory: ForeignMemory {
    public func read(_ address: UInt64, into bytes: inout [UInt8], at offset: Int, count: Int) -> Bool {
        let range = [MemoryRange(address: address, byteCount: count)]
        return (try? read(range, into: &bytes, at: offset)) == count
    }

    /// One system call for all of them.
    public func gather(_ ranges: [MemoryRange], into bytes: inout [UInt8], at offset: Int) -> Int {
        (try? read(ranges, into: &bytes, at: offset)) ?? 0
    }
}

/// Reads numbers and strings out of foreign memory, a page at a time, and counts what that costs.
///
/// A page that was read is kept until `forget()`: what is read between two calls of that is one view of the process.
public struct ForeignReader<Memory: ForeignMemory>: Sendable {
    public let memory: Memory
    /// Pages still allowed to be read; at 0 every read fails. Set it before each piece of work.
    public var pageBudget: Int
    /// Whether something was not read because it was more than the budget allowed.
    public private(set) var isCut = false

    private static var pageBytes: UInt64 { 4096 }
    /// Direct-mapped: page numbers, and the bytes of each.
    private var pages: [UInt64]
    private var bytes: [UInt8]

    /// - Parameter pages: How many pages are kept, a power of two.
    public init(_ memory: Memory, pages: Int = 64, pageBudget: Int = 1 << 20) {
        precondition(pages > 0 && pages & (pages - 1) == 0, "a number of pages is a power of two")
        self.memory = memory
        self.pageBudget = pageBudget
        self.pages = [UInt64](repeating: .max, count: pages)
        bytes = [UInt8](repeating: 0, count: pages * Int(Self.pageBytes))
    }

    /// Forgets the pages that were read before, and that anything was cut.
    public mutating func forget() {
        for index in pages.indices { pages[index] = .max }
        isCut = false
    }

    /// Whether the budget allows this many bytes; where not, they count as cut, and nothing is taken from it.
    public mutating func affords(_ byteCount: Int) -> Bool {
        if pageBudget > byteCount / 4096 { return true }
        isCut = true
        return false
    }

    /// Where the page of an address lies in `bytes`; nil where it can't be read.
    private mutating func load(_ page: UInt64) -> Int? {
        let slot = Int(page & UInt64(pages.count - 1))
        let start = slot * Int(Self.pageBytes)
        if pages[slot] == page { return start }
        guard affords(1) else { return nil }
        pageBudget -= 1
        pages[slot] = .max
        guard memory.read(page &* Self.pageBytes, into: &bytes, at: start, count: 4096) else { return nil }
        pages[slot] = page
        return start
    }

    /// Takes from the budget what work on so many bytes costs beyond reading them.
    public mutating func spend(_ byteCount: Int) { pageBudget = max(0, pageBudget - byteCount / 4096) }

    /// A little-endian number of `count` bytes (1, 2, 4 or 8), without sign.
    public mutating func number(_ address: UInt64, bytes count: Int) -> UInt64? {
        let within = Int(address & 4095)
        guard within + count <= 4096 else {
            var value: UInt64 = 0
            for index in 0..<count {
                guard let byte = number(address &+ UInt64(index), bytes: 1) else { return nil }
                value |= byte << UInt64(8 * index)
            }
            return value
        }
        guard let start = load(address >> 12) else { return nil }
        var value: UInt64 = 0
        for index in 0..<count { value |= UInt64(bytes[start + within + index]) << UInt64(8 * index) }
        return value
    }

    public mutating func uint64(_ address: UInt64) -> UInt64? { number(address, bytes: 8) }
    public mutating func uint32(_ address: UInt64) -> UInt32? { number(address, bytes: 4).map { UInt32($0) } }
    public mutating func int32(_ address: UInt64) -> Int32? {
        number(address, bytes: 4).map { Int32(truncatingIfNeeded: $0) }
    }
    public mutating func uint16(_ address: UInt64) -> UInt16? { number(address, bytes: 2).map { UInt16($0) } }
    public mutating func uint8(_ address: UInt64) -> UInt8? { number(address, bytes: 1).map { UInt8($0) } }

    /// Exactly `count` bytes; long ones are read at once and not kept.
    public mutating func bytes(_ address: UInt64, count: Int) -> [UInt8]? {
        guard count >= 0, UInt64(count) <= UInt64.max - address else { return nil }
        if count > 4096 {
            guard affords(count) else { return nil }
            pageBudget -= count / 4096
            var result = [UInt8](repeating: 0, count: count)
            return memory.read(address, into: &result, at: 0, count: count) ? result : nil
        }
        var result: [UInt8] = []
        result.reserveCapacity(count)
        while result.count < count {
            let next = address &+ UInt64(result.count)
            let within = Int(next & 4095)
            guard let start = load(next >> 12) else { return nil }
            result += bytes[start + within..<start + within + min(count - result.count, 4096 - within)]
        }
        return result
    }

    /// The bytes before the zero that ends them; nil where there is none within `limit` bytes.
    public mutating func zeroEnded(_ address: UInt64, limit: Int) -> [UInt8]? {
        guard address != 0 else { return nil }
        var result: [UInt8] = []
        while result.count < limit {
            guard let byte = uint8(address &+ UInt64(result.count)) else { return nil }
            if byte == 0 { return result }
            result.append(byte)
        }
        return nil
    }

    public mutating func string(_ address: UInt64, limit: Int = 256) -> String? {
        zeroEnded(address, limit: limit).map { String(decoding: $0, as: UTF8.self) }
    }
}
