internal import Glibc
import LinuxSystem

extension KernelSymbols {
    /// Reads the running kernel's list.
    public static func read(path: String = "/proc/kallsyms") throws(KernelSymbolsError) -> KernelSymbols {
        let text: [UInt8]
        do {
            text = try wholeFile(path, limit: maximumTextBytes)
        } catch {
            throw .unreadable(path: path, code: error.code)
        }
        return try KernelSymbols(parsing: text)
    }

    /// 30 times what a kernel with all its modules lists.
    private static let maximumTextBytes = 1 << 29

    /// Parses the text; lines that are not symbols are passed over. About 100 ns a line.
    public init(parsing text: [UInt8]) throws(KernelSymbolsError) {
        var parsed = ParsedSymbols()
        parsed.parse(text.span)
        try self.init(parsed, text: text)
    }
}

/// The columns of a symbol list in the text's order.
struct ParsedSymbols {
    struct Line {
        var address: UInt64
        var nameStart: UInt32
        var nameCount: UInt32
        var module: UInt16
        var letter: UInt8

        var isFunction: Bool { letter | 0x20 == UInt8(ascii: "t") || isWeak }
        var isWeak: Bool { letter | 0x20 == UInt8(ascii: "w") }
        var isGlobal: Bool { letter == UInt8(ascii: "T") || letter == UInt8(ascii: "W") }
    }

    var lines: [Line] = []
    /// The first stands for the kernel itself.
    var modules: [String] = [""]
    private var lastModule: [UInt8] = []
    private var indexOfModule: [[UInt8]: UInt16] = [:]

    mutating func parse(_ text: Span<UInt8>) {
        lines.reserveCapacity(text.count / 40)
        var position = 0
        while position < text.count {
            let end = firstIndex(of: 10, in: text, position, text.count)
            parseLine(text, position, end)
            position = end + 1
        }
    }

    private mutating func parseLine(_ text: Span<UInt8>, _ start: Int, _ end: Int) {
        var position = start
        var address: UInt64 = 0
        while position < end, let digit = hexDigit(text[position]) {
            address = address << 4 | digit
            position += 1
        }
        // "ADDRESS L NAME": at least a letter and a name must follow.
        guard position > start, position - start <= 16, position + 3 < end, text[position] == 32,
            text[position + 2] == 32
        else { return }
        let letter = text[position + 1]
        let nameStart = position + 3
        // Names hold no white space; a module's symbol has a tab after its own.
        let nameEnd = firstIndex(of: 9, in: text, nameStart, end)
        guard nameEnd > nameStart, nameEnd <= Int(UInt32.max) else { return }
        var module: UInt16 = 0
        let bracket = nameEnd + 1
        if bracket + 2 < end, text[bracket] == UInt8(ascii: "["), text[end - 1] == UInt8(ascii: "]") {
            module = moduleIndex(text, bracket + 1, end - 1)
        }
        lines.append(
            Line(
                address: address, nameStart: UInt32(nameStart), nameCount: UInt32(nameEnd - nameStart), module: module,
                letter: letter))
    }

    /// Neighbouring lines are of one module, so the last one is tried first.
    private mutating func moduleIndex(_ text: Span<UInt8>, _ start: Int, _ end: Int) -> UInt16 {
        var same = lastModule.count == end - start
        var offset = 0
        while same, offset < lastModule.count {
            same = lastModule[offset] == text[start + offset]
            offset += 1
        }
        if same { return indexOfModule[lastModule] ?? 0 }
        lastModule = (start..<end).map { text[$0] }
        if let known = indexOfModule[lastModule] { return known }
        guard modules.count < Int(UInt16.max) else { return 0 }
        let index = UInt16(modules.count)
        modules.append(String(decoding: lastModule, as: UTF8.self))
        indexOfModule[lastModule] = index
        return index
    }
}

/// By memchr: a loop over 12 MB of text takes a debug build ten seconds.
private func firstIndex(of byte: CInt, in text: Span<UInt8>, _ start: Int, _ end: Int) -> Int {
    unsafe text.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress, let found = unsafe memchr(base + start, byte, end - start) else {
            return end
        }
        return unsafe UnsafeRawPointer(found) - UnsafeRawPointer(base)
    }
}

@inline(__always)
private func hexDigit(_ byte: UInt8) -> UInt64? {
    switch byte {
    case 48...57: UInt64(byte - 48)
    case 97...102: UInt64(byte - 87)
    default: nil
    }
}

private func wholeFile(_ path: String, limit: Int) throws(SystemCallError) -> [UInt8] {
    let file = try OwnedDescriptor.open(path)
    var contents: [UInt8] = []
    contents.reserveCapacity(1 << 23)
    var part = [UInt8](repeating: 0, count: 1 << 16)
    while contents.count < limit {
        let got = unsafe Glibc.read(file.rawValue, &part, part.count)
        if got == 0 { return contents }
        if got > 0 {
            contents += part[..<got]
        } else if errno != EINTR {
            throw SystemCallError("read", on: path)
        }
    }
    return contents
}
