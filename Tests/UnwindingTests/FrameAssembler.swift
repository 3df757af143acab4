import ByteCoding
import ObjectFiles

@testable import Unwinding

/// Call frame instructions by their standard's names, as bytes.
enum CFA {
    static func uleb(_ value: UInt64) -> [UInt8] {
        var writer = ByteWriter()
        writer.writeVarint(value)
        return writer.bytes
    }

    static func sleb(_ value: Int64) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value
        while true {
            let byte = UInt8(truncatingIfNeeded: rest) & 0x7F
            rest >>= 7
            let isLast = rest == 0 && byte & 0x40 == 0 || rest == -1 && byte & 0x40 != 0
            bytes.append(isLast ? byte : byte | 0x80)
            if isLast { return bytes }
        }
    }

    static func little(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }

    static let nop: [UInt8] = [0]
    static func advance(_ delta: UInt8) -> [UInt8] { [0x40 | delta] }
    static func advance1(_ delta: UInt8) -> [UInt8] { [2, delta] }
    static func advance2(_ delta: UInt16) -> [UInt8] { [3] + little(UInt64(delta), 2) }
    static func advance4(_ delta: UInt32) -> [UInt8] { [4] + little(UInt64(delta), 4) }
    static func offset(_ register: UInt8, _ factored: UInt64) -> [UInt8] { [0x80 | register] + uleb(factored) }
    static func restore(_ register: UInt8) -> [UInt8] { [0xC0 | register] }
    static func offsetExtended(_ register: UInt64, _ factored: UInt64) -> [UInt8] {
        [5] + uleb(register) + uleb(factored)
    }
    static func undefined(_ register: UInt64) -> [UInt8] { [7] + uleb(register) }
    static func sameValue(_ register: UInt64) -> [UInt8] { [8] + uleb(register) }
    static func register(_ register: UInt64, _ from: UInt64) -> [UInt8] { [9] + uleb(register) + uleb(from) }
    static let remember: [UInt8] = [0x0A]
    static let restoreState: [UInt8] = [0x0B]
    static func define(_ register: UInt64, _ offset: UInt64) -> [UInt8] { [0x0C] + uleb(register) + uleb(offset) }
    static func defineRegister(_ register: UInt64) -> [UInt8] { [0x0D] + uleb(register) }
    static func defineOffset(_ offset: UInt64) -> [UInt8] { [0x0E] + uleb(offset) }
    static func defineExpression(_ bytes: [UInt8]) -> [UInt8] { [0x0F] + uleb(UInt64(bytes.count)) + bytes }
    static func expression(_ register: UInt64, _ bytes: [UInt8]) -> [UInt8] {
        [0x10] + uleb(register) + uleb(UInt64(bytes.count)) + bytes
    }
    static func offsetSigned(_ register: UInt64, _ factored: Int64) -> [UInt8] {
        [0x11] + uleb(register) + sleb(factored)
    }
    static func defineSigned(_ register: UInt64, _ factored: Int64) -> [UInt8] {
        [0x12] + uleb(register) + sleb(factored)
    }
    static func defineOffsetSigned(_ factored: Int64) -> [UInt8] { [0x13] + sleb(factored) }
    static func valueOffset(_ register: UInt64, _ factored: UInt64) -> [UInt8] {
        [0x14] + uleb(register) + uleb(factored)
    }
    static func valueOffsetSigned(_ register: UInt64, _ factored: Int64) -> [UInt8] {
        [0x15] + uleb(register) + sleb(factored)
    }
    static func valueExpression(_ register: UInt64, _ bytes: [UInt8]) -> [UInt8] {
        [0x16] + uleb(register) + uleb(UInt64(bytes.count)) + bytes
    }
    static let negateReturnAddressState: [UInt8] = [0x2D]
    static func argumentsSize(_ size: UInt64) -> [UInt8] { [0x2E] + uleb(size) }
    static func negativeOffsetExtended(_ register: UInt64, _ factored: UInt64) -> [UInt8] {
        [0x2F] + uleb(register) + uleb(factored)
    }
}

/// An .eh_frame section in the making, and the smallest ELF file that holds it: .text at 0x1000 (0x1000 bytes of
/// `code`), .eh_frame at 0x2000, all in one executable segment at address 0.
struct FrameAssembler {
    var architecture = UserArchitecture.x86_64
    var frames: [UInt8] = []
    var code = [UInt8](repeating: 0x90, count: 0x1000)
    var entryPoint: UInt64 = 0
    private(set) var commonOffset = 0

    static let text: UInt64 = 0x1000
    static let framesAddress: UInt64 = 0x2000

    init(_ architecture: UserArchitecture = .x86_64) {
        self.architecture = architecture
    }

    /// `initial` nil: rsp + 8 with the return address below it; sp + 0.
    mutating func common(_ augmentation: String = "zR", initial: [UInt8]? = nil, version: UInt8 = 1) {
        commonOffset = frames.count
        var content = CFA.little(0, 4) + [version] + Array(augmentation.utf8) + [0]
        content += CFA.uleb(architecture == .x86_64 ? 1 : 4) + CFA.sleb(-8)
        content += [architecture == .x86_64 ? 16 : 30]
        // R: pcrel sdata4.
        if augmentation.hasPrefix("z") { content += [1, 0x1B] }
        content +=
            initial
            ?? (architecture == .x86_64 ? CFA.define(7, 8) + CFA.offset(16, 1) : CFA.define(31, 0))
        append(content)
    }

