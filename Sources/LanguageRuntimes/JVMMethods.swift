/// Names, files and lines of Java methods, from HotSpot's Method, ConstMethod and ConstantPool.
struct JVMMethods: Sendable {
    struct Method: Sendable {
        /// `package.Class.method`, without its parameters.
        var function: String
        /// The source file's name, without a folder; empty where the class doesn't say.
        var file: String
        var constMethod: UInt64
        var codeSize: UInt16
        /// (first bytecode, line), in the order of the class file.
        var lines: [(start: UInt32, line: UInt32)]
    }

    private let layout: JVMLayout
    private var known: [UInt64: Method] = [:]

    private static var mostKnown: Int { 100_000 }
    private static var mostNameBytes: Int { 512 }
    private static var mostLineBytes: Int { 64 << 10 }

    init(_ layout: JVMLayout) {
        self.layout = layout
    }

    /// What lies at the address of a Method; nil where it contradicts itself.
    mutating func method<Memory: ForeignMemory>(
        _ address: UInt64, _ reader: inout ForeignReader<Memory>
    ) -> Method? {
        guard address & 7 == 0, address > 4096, let constMethod = reader.uint64(address &+ layout.methodConstMethod),
            constMethod & 7 == 0, constMethod > 4096
        else { return nil }
        if let method = known[address], method.constMethod == constMethod { return method }
        guard let method = read(constMethod, &reader) else { return nil }
        if known.count >= Self.mostKnown { known = [:] }
        known[address] = method
        return method
    }

    /// The line of a bytecode: the last entry that begins at or before it.
    static func line(of bytecode: UInt32, in method: Method) -> UInt32 {
        var best: (start: UInt32, line: UInt32)?
        for entry in method.lines where entry.start <= bytecode {
            if best.map({ $0.start <= entry.start }) ?? true { best = entry }
        }
        return best?.line ?? 0
    }

    /// The bytecode that a pointer into a method's code stands at.
    func bytecode(at pointer: UInt64, in method: Method) -> UInt32? {
        let start = method.constMethod &+ layout.constMethodSize
        guard pointer >= start, pointer - start < UInt64(method.codeSize) else { return nil }
        return UInt32(pointer - start)
    }

    /// The same of the lower half of a pointer.
    func bytecode(atLowerHalf half: UInt32, in method: Method) -> UInt32? {
        let start = UInt32(truncatingIfNeeded: method.constMethod &+ layout.constMethodSize)
        return half &- start < UInt32(method.codeSize) ? half &- start : nil
    }

    private func read<Memory: ForeignMemory>(
        _ constMethod: UInt64, _ reader: inout ForeignReader<Memory>
    ) -> Method? {
        guard let pool = reader.uint64(constMethod &+ layout.constMethodPool),
            let nameIndex = reader.uint16(constMethod &+ layout.constMethodNameIndex),
            let holder = reader.uint64(pool &+ layout.poolHolder), holder > 4096,
            let name = entry(nameIndex, of: pool, &reader),
            let klass = reader.uint64(holder &+ layout.klassName).flatMap({ symbol($0, &reader) }),
            let codeSize = reader.uint16(constMethod &+ layout.constMethodCodeSize)
        else { return nil }
        var file = ""
        if let place = layout.sourceFileIndex,
            let index = reader.uint16((place.isInPool ? pool : holder) &+ place.offset), index != 0
        {
            file = entry(index, of: pool, &reader).map { Self.text($0[...]) } ?? ""
        }
        return Method(
            function: Self.className(klass) + "." + Self.text(name[...]), file: file, constMethod: constMethod,
            codeSize: codeSize, lines: lines(constMethod, codeSize: codeSize, &reader))
    }

    /// The symbol at an index of the constant pool.
    private func entry<Memory: ForeignMemory>(
        _ index: UInt16, of pool: UInt64, _ reader: inout ForeignReader<Memory>
    ) -> [UInt8]? {
        guard let length = reader.int32(pool &+ layout.poolLength), index > 0, Int32(index) < length,
            let address = reader.uint64(pool &+ layout.poolSize &+ UInt64(index) * 8)
        else { return nil }
        return symbol(address, &reader)
    }

