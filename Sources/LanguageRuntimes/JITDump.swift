/// The records of a jitdump file (tools/perf/Documentation/jitdump-specification.txt), taken one by one as it grows.
///
/// The code's bytes are stepped over. A function is valid from its record's time until other code covers its address.
public struct JITDump: Sendable {
    public enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        case notAJITDump
        case otherByteOrder
        case otherVersion(UInt32)
        case otherProcess(UInt32)
        case malformedRecord(offset: UInt64, size: UInt32)

        public var description: String {
            switch self {
            case .notAJITDump: "the file does not begin as a jitdump"
            case .otherByteOrder: "the jitdump is in another machine's byte order"
            case .otherVersion(let version): "the jitdump has version \(version), 1 is known"
            case .otherProcess(let process): "the jitdump was written by process \(process)"
            case .malformedRecord(let offset, let size):
                "the jitdump's record at offset \(offset) says a size of \(size); what follows is not read"
            }
        }
    }

    /// What to do after a record.
    public enum Step: Hashable, Sendable {
        /// The next record begins so many bytes behind the one that was given.
        case advance(UInt64)
        /// The record can be taken when so many of its bytes are there.
        case needs(Int)
        /// The writer has closed it.
        case ended
    }

    public struct Counts: Hashable, Sendable {
        public var functions: UInt64 = 0
        public var moves: UInt64 = 0
        /// Moves that were not followed: of code unknown, or more than are followed between two readings.
        public var movesNotFollowed: UInt64 = 0
        /// Unwinding records. They are not used.
        public var unwindingRecords: UInt64 = 0
        public var unknownRecords: UInt64 = 0
        public var malformedRecords: UInt64 = 0
        /// Line tables over the limit, or cut.
        public var lineTablesLeftOut: UInt64 = 0
    }

    public private(set) var names: RuntimeCodeNames
    public private(set) var counts = Counts()
    /// The writer's PID in its own namespace, once the header was read.
    public private(set) var process: UInt32?

    /// Times are of the processor's counter and can't be compared with samples.
    private var hasOwnClock = false
    private var offset: UInt64 = 0
    private var isClosed = false
    /// Lines of the function whose record comes next.
    private var waitingLines: [RuntimeCodeNames.SourceLine] = []
    private var waitingAddress: UInt64 = 0
    private var movesInRound = 0

    private static var mostMovesInRound: Int { 64 }
    private static var mostLineTableBytes: UInt32 { 4 << 20 }
    private static var mostLines: Int { 100_000 }

    public init(limits: RuntimeCodeNames.Limits = RuntimeCodeNames.Limits()) {
        names = RuntimeCodeNames(limits: limits)
    }

    /// Takes the header or record at the start of `bytes`, seen at `now` (CLOCK_MONOTONIC).
    public mutating func take(_ bytes: ArraySlice<UInt8>, at now: UInt64) throws(Failure) -> Step {
        guard !isClosed else { return .ended }
        let step = try process == nil ? header(bytes) : record(bytes, at: now)
        if case .advance(let count) = step { offset &+= count }
        return step
    }

    /// Makes what was taken part of look-ups; after each reading.
    public mutating func endRound() {
        names.endRound()
        movesInRound = 0
    }

    private mutating func header(_ bytes: ArraySlice<UInt8>) throws(Failure) -> Step {
        guard bytes.count >= 40 else { return .needs(40) }
        let magic = Self.uint32(bytes, 0)
        guard magic == 0x4A69_5444 else { throw magic == 0x4454_694A ? .otherByteOrder : .notAJITDump }
        let version = Self.uint32(bytes, 4)
        guard version == 1 else { throw .otherVersion(version) }
        let size = Self.uint32(bytes, 8)
        guard size >= 40, size <= 4096 else { throw .malformedRecord(offset: 0, size: size) }
        process = Self.uint32(bytes, 20)
        hasOwnClock = Self.uint64(bytes, 32) & 1 != 0
        return .advance(UInt64(size))
    }

    private mutating func record(_ bytes: ArraySlice<UInt8>, at now: UInt64) throws(Failure) -> Step {
        guard bytes.count >= 16 else { return .needs(16) }
        let size = Self.uint32(bytes, 4)
        guard size >= 16 else { throw .malformedRecord(offset: offset, size: size) }
        let time = hasOwnClock ? now : Self.uint64(bytes, 8)
        switch Self.uint32(bytes, 0) {
        case 0:
            let wanted = min(Int(size), 56 + names.limits.bytesOfAName + 1)
            guard bytes.count >= wanted else { return .needs(wanted) }
            load(bytes.prefix(wanted), at: time)
        case 1:
            guard size >= 64 else {
                counts.malformedRecords += 1
                break
            }
            guard bytes.count >= 64 else { return .needs(64) }
            move(bytes, at: time)
        case 2:
            guard size <= Self.mostLineTableBytes else {
                counts.lineTablesLeftOut += 1
                break
            }
            guard bytes.count >= Int(size) else { return .needs(Int(size)) }
            debugInformation(bytes.prefix(Int(size)))
        case 3:
            isClosed = true
            return .ended
        case 4: counts.unwindingRecords += 1
        default: counts.unknownRecords += 1
        }
        return .advance(UInt64(size))
    }

    /// u32 pid, tid; u64 vma, code_addr, code_size, code_index; name; code.
    private mutating func load(_ bytes: ArraySlice<UInt8>, at time: UInt64) {
        guard bytes.count > 56 else {
            counts.malformedRecords += 1
            return
        }
        counts.functions += 1
        let start = Self.uint64(bytes, 32)
        let name = bytes[(bytes.startIndex + 56)...]
        names.add(
            start: start, length: Self.uint64(bytes, 40), name: name.prefix { $0 != 0 }, at: time,
            lines: waitingAddress == start ? waitingLines : [])
        waitingLines = []
    }

    /// u32 pid, tid; u64 vma, old_code_addr, new_code_addr, code_size, code_index.
    private mutating func move(_ bytes: ArraySlice<UInt8>, at time: UInt64) {
        counts.moves += 1
        movesInRound += 1
        guard movesInRound <= Self.mostMovesInRound,
            names.move(
                from: Self.uint64(bytes, 32), to: Self.uint64(bytes, 40), length: Self.uint64(bytes, 48), at: time)
        else {
            counts.movesNotFollowed += 1
            return
        }
    }

    /// u64 code_addr, nr_entry; entries of u64 addr, u32 line, u32 discriminator, name.
    private mutating func debugInformation(_ bytes: ArraySlice<UInt8>) {
        waitingLines = []
        guard bytes.count >= 32 else {
            counts.malformedRecords += 1
            return
        }
        waitingAddress = Self.uint64(bytes, 16)
        let entries = Self.uint64(bytes, 24)
        var position = bytes.startIndex + 32
        var file: [UInt8] = []
        var taken: UInt64 = 0
        while taken < entries, waitingLines.count < Self.mostLines, bytes.endIndex - position > 16 {
            let entry = bytes[position...]
            guard let end = bytes[(position + 16)...].firstIndex(of: 0) else { break }
            let name = bytes[(position + 16)..<end]
            // The name 0xFF stands for the one before.
            if name.count != 1 || name.first != 0xFF { file = Array(name.prefix(names.limits.bytesOfAName + 1)) }
            waitingLines.append(
                RuntimeCodeNames.SourceLine(
                    address: Self.uint64(entry, 0), line: Self.uint32(entry, 8), file: file))
            position = end + 1
            taken += 1
        }
        if taken < entries { counts.lineTablesLeftOut += 1 }
    }

    private static func uint32(_ bytes: ArraySlice<UInt8>, _ offset: Int) -> UInt32 {
        var value: UInt32 = 0
        for index in 0..<4 { value |= UInt32(bytes[bytes.startIndex + offset + index]) << UInt32(8 * index) }
        return value
    }

    private static func uint64(_ bytes: ArraySlice<UInt8>, _ offset: Int) -> UInt64 {
        UInt64(uint32(bytes, offset)) | UInt64(uint32(bytes, offset + 4)) << 32
    }
}
