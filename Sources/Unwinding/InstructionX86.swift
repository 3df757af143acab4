/// Decodes x86-64 instructions: their length, always, and their effect on the stack, where it is simple.
///
/// Legacy prefixes, REX, the opcode maps 0F, 0F38, 0F3A, VEX, EVEX and XOP are known; what is invalid in 64-bit mode is
/// undecodable. Reads no byte outside of the span and at most 15 bytes. Sources: Intel SDM volume 2, chapter 2 and
/// appendix A; AMD64 Architecture Programmer's Manual volume 3, appendix A (XOP, 3DNow!).
package struct InstructionX86: ~Escapable {
    package static let stackPointer: UInt8 = 4
    package static let framePointer: UInt8 = 5
    /// No instruction is longer (SDM 2.3.11).
    static let maximumLength = 15

    enum Map: UInt8 {
        case primary, secondary, map38, map3A, evex5, evex6, xop8, xop9, xopA
    }

    let code: RawSpan
    let start: Int
    /// Where reading must stop: the span's end or the longest instruction's.
    let end: Int
    var position: Int

    var rex: UInt8 = 0
    var hasREX = false
    var operandSize16 = false
    var addressSize32 = false
    /// 0, or the last of F2 and F3; for VEX and EVEX as their `pp` says it.
    var repeatPrefix: UInt8 = 0
    /// VEX, EVEX or XOP.
    var isVector = false
    /// The register in VEX.vvvv.
    var extraRegister: UInt8 = 0

    var modRM: UInt8 = 0
    /// Base register and displacement of a memory operand without index; `noRegister` where it is less simple.
    var memoryBase = Instruction.noRegister
    var displacement: Int64 = 0
    var immediate: Int64 = 0

    @_lifetime(copy code)
    private init(_ code: RawSpan, at offset: Int) {
        self.code = code
        start = offset
        end = min(code.byteCount, offset + InstructionX86.maximumLength)
        position = offset
    }

    static func decode(_ code: RawSpan, at offset: Int) -> Instruction {
        guard offset >= 0, offset < code.byteCount else { return .undecodable }
        var decoder = InstructionX86(code, at: offset)
        guard let (map, opcode) = decoder.readOpcode() else { return .undecodable }
        let shape = InstructionShape.of(opcode, map, decoder)
        guard !shape.has(.invalid) else { return .undecodable }
        if shape.has(.modRM), !decoder.readModRM() { return .undecodable }
        guard decoder.readImmediate(opcode, map, shape) else { return .undecodable }
        var instruction = decoder.effect(opcode, map)
        instruction.length = UInt8(truncatingIfNeeded: decoder.position - offset)
        return instruction
    }

    // MARK: Bytes

    @inline(__always)
    @_lifetime(self: copy self)
    mutating func readByte() -> UInt8? {
        guard position < end else { return nil }
        defer { position += 1 }
        // Checked in the line above; `offset` was not negative.
        return unsafe code.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: UInt8.self)
    }

    /// `count` bytes, 1, 2, 4 or 8, as a signed number.
    @_lifetime(self: copy self)
    private mutating func readSigned(_ count: Int) -> Int64? {
        guard count <= end - position else { return nil }
        defer { position += count }
        switch count {
        case 1: return unsafe Int64(code.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: Int8.self))
        case 2:
            return unsafe Int64(
                Int16(littleEndian: code.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: Int16.self)))
        case 4:
            return unsafe Int64(
                Int32(littleEndian: code.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: Int32.self)))
        default:
            return unsafe Int64(
                littleEndian: code.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: Int64.self))
        }
    }

    // MARK: Prefixes and opcode

    @_lifetime(self: copy self)
    private mutating func readOpcode() -> (Map, UInt8)? {
        while true {
            guard let byte = readByte() else { return nil }
            switch byte {
            case 0x66: operandSize16 = true
            case 0x67: addressSize32 = true
            case 0xF2, 0xF3: repeatPrefix = byte
            case 0xF0, 0x2E, 0x36, 0x3E, 0x26, 0x64, 0x65: break
            case 0x40...0x4F:
                // Only the last prefix counts as REX; one that another prefix follows is ignored (SDM 2.2.1).
                rex = byte
                hasREX = true
                continue
            case 0x0F:
                guard let second = readByte() else { return nil }
                switch second {
                case 0x38: return readByte().map { (.map38, $0) }
                case 0x3A: return readByte().map { (.map3A, $0) }
                default: return (.secondary, second)
                }
            case 0xC4, 0xC5: return readVEX(byte)
            case 0x62: return readEVEX()
            case 0x8F:
                // XOP where the map's number, in the place of ModRM.reg and .rm, is 8 or more; else `pop`.
                if position < end,
                    unsafe code.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: UInt8.self) & 0x1F >= 8
                {
                    return readVEX(byte)
                }
                return (.primary, byte)
            default: return (.primary, byte)
            }
            rex = 0
            hasREX = false
        }
    }

    /// VEX and XOP (SDM 2.3.5; AMD volume 3, 1.2.7).
    @_lifetime(self: copy self)
    private mutating func readVEX(_ first: UInt8) -> (Map, UInt8)? {
        isVector = true
        guard let one = readByte() else { return nil }
        var map: UInt8 = 1
        var last = one
        // R, X and B are stored inverted.
        rex = ~one >> 5 & 0b100
        if first != 0xC5 {
            guard let two = readByte() else { return nil }
            rex = ~one >> 5 & 0b111 | two >> 4 & 0b1000
            map = one & 0x1F
            last = two
        }
        hasREX = true
        setImpliedPrefix(last & 3)
        extraRegister = ~last >> 3 & 0xF
        guard let opcode = readByte() else { return nil }
        switch (first, map) {
        case (0x8F, 8): return (.xop8, opcode)
        case (0x8F, 9): return (.xop9, opcode)
        case (0x8F, 10): return (.xopA, opcode)
        case (0x8F, _): return nil
        case (_, 1): return (.secondary, opcode)
        case (_, 2): return (.map38, opcode)
        case (_, 3): return (.map3A, opcode)
        default: return nil
        }
    }

    /// EVEX (SDM 2.7).
    @_lifetime(self: copy self)
    private mutating func readEVEX() -> (Map, UInt8)? {
        isVector = true
        guard let one = readByte(), let two = readByte(), readByte() != nil else { return nil }
        rex = ~one >> 5 & 0b111 | two >> 4 & 0b1000
        hasREX = true
        setImpliedPrefix(two & 3)
        extraRegister = ~two >> 3 & 0xF
        guard let opcode = readByte(), two & 0b100 != 0 else { return nil }
        switch one & 7 {
        case 1: return (.secondary, opcode)
        case 2: return (.map38, opcode)
        case 3: return (.map3A, opcode)
        case 5: return (.evex5, opcode)
        case 6: return (.evex6, opcode)
        default: return nil
        }
    }

    private mutating func setImpliedPrefix(_ pp: UInt8) {
        operandSize16 = pp == 1
        repeatPrefix = pp == 2 ? 0xF3 : pp == 3 ? 0xF2 : 0
    }

    // MARK: Operands

    @_lifetime(self: copy self)
    private mutating func readModRM() -> Bool {
        guard let byte = readByte() else { return false }
        modRM = byte
        let mode = byte >> 6
        guard mode != 3 else { return true }
        var base = byte & 7
        var isSimple = !addressSize32
        if base == 4 {
            guard let sib = readByte() else { return false }
            base = sib & 7
            let index = sib >> 3 & 7 | (rex & 0b10) << 2
            if index != 4 { isSimple = false }
        } else if base == 5, mode == 0 {
            // Relative to the next instruction.
            return readSigned(4) != nil
        }
        if mode == 0 {
            if base == 5 {
                isSimple = false
                guard readSigned(4) != nil else { return false }
            }
        } else {
            guard let value = readSigned(mode == 1 ? 1 : 4) else { return false }
            displacement = value
        }
        if isSimple { memoryBase = base | (rex & 1) << 3 }
        return true
    }

    @_lifetime(self: copy self)
    private mutating func readImmediate(_ opcode: UInt8, _ map: Map, _ shape: InstructionShape) -> Bool {
        var shape = shape
        if map == .primary, opcode == 0xF6 || opcode == 0xF7, modRM & 0b110_000 != 0 {
            // Only `test`, the first two of the group, has an immediate.
            shape = .none
        }
        if shape.has(.offset) {
            // An address of the address size in place of ModRM.
            return readSigned(addressSize32 ? 4 : 8) != nil
        }
        if shape.has(.word) {
            guard let value = readSigned(2) else { return false }
            immediate = value & 0xFFFF
        }
        if shape.has(.full) {
            let count = rex & 0b1000 != 0 ? 8 : operandSize16 ? 2 : 4
            guard let value = readSigned(count) else { return false }
            immediate = value
        }
        if shape.has(.double) {
            guard let value = readSigned(4) else { return false }
            immediate = value
        }
        if shape.has(.sized) {
            guard let value = readSigned(operandSize16 && rex & 0b1000 == 0 ? 2 : 4) else { return false }
            immediate = value
        }
        if shape.has(.byte) {
            guard let value = readSigned(1) else { return false }
            // `enter` has a word before the byte: its nesting level matters only by being zero or not.
            immediate = shape.has(.word) ? immediate | value << 32 : value
        }
        if shape.has(.secondByte), readSigned(1) == nil { return false }
        return true
    }
}
