internal import ByteCoding
internal import Profiles

extension ForeignSamples {
    /// What Python's cProfile and profile write (pstats): times by function and caller, marshalled. It holds calls and no
    /// stacks, so a stack here is a caller and its function: self times are exact, totals reach one call up.
    public init(pythonStats bytes: [UInt8], facts: ImportFacts) throws(FormatError) {
        self.init()
        let (service, host) = try facts.named()
        samplesPerSecond = facts.samplesPerSecond
        let type =
            facts.type.map { $0 == ProfileType.cpu.name ? .cpu : ProfileType(name: $0, unit: "nanoseconds") } ?? .cpu
        let key = SeriesKey(service: service, version: "", labels: facts.labels.sorted(), type: type)
        guard case .dictionary(let entries) = try Marshal.read(bytes) else {
            throw FormatError(.whole, "no pstats file: it holds no dictionary")
        }
        func frame(_ value: Marshal) throws(FormatError) -> ForeignFrame {
            guard case .tuple(let parts) = value, parts.count == 3, case .text(let file) = parts[0],
                case .number(let line) = parts[1], case .text(let name) = parts[2]
            else { throw FormatError(.whole, "a function is not (file, line, name)") }
            return ForeignFrame(
                kind: .interpreted, name: name, file: file == "~" ? "" : file,
                line: line > 0 && line < 4e9 && file != "~" ? UInt32(line) : 0)
        }
        func seconds(_ value: Marshal) throws(FormatError) -> (calls: Double, own: Double) {
            guard case .tuple(let parts) = value, parts.count >= 4, case .number(let calls) = parts[1],
                case .number(let own) = parts[2], own < 9e9, calls < 9e18
            else { throw FormatError(.whole, "the times of a function are not (calls, calls, seconds, seconds, …)") }
            return (calls, own)
        }
        // Functions can share their callers in the file, so that a few bytes name endlessly many pairs of them.
        var budget = MemoryBudget()
        for (index, (function, stats)) in entries.enumerated() {
            let leaf = try frame(function)
            guard case .tuple(let parts) = stats, parts.count == 5, case .dictionary(let callers) = parts[4] else {
                throw FormatError(.whole, "\(leaf.name): no callers")
            }
            var rest = try seconds(stats).own * 1e9
            func add(_ stack: [ForeignFrame], _ nanoseconds: Double) {
                guard nanoseconds >= 1 else { return }
                let node = intern(process: service, thread: service, stack)
                self.add(
                    node, host: host, key: key,
                    samples: UInt64(max(1, (nanoseconds / facts.nanosecondsPerSample).rounded())),
                    weight: UInt64(nanoseconds))
            }
            for (caller, times) in callers {
                // Newer files have times of each caller, older ones only how often it called. All may share one dictionary.
                try budget.take(8, at: .sample(index + 1))
                guard case .tuple = times else { continue }
                let own = max(0, min(rest, try seconds(times).own * 1e9))
                rest -= own
                let above = try frame(caller)
                try budget.take(
                    64 + [above, leaf].reduce(0) { $0 + $1.name.utf8.count + $1.file.utf8.count },
                    at: .sample(index + 1))
                add([above, leaf], own)
            }
            add([leaf], rest)
            try checkMemory(.sample(index + 1))
        }
        notes.append("a pstats file holds calls and no stacks: self times are exact, totals reach one call up")
        self = try checked()
    }
}

/// The part of Python's marshal format (CPython, Python/marshal.c, versions 2 to 4) that numbers, texts, tuples and
/// dictionaries take.
enum Marshal {
    case none
    case number(Double)
    case text(String)
    case tuple([Marshal])
    case dictionary([(key: Marshal, value: Marshal)])

    static func read(_ bytes: [UInt8]) throws(FormatError) -> Marshal {
        var reader = MarshalReader(bytes)
        return try reader.value(depth: 0)
    }
}

private struct MarshalReader {
    private let bytes: [UInt8]
    private var offset = 0
    /// What is named by its number again, in the order of its appearance.
    private var references: [(value: Marshal, height: Int)] = []
    /// How deep the value that was read last is nested. References can nest what stands flat in the file.
    private var height = 0
    private var budget = MemoryBudget()
    private static let highest = 16

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    private func failed(_ reason: String) -> FormatError { FormatError(.offset(offset), "marshal: \(reason)") }