    mutating func describe(at start: UInt64, size: UInt64, _ instructions: [UInt8], isLong: Bool = false) {
        let head = frames.count + (isLong ? 12 : 4)
        var content = CFA.little(UInt64(head - commonOffset), 4)
        let place = Self.framesAddress + UInt64(head + 4)
        content += CFA.little((Self.text + start) &- place, 4) + CFA.little(size, 4) + [0] + instructions
        append(content, isLong: isLong)
    }

    mutating func append(_ content: [UInt8], isLong: Bool = false) {
        let padded = content + [UInt8](repeating: 0, count: (8 - (content.count + 4) % 8) % 8)
        if isLong {
            frames += CFA.little(0xFFFF_FFFF, 4) + CFA.little(UInt64(padded.count), 8)
        } else {
            frames += CFA.little(UInt64(padded.count), 4)
        }
        frames += padded
    }

    var object: [UInt8] {
        let names = Array("\0.text\0.eh_frame\0.shstrtab\0".utf8)
        var file = CFA.little(0x464C_457F, 4) + [2, 1, 1] + [UInt8](repeating: 0, count: 9)
        let namesOffset = Self.framesAddress + UInt64(frames.count)
        let table = (namesOffset + UInt64(names.count) + 7) / 8 * 8
        file += CFA.little(3, 2) + CFA.little(UInt64(architecture.machine), 2) + CFA.little(1, 4)
        file += CFA.little(entryPoint, 8) + CFA.little(64, 8) + CFA.little(table, 8) + CFA.little(0, 4)
        file += [64, 56, 1, 64, 4, 3].flatMap { CFA.little($0, 2) }
        let size = Self.framesAddress + UInt64(frames.count)
        file += CFA.little(1, 4) + CFA.little(5, 4)
        file += [0, 0, 0, size, size, 0x1000].flatMap { CFA.little($0, 8) }
        file += [UInt8](repeating: 0, count: Int(Self.text) - file.count) + code + frames + names
        file += [UInt8](repeating: 0, count: Int(table) - file.count)
        func section(_ name: UInt64, _ type: UInt64, _ flags: UInt64, _ offset: UInt64, _ size: Int) -> [UInt8] {
            CFA.little(name, 4) + CFA.little(type, 4) + CFA.little(flags, 8) + CFA.little(offset, 8)
                + CFA.little(offset, 8) + CFA.little(UInt64(size), 8) + CFA.little(0, 8) + CFA.little(8, 8)
                + CFA.little(0, 8)
        }
        file += section(0, 0, 0, 0, 0) + section(1, 1, 6, Self.text, code.count)
        file += section(7, 1, 2, Self.framesAddress, frames.count) + section(17, 3, 0, namesOffset, names.count)
        return file
    }

    func table() throws -> UnwindTable { try unwindTable(ofObject: object) }
}

/// A thread stopped in an assembled file that is mapped at `bias`.
struct Scene {
    static let bias: UInt64 = 0x5000_0000
    static let stackStart: UInt64 = 0x7000_0000
    /// A function at this place of .text is the caller; where it ends the stack.
    static let outer: UInt64 = 0x800

    var assembler: FrameAssembler
    var registers: UserRegisters
    /// From the stack pointer on.
    var stack: [UInt64]

    /// One function at .text + 0 of 0x100 bytes with `instructions`, stopped at `offset`; the outermost one at `outer`.
    init(
        _ instructions: [UInt8], at offset: UInt64 = 0, stack: [UInt64], augmentation: String = "zR",
        architecture: UserArchitecture = .x86_64
    ) {
        assembler = FrameAssembler(architecture)
        assembler.common(augmentation)
        assembler.describe(at: 0, size: 0x100, instructions)
        assembler.common()
        assembler.describe(at: Self.outer, size: 0x100, CFA.undefined(architecture == .x86_64 ? 16 : 30))
        registers = UserRegisters(architecture)
        for number in 0..<architecture.registerCount { registers[number] = UInt64(number) }
        registers.programCounter = Self.code(offset)
        registers.stackPointer = Self.stackStart
        self.stack = stack
    }

    static func code(_ offset: UInt64) -> UInt64 { bias + FrameAssembler.text + offset }
    /// A return address into the outermost function.
    static let back = code(outer + 0x10)
    static func slot(_ index: UInt64) -> UInt64 { stackStart + 8 * index }

    static let mappings = [CodeMapping(start: bias, end: bias + 0x4000, fileOffset: 0, file: 0)]

    func unwinder(maximumFrames: Int = 64) throws -> Unwinder {
        var unwinder = Unwinder(assembler.architecture, maximumFrames: maximumFrames)
        unwinder.set(.ready(try assembler.table()), forFile: 0)
        return unwinder
    }

    func unwind(_ unwinder: inout Unwinder, runtimeCode: RuntimeCode? = nil) -> UnwindOutcome {
        let bytes = stack.flatMap { CFA.little($0, 8) }
        return unwinder.unwind(
            registers, stack: bytes.span.bytes, mappings: Self.mappings.span, runtimeCode: runtimeCode)
    }
}
