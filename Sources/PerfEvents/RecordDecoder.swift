/// Reads the records that our events make (perf_event_open(2), "Ring-buffer layout"): a pure function of their bytes.
/// Every length is checked against the record's end before anything behind it is read.
public enum RecordDecoder {
    /// Decodes one whole record, header first, that begins at a multiple of 8 bytes. `registers` is how many user
    /// registers a sample holds, nil where registers and stack are not sampled.
    @_lifetime(copy bytes)
    public static func decode(_ bytes: RawSpan, registers: Int? = nil) throws(RecordError) -> Record {
        let available = bytes.byteCount
        guard available >= RecordLayout.headerBytes else { throw .badSize(size: 0, available: available) }
        let header = RecordHeader(bytes, at: 0)
        guard header.size == available, available % 8 == 0 else {
            throw .badSize(size: header.size, available: available)
        }
        if header.type == RecordType.sample { return .sample(try sample(bytes, registers: registers)) }
        // What follows has the common trailer; `end` is where the record's own fields end.
        let end = available - RecordLayout.trailerBytes
        guard end >= header.ownBytes else { throw .tooShort(type: header.type, size: available) }
        let time = bytes.word(end + 8)
        switch header.type {
        case RecordType.mapping2:
            return .mapping(try mapping2(bytes, end: end, time: time, hasBuildID: header.misc & 1 << 14 != 0))
        case RecordType.mapping:
            return .mapping(
                Mapping(
                    pid: bytes.number(8), tid: bytes.number(12), time: time, address: bytes.word(16),
                    length: bytes.word(24), fileOffset: bytes.word(32), protection: header.misc & 1 << 13 == 0 ? 4 : 0,
                    flags: 0, deviceMajor: 0, deviceMinor: 0, inode: 0, buildID: bytes.octets(end..<end),
                    name: bytes.string(40..<end)))
        case RecordType.commandName:
            return .commandName(
                CommandName(
                    pid: bytes.number(8), tid: bytes.number(12), time: time, isExec: header.misc & 1 << 13 != 0,
                    name: bytes.string(16..<end)))
        case RecordType.fork: return .fork(fork(bytes))
        case RecordType.exit: return .exit(fork(bytes))
        case RecordType.lost: return .lost(bytes.word(16))
        case RecordType.lostSamples: return .lost(bytes.word(8))
        case RecordType.throttle: return .throttle
        case RecordType.unthrottle: return .unthrottle
        case RecordType.cgroup:
            return .cgroup(CgroupPath(id: bytes.word(8), time: time, path: bytes.string(16..<end)))
        default: return .other(type: header.type)
        }
    }

    /// When the record was made, without decoding the rest; nil where it is too short to have a time.
    static func time(of bytes: RawSpan, type: UInt32) -> UInt64? {
        if type == RecordType.sample {
            return bytes.byteCount >= RecordLayout.smallestSample ? bytes.word(RecordLayout.sampleTimeOffset) : nil
        }
        let end = bytes.byteCount - RecordLayout.trailerBytes
        return end >= RecordLayout.headerBytes ? bytes.word(end + 8) : nil
    }

    @_lifetime(copy bytes)
    private static func sample(_ bytes: RawSpan, registers: Int?) throws(RecordError) -> SampleRecord {
        let size = bytes.byteCount
        guard size >= RecordLayout.smallestSample else { throw .tooShort(type: RecordType.sample, size: size) }
        let count = bytes.word(32)
        guard count <= UInt64((size - RecordLayout.smallestSample) / 8) else {
            throw .badCallChain(count: count, size: size)
        }
        let end = RecordLayout.smallestSample + 8 * Int(count)
        guard let chain = bytes.words(RecordLayout.smallestSample..<end) else { throw .misaligned }
        return SampleRecord(
            pid: bytes.number(8), tid: bytes.number(12), cpu: bytes.half(24), time: bytes.word(16), callChain: chain,
            user: try userState(bytes, at: end, registers: registers))
    }

    /// ABI and registers, then size, stack and how much of it is valid; the kernel leaves out what there is none of.
    @_lifetime(copy bytes)
    private static func userState(
        _ bytes: RawSpan, at start: Int, registers count: Int?
    ) throws(RecordError) -> UserState {
        guard let count else { return UserState() }
        let size = bytes.byteCount
        guard size - start >= 16 else { throw .tooShort(type: RecordType.sample, size: size) }
        let abi = bytes.word(start)
        let registersEnd = start + 8 + (abi == 0 ? 0 : 8 * count)
        guard size - registersEnd >= 8 else { throw .tooShort(type: RecordType.sample, size: size) }
        let stackBytes = bytes.word(registersEnd)
        let stackStart = registersEnd + 8
        guard stackBytes <= UInt64(size - stackStart), stackBytes % 8 == 0 else {
            throw .badUserStack(bytes: stackBytes, size: size)
        }
        guard stackBytes > 0, abi == abi64 else { return UserState() }
        let stackEnd = stackStart + Int(stackBytes)
        guard size - stackEnd >= 8 else { throw .tooShort(type: RecordType.sample, size: size) }
        let valid = bytes.word(stackEnd)
        guard valid <= stackBytes else { throw .badUserStack(bytes: valid, size: size) }
        guard let words = bytes.words(start + 8..<registersEnd) else { throw .misaligned }
        return UserState(registers: words, stack: bytes.extracting(stackStart..<stackStart + Int(valid)))
    }

