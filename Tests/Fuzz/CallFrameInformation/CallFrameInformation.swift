// fuzz: ObjectFiles, Unwinding
import ObjectFiles
import Unwinding

/// What a hostile file makes of a sample: its .eh_frame is encoded in the helper, then rules are found and carried out
/// over a stack of made-up words.
///
/// First byte: bit 0 architecture, bit 1 whether the rest is a whole section or only the instructions of a description,
/// bits 2 to 5 the place of the program counter; bits 6 and 7 take the rest as a DWARF expression instead: of the frame's
/// address, of where a register lies, of its value.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard count > 1 else { return 0 }
    let input = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    let architecture: UserArchitecture = input[0] & 1 == 0 ? .x86_64 : .aarch64
    let rest = Array(input[1...])
    let frames =
        switch (input[0] >> 6, input[0] & 2) {
        case (0, 0): rest
        case (0, _): described(rest, architecture)
        case (let use, _): described(instruction(use, expression: rest), architecture)
        }
    let source = ObjectBytes(file(frames, architecture))
    guard let object = try? ObjectFile(source), let blob = try? UnwindSections.encode(object, from: source) else {
        return 0
    }
    let owner = Owner()
    blob.withUnsafeBytes { bytes in
        guard let table = try? unsafe UnwindTable(bytes, keeping: owner) else {
            fatalError("what was encoded does not read back")
        }
        var unwinder = Unwinder(architecture, maximumFrames: 32)
        unwinder.set(.ready(table), forFile: 0)
        var registers = UserRegisters(architecture)
        for number in 0..<33 { registers[number] = 0x7000_0000 + UInt64(number) * 8 }
        registers.programCounter = 0x5000_1000 + UInt64(input[0] >> 2 & 15) * 8
        registers.stackPointer = 0x7000_0000
        var stack: [UInt64] = (0..<256).map { $0 % 3 == 0 ? 0x5000_1000 + UInt64($0) : 0x7000_0000 + UInt64($0) * 8 }
        for (index, byte) in rest.prefix(64).enumerated() { stack[index * 3 % 256] ^= UInt64(byte) }
        let mappings = [CodeMapping(start: 0x5000_0000, end: 0x5000_3000, fileOffset: 0, file: 0)]
        for _ in 0..<2 {
            _ = unwinder.unwind(registers, stack: stack.span.bytes, mappings: mappings.span)
            precondition(unwinder.frames.count <= 32)
        }
    }
    return 0
}

private final class Owner: Sendable {}

private func little(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
}

/// DW_CFA_def_cfa_expression, or DW_CFA_expression or DW_CFA_val_expression of register 3.
private func instruction(_ use: UInt8, expression: [UInt8]) -> [UInt8] {
    let code: [UInt8] = use == 1 ? [0x0F] : use == 2 ? [0x10, 3] : [0x16, 3]
    let count = min(expression.count, 0x3FFF)
    return code + [UInt8(count & 0x7F) | 0x80, UInt8(count >> 7)] + expression.prefix(count)
}

/// A CIE as compilers write it and a description of .text with these instructions.
private func described(_ instructions: [UInt8], _ architecture: UserArchitecture) -> [UInt8] {
    let column: UInt8 = architecture == .x86_64 ? 16 : 30
    let initial: [UInt8] = architecture == .x86_64 ? [0x0C, 7, 8, 0x90, 1] : [0x0C, 31, 0]
    let common = little(0, 4) + [1, 0x7A, 0x52, 0, 1, 0x78, column, 1, 0x1B] + initial
    var frames = little(UInt64(common.count), 4) + common
    let head = frames.count + 4
    let content = little(UInt64(head), 4) + little(0x1000 &- UInt64(0x2000 + head + 4), 4) + little(0x800, 4) + [0]
    frames += little(UInt64(content.count + instructions.count), 4) + content + instructions
    return frames
}

/// .text at 0x1000, `frames` as .eh_frame at 0x2000, in one executable segment.
private func file(_ frames: [UInt8], _ architecture: UserArchitecture) -> [UInt8] {
    let names = Array("\0.text\0.eh_frame\0.shstrtab\0".utf8)
    let size = 0x2000 + UInt64(frames.count)
    let table = (size + UInt64(names.count) + 7) / 8 * 8
    var file: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
    file += little(3, 2) + little(UInt64(architecture.machine), 2) + little(1, 4)
    file += little(0, 8) + little(64, 8) + little(table, 8) + little(0, 4)
    for word: UInt64 in [64, 56, 1, 64, 4, 3] { file += little(word, 2) }
    file += little(1, 4) + little(5, 4)
    for word: UInt64 in [0, 0, 0, size, size, 0x1000] { file += little(word, 8) }
    file += [UInt8](repeating: 0, count: 0x1000 - file.count) + [UInt8](repeating: 0x5D, count: 0x1000) + frames + names
    file += [UInt8](repeating: 0, count: Int(table) - file.count)
    func section(_ name: UInt64, _ type: UInt64, _ flags: UInt64, _ offset: UInt64, _ size: UInt64) -> [UInt8] {
        var entry = little(name, 4) + little(type, 4)
        for word in [flags, offset, offset, size, 0, 8, 0] { entry += little(word, 8) }
        return entry
    }
    file += section(0, 0, 0, 0, 0) + section(1, 1, 6, 0x1000, 0x1000)
    file += section(7, 1, 2, 0x2000, UInt64(frames.count)) + section(17, 3, 0, size, UInt64(names.count))
    return file
}