    private func symbol<Memory: ForeignMemory>(
        _ address: UInt64, _ reader: inout ForeignReader<Memory>
    ) -> [UInt8]? {
        guard address > 4096, let length = reader.uint16(address &+ layout.symbolLength), length > 0 else { return nil }
        return reader.bytes(address &+ layout.symbolBody, count: min(Int(length), Self.mostNameBytes))
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes.map { $0 < 0x20 || $0 == 0x7F ? 0x3F : $0 }, as: UTF8.self)
    }

    /// `java/lang/String` → `java.lang.String`. Hidden classes lose what is different in every run:
    /// `A$$Lambda$14+0x0000000800c03000` → `A$$Lambda`.
    static func className(_ bytes: [UInt8]) -> String {
        var bytes = bytes[...]
        let mark = Array("0x".utf8)
        if let x = bytes.indices.dropFirst().first(where: {
            (bytes[$0 - 1] == 0x2B || bytes[$0 - 1] == 0x2F) && bytes[$0...].starts(with: mark)
        }) {
            bytes = bytes[..<(x - 1)]
            let lambda = Array("$$Lambda".utf8)
            if let end = bytes.indices.first(where: { bytes[$0...].starts(with: lambda) }) {
                bytes = bytes[..<(end + lambda.count)]
            }
        }
        return text(bytes.map { $0 == 0x2F ? 0x2E : $0 }[...])
    }

    /// CompressedLineNumberReadStream: behind the bytecodes, pairs of differences.
    private func lines<Memory: ForeignMemory>(
        _ constMethod: UInt64, codeSize: UInt16, _ reader: inout ForeignReader<Memory>
    ) -> [(start: UInt32, line: UInt32)] {
        guard let flags = reader.number(constMethod, layout.constMethodFlags), flags & layout.lineNumberFlag != 0 else {
            return []
        }
        var limit = Self.mostLineBytes
        if let field = layout.constMethodBytes, let words = reader.number(constMethod, field) {
            let whole = Int(min(words, 1 << 20)) * 8
            limit = min(limit, whole - Int(layout.constMethodSize) - Int(codeSize))
        }
        guard limit > 0,
            let bytes = reader.bytes(constMethod &+ layout.constMethodSize &+ UInt64(codeSize), count: limit)
        else { return [] }
        var stream = JVMNumbers(bytes[...], excludedByte: layout.excludedByte)
        var result: [(start: UInt32, line: UInt32)] = []
        var bytecode: Int32 = 0
        var line: Int32 = 0
        while let first = stream.byte(), first != 0 {
            if first == 0xFF {
                guard let a = stream.signed(), let b = stream.signed() else { break }
                bytecode &+= a
                line &+= b
            } else {
                bytecode &+= Int32(first >> 3)
                line &+= Int32(first & 7)
            }
            guard bytecode >= 0, bytecode <= Int32(codeSize), line >= 0 else { break }
            result.append((UInt32(bytecode), UInt32(line)))
        }
        return result
    }
}

/// HotSpot's variable-length numbers (UNSIGNED5): up to five bytes of six bits each, the low ones first.
struct JVMNumbers {
    private let bytes: ArraySlice<UInt8>
    private var position: Int
    private let excluded: UInt32

    init(_ bytes: ArraySlice<UInt8>, excludedByte: UInt32) {
        self.bytes = bytes
        position = bytes.startIndex
        excluded = excludedByte
    }

    mutating func byte() -> UInt8? {
        guard position < bytes.endIndex else { return nil }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func unsigned() -> UInt32? {
        var sum: UInt32 = 0
        let firstHigh: UInt32 = 192  // 256 − 64: the same with an excluded byte, which moves both ends
        for index in 0..<UInt32(5) {
            guard let byte = byte() else { return nil }
            sum &+= (UInt32(byte) &- excluded) << (6 * index)
            if UInt32(byte) < firstHigh { break }
        }
        return sum
    }

    mutating func signed() -> Int32? {
        unsigned().map { Int32(bitPattern: $0 >> 1) ^ -Int32(bitPattern: $0 & 1) }
    }
}