    private mutating func byte() throws(FormatError) -> UInt8 {
        guard offset < bytes.count else { throw failed("it ends too early") }
        defer { offset += 1 }
        return bytes[offset]
    }

    private mutating func long() throws(FormatError) -> Int {
        var value: UInt32 = 0
        for shift in [0, 8, 16, 24] as [UInt32] { value |= UInt32(try byte()) << shift }
        return Int(Int32(bitPattern: value))
    }

    private mutating func text(_ count: Int, isLatin: Bool) throws(FormatError) -> Marshal {
        guard count >= 0, count <= bytes.count - offset else { throw failed("a text of \(count) bytes") }
        defer { offset += count }
        try budget.take(count > 15 ? 32 + count : 0, at: .offset(offset))
        let part = bytes[offset..<offset + count]
        if isLatin { return .text(String(String.UnicodeScalarView(part.map { Unicode.Scalar($0) }))) }
        // Python writes half of a pair where a name holds one: it becomes a replacement character.
        return .text(String(decoding: part, as: UTF8.self))
    }

    private mutating func tuple(_ count: Int, depth: Int) throws(FormatError) -> Marshal {
        guard count >= 0, count <= bytes.count - offset else { throw failed("a tuple of \(count) parts") }
        var parts: [Marshal] = []
        var highest = 0
        for _ in 0..<count {
            parts.append(try value(depth: depth + 1))
            highest = max(highest, height)
        }
        height = highest + 1
        return .tuple(parts)
    }

    mutating func value(depth: Int) throws(FormatError) -> Marshal {
        guard depth < Self.highest else { throw failed("nested deeper than \(Self.highest)") }
        height = 0
        let start = offset
        let code = try byte()
        let isNamed = code & 0x80 != 0
        // The place in a tuple or dictionary, with its room to grow, and that among the references.
        try budget.take(isNamed ? 144 : 64, at: .offset(start))
        let place = references.count
        if isNamed { references.append((.none, 0)) }
        let value: Marshal
        switch code & 0x7F {
        case 0x4E, 0x46: value = .none
        case 0x54: value = .number(1)
        case 0x69: value = .number(Double(try long()))
        case 0x6C:
            // 15 bits a digit, the sign in their number.
            let count = try long()
            guard count.magnitude <= 20 else { throw failed("a number of \(count) digits") }
            var number = 0.0
            var factor = 1.0
            for _ in 0..<count.magnitude {
                let digit = Double(try byte()) + Double(try byte()) * 256
                number += digit * factor
                factor *= 32_768
            }
            value = .number(count < 0 ? -number : number)
        case 0x67:
            var bits: UInt64 = 0
            for shift in stride(from: 0, to: 64, by: 8) { bits |= UInt64(try byte()) << UInt64(shift) }
            let number = Double(bitPattern: bits)
            guard number.isFinite else { throw failed("a number is not finite") }
            value = .number(number)
        case 0x73: value = try text(try long(), isLatin: false)
        case 0x75, 0x74: value = try text(try long(), isLatin: false)
        case 0x61, 0x41: value = try text(try long(), isLatin: true)
        case 0x7A, 0x5A: value = try text(Int(try byte()), isLatin: true)
        case 0x29: value = try tuple(Int(try byte()), depth: depth)
        case 0x28: value = try tuple(try long(), depth: depth)
        case 0x7B:
            var members: [(key: Marshal, value: Marshal)] = []
            var highest = 0
            while offset < bytes.count, bytes[offset] != 0x30 {
                let key = try self.value(depth: depth + 1)
                highest = max(highest, height)
                members.append((key, try self.value(depth: depth + 1)))
                highest = max(highest, height)
            }
            _ = try byte()
            height = highest + 1
            value = .dictionary(members)
        case 0x72:
            let index = try long()
            guard references.indices.contains(index) else { throw failed("reference \(index) does not exist") }
            height = references[index].height
            return references[index].value
        default:
            offset = start
            throw failed("a value of kind \(code & 0x7F)")
        }
        guard height <= Self.highest else { throw failed("nested deeper than \(Self.highest)") }
        if isNamed { references[place] = (value, height) }
        return value
    }
}
