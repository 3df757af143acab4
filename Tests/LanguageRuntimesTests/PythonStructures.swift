import LanguageRuntimes

/// The interpreter's structures of a version, made by hand in an image of memory: a thread in two functions of a module.
struct PythonStructures {
    static let start: UInt64 = 0x1_0000
    static let thread: Int32 = 4321
    static let pages = 8

    var layout: PythonLayout
    var image = MemoryImage(start: start, bytes: [UInt8](repeating: 0, count: pages << 12))
    var runtime: UInt64 { Self.start }
    var codeType: UInt64 { Self.start + 0x7000 }

    static let interpreter = start + 0x400
    static let state = start + 0x800
    static let controlFrame = start + 0xB00
    static func frame(_ index: Int) -> UInt64 { start + 0x1000 + UInt64(index) * 0x80 }
    static func code(_ index: Int) -> UInt64 { start + 0x2000 + UInt64(index) * 0x200 }
    static func text(_ index: Int) -> UInt64 { start + 0x3000 + UInt64(index) * 0x200 }
    static func lineTable(_ index: Int) -> UInt64 { start + 0x5000 + UInt64(index) * 0x100 }

    /// The versions with a table of their own, and 3.13 and 3.14 by a table of offsets that no real one has.
    static let layouts: [(String, PythonLayout)] = {
        var all: [(String, PythonLayout)] = []
        for minor: UInt8 in 8...12 {
            if let layout = PythonLayout(PythonVersion(3, minor)) { all.append(("3.\(minor)", layout)) }
        }
        for minor: UInt8 in [13, 14] {
            if let table = PythonDebugOffsets(debugOffsets(minor: minor)), let layout = PythonLayout(table) {
                all.append(("3.\(minor)", layout))
            }
        }
        return all
    }()