    /// PERF_SAMPLE_REGS_ABI_64.
    private static let abi64: UInt64 = 2

    @_lifetime(copy bytes)
    private static func mapping2(
        _ bytes: RawSpan, end: Int, time: UInt64, hasBuildID: Bool
    ) throws(RecordError) -> Mapping {
        var buildID = 44..<44
        if hasBuildID {
            let count = Int(bytes.half(40) & 0xFF)
            guard count <= 20 else { throw .badBuildID(count: count) }
            buildID = 44..<44 + count
        }
        return Mapping(
            pid: bytes.number(8), tid: bytes.number(12), time: time, address: bytes.word(16), length: bytes.word(24),
            fileOffset: bytes.word(32), protection: bytes.half(64), flags: bytes.half(68),
            deviceMajor: hasBuildID ? 0 : bytes.half(40), deviceMinor: hasBuildID ? 0 : bytes.half(44),
            inode: hasBuildID ? 0 : bytes.word(48), buildID: bytes.octets(buildID), name: bytes.string(72..<end))
    }

    private static func fork(_ bytes: RawSpan) -> Fork {
        Fork(
            pid: bytes.number(8), parentPID: bytes.number(12), tid: bytes.number(16), parentTID: bytes.number(20),
            time: bytes.word(24))
    }
}

/// perf_event_header.
struct RecordHeader {
    let type: UInt32
    let misc: UInt16
    /// Of the whole record, in bytes.
    let size: Int

    /// Eight bytes must be there.
    init(_ bytes: RawSpan, at offset: Int) { self.init(word: bytes.word(offset)) }

    init(word: UInt64) {
        type = UInt32(truncatingIfNeeded: word)
        misc = UInt16(truncatingIfNeeded: word >> 32)
        size = Int(word >> 48)
    }

    /// The least that a record of this type has before the trailer, in bytes.
    var ownBytes: Int {
        switch type {
        case RecordType.mapping2: 80
        case RecordType.mapping: 48
        case RecordType.commandName, RecordType.cgroup: 24
        case RecordType.fork, RecordType.exit, RecordType.throttle, RecordType.unthrottle: 32
        case RecordType.lost: 24
        case RecordType.lostSamples: 16
        default: 8
        }
    }
}

/// enum perf_event_type of linux/perf_event.h.
enum RecordType {
    static let mapping: UInt32 = 1
    static let lost: UInt32 = 2
    static let commandName: UInt32 = 3
    static let exit: UInt32 = 4
    static let throttle: UInt32 = 5
    static let unthrottle: UInt32 = 6
    static let fork: UInt32 = 7
    static let sample: UInt32 = 9
    static let mapping2: UInt32 = 10
    static let lostSamples: UInt32 = 13
    static let cgroup: UInt32 = 19
}

/// Loads whose bounds the caller has checked against the record's size; they trap, not read on, where that is wrong.
extension RawSpan {
    fileprivate func word(_ offset: Int) -> UInt64 {
        unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }

    fileprivate func half(_ offset: Int) -> UInt32 {
        unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)
    }

    fileprivate func number(_ offset: Int) -> Int32 { Int32(bitPattern: half(offset)) }

    /// nil where the range doesn't begin at a multiple of 8.
    @_lifetime(copy self)
    fileprivate func words(_ range: Range<Int>) -> Span<UInt64>? {
        let part = extracting(range)
        guard unsafe part.withUnsafeBytes({ UInt(bitPattern: $0.baseAddress) % 8 == 0 }) else { return nil }
        return Span<UInt64>(_bytes: part)
    }

    @_lifetime(copy self)
    fileprivate func octets(_ range: Range<Int>) -> Span<UInt8> {
        Span<UInt8>(_bytes: extracting(range))
    }

    /// The bytes up to the first zero.
    @_lifetime(copy self)
    fileprivate func string(_ range: Range<Int>) -> Span<UInt8> {
        var end = range.lowerBound
        while end < range.upperBound, unsafe unsafeLoad(fromByteOffset: end, as: UInt8.self) != 0 { end += 1 }
        return octets(range.lowerBound..<end)
    }
}