    static func debugOffsets(minor: UInt8) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: PythonDebugOffsets.byteCount)
        func put(_ value: UInt64, word: Int) {
            for byte in 0..<8 { bytes[word * 8 + byte] = UInt8(truncatingIfNeeded: value >> UInt64(byte * 8)) }
        }
        bytes.replaceSubrange(0..<8, with: PythonDebugOffsets.cookie)
        put(0x0300_00F0 | UInt64(minor) << 16, word: 1)
        // Runtime; interpreter; thread; frame; code; object; type; bytes; text. Places as the headers of each have them.
        let old = [
            5: 0x300, 8: 0x20, 9: 0x28, 21: 16, 22: 24, 23: 32, 24: 40, 25: 48, 29: 8, 30: 0, 31: 24, 33: 40, 35: 48,
            36: 56, 37: 64, 38: 72, 39: 40, 43: 96, 45: 8, 47: 24, 65: 16, 66: 32, 68: 32, 69: 16, 70: 40,
        ]
        let new = [
            5: 0x300, 8: 0x20, 9: 0x28, 24: 16, 25: 24, 26: 32, 27: 40, 28: 48, 32: 8, 33: 0, 34: 24, 36: 40, 40: 48,
            41: 56, 42: 64, 43: 72, 44: 40, 48: 96, 51: 8, 53: 24, 75: 16, 76: 32, 78: 32, 79: 16, 80: 40,
        ]
        for (word, value) in minor == 13 ? old : new { put(UInt64(value), word: word) }
        return bytes
    }

    mutating func put(_ value: UInt64, at address: UInt64, bytes count: Int = 8) {
        for byte in 0..<count {
            image.bytes[Int(address - Self.start) + byte] = UInt8(truncatingIfNeeded: value >> UInt64(byte * 8))
        }
    }

    mutating func put(_ value: UInt64, at address: UInt64, _ offset: Int) { put(value, at: address + UInt64(offset)) }

    /// Text of one byte a character, ASCII.
    mutating func putText(_ text: String, _ index: Int) {
        let address = Self.text(index)
        put(UInt64(text.utf8.count), at: address, layout.textLength)
        put(1 << 2 | 1 << 5 | 1 << 6, at: address + UInt64(layout.textState), bytes: 4)
        for (place, byte) in text.utf8.enumerated() {
            put(UInt64(byte), at: address + UInt64(layout.asciiHeader + place), bytes: 1)
        }
    }

    static let functions = ["leaf", "Middle.function", "<module>"]

    init(_ layout: PythonLayout) {
        self.layout = layout
        put(Self.interpreter, at: runtime, layout.interpretersHead)
        put(Self.state, at: Self.interpreter, layout.threadsHead)
        put(Self.interpreter, at: Self.state, layout.interpreter)
        // pthread_self(): a block whose thread number lies where glibc on x86-64 and aarch64 has it.
        put(Self.start + 0xC00, at: Self.state, layout.threadID)
        for offset: UInt64 in [0xD0, 0x2D0] { put(UInt64(Self.thread), at: Self.start + 0xC00 + offset, bytes: 4) }
        if let native = layout.nativeThreadID { put(UInt64(Self.thread), at: Self.state, native) }
        if let control = layout.controlFrame {
            put(Self.controlFrame, at: Self.state, layout.currentFrame)
            put(Self.frame(0), at: Self.controlFrame, control.currentFrame)
        } else {
            put(Self.frame(0), at: Self.state, layout.currentFrame)
        }
        let typeName = Self.start + 0x7100
        put(typeName, at: codeType, layout.typeName)
        for (place, byte) in "code".utf8.enumerated() { put(UInt64(byte), at: typeName + UInt64(place), bytes: 1) }
        putText("/srv/app.py", 0)

        for index in Self.functions.indices {
            let code = Self.code(index)
            let frame = Self.frame(index)
            putText(Self.functions[index], index + 1)
            put(codeType, at: code, layout.objectType)
            put(Self.text(0), at: code, layout.codeFilename)
            put(Self.text(index + 1), at: code, layout.codeName)
            if let qualified = layout.codeQualifiedName { put(Self.text(index + 1), at: code, qualified) }
            put(Self.lineTable(index), at: code, layout.codeLineTable)
            put(UInt64(10 * (index + 1)), at: code + UInt64(layout.codeFirstLine), bytes: 4)
            putLines(index)
            put(code | (layout.codeTagMask & 1), at: frame, layout.frameCode)
            put(index + 1 < Self.functions.count ? Self.frame(index + 1) : 0, at: frame, layout.framePrevious)
            switch layout.instruction {
            case .index(let unit): put(UInt64(8 / unit), at: frame + UInt64(layout.frameInstruction), bytes: 4)
            case .pointer: put(code + UInt64(layout.codeStart) + 8, at: frame, layout.frameInstruction)
            }
            if let state = layout.frameState { put(UInt64(state.running), at: frame + UInt64(state.offset), bytes: 1) }
            if case .flag(let offset) = layout.entry, index > 0 { put(1, at: frame + UInt64(offset), bytes: 1) }
        }
        // Beneath the second and the third function lie frames of the loop's own: leaf and middle share one loop.
        if case .shim(let owner) = layout.entry, let place = layout.frameOwner {
            for (index, next) in [(1, Self.frame(2)), (2, 0)] {
                let shim = Self.frame(3 + index)
                put(shim, at: Self.frame(index), layout.framePrevious)
                put(UInt64(owner), at: shim + UInt64(place), bytes: 1)
                put(next, at: shim, layout.framePrevious)
            }
        }
    }

    /// Instructions 0…5 of the function's line, 6…15 of the third line behind it.
    private mutating func putLines(_ index: Int) {
        let bytes: [UInt8] =
            switch layout.lineTable {
            case .increments: [6, 3]
            case .ranges: [6, 0, 10, 3]
            case .locations: [0x80 | 13 << 3 | 2, 0, 0x80 | 13 << 3 | 4, 3 << 1]
            }
        put(UInt64(bytes.count), at: Self.lineTable(index), layout.bytesSize)
        for (place, byte) in bytes.enumerated() {
            put(UInt64(byte), at: Self.lineTable(index) + UInt64(layout.bytesValue + place), bytes: 1)
        }
    }

    func reader(knowsType: Bool = true) -> PythonStackReader<MemoryImage> {
        PythonStackReader(memory: image, layout: layout, runtime: runtime, codeType: knowsType ? codeType : 0)
    }
}
