/// Decodes aarch64 instructions as far as they touch the stack, the registers that hold places on it, and control flow.
///
/// Source: Arm Architecture Reference Manual for A-profile, chapter C4.
enum InstructionAArch64 {
    static let framePointer: UInt8 = 10
    static let linkRegister: UInt8 = 11
    static let stackPointer: UInt8 = 12
    static let scratchX9: UInt8 = 13
    static let scratchX12: UInt8 = 14
    static let scratchX16: UInt8 = 15

    static func decode(_ code: RawSpan, at offset: Int) -> Instruction {
        guard offset >= 0, offset & 3 == 0, offset <= code.byteCount - 4 else { return .undecodable }
        let word = unsafe UInt32(
            littleEndian: code.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self))
        var instruction = decode(word)
        instruction.length = 4
        return instruction
    }

    private static func decode(_ word: UInt32) -> Instruction {
        switch word >> 25 & 0xF {
        case 0b1000, 0b1001: return immediate(word)
        case 0b1010, 0b1011: return branch(word)
        case 0b0101, 0b1101: return registers(word)
        case 0b0100, 0b0110, 0b1100, 0b1110: return memory(word)
        case 0b0111, 0b1111: return vector(word)
        // Permanently undefined; the rest is reserved, or SVE and SME without general registers that matter.
        case 0b0000: return word >> 16 == 0 ? Instruction(effect: .stop) : Instruction()
        default: return Instruction()
        }
    }

    /// 31 means the stack pointer.
    private static func followed(_ number: UInt32) -> UInt8 {
        number & 31 == 31 ? stackPointer : followedOrZero(number)
    }

    /// 31 means the zero register.
    private static func followedOrZero(_ number: UInt32) -> UInt8 {
        switch number & 31 {
        case 19...30: UInt8(number & 31) - 19
        case 9: scratchX9
        case 12: scratchX12
        case 16: scratchX16
        default: Instruction.noRegister
        }
    }

    private static func signed(_ word: UInt32, _ low: UInt32, _ count: UInt32) -> Int64 {
        Int64(Int32(bitPattern: word << (32 - low - count)) >> (32 - count))
    }

    private static func write(_ register: UInt8, _ second: UInt8 = Instruction.noRegister) -> Instruction {
        Instruction(effect: .write, register: register, second: second)
    }

    // MARK: Data processing

    private static func immediate(_ word: UInt32) -> Instruction {
        let isWide = word >> 31 != 0
        switch word >> 23 & 7 {
        case 0b010:
            // add, sub; those that set flags write the zero register where the others write sp.
            let setsFlags = word >> 29 & 1 != 0
            let target = setsFlags ? followedOrZero(word) : followed(word)
            guard isWide else { return write(target) }
            var value = Int64(word >> 10 & 0xFFF)
            if word >> 22 & 1 != 0 { value <<= 12 }
            if word >> 30 & 1 != 0 { value = -value }
            let base = followed(word >> 5)
            guard target != Instruction.noRegister, base != Instruction.noRegister else { return write(target) }
            return Instruction(effect: .copy, register: target, base: base, value: value)
        case 0b100:
            // and, orr, eor may write sp; ands may not.
            return write(word >> 29 & 3 == 3 ? followedOrZero(word) : followed(word))
        case 0b101:
            let target = followedOrZero(word)
            let shift = Int32(word >> 21 & 3) * 16
            let part = Int64(word >> 5 & 0xFFFF)
            switch word >> 29 & 3 {
            // Beyond 31 bits nothing is a frame's size.
            case 0b00 where shift < 32:
                let value = part << Int64(shift)
                return Instruction(
                    effect: .constant, register: target, value: isWide ? ~value : ~value & 0xFFFF_FFFF)
            case 0b10 where shift < 32:
                return Instruction(effect: .constant, register: target, value: part << Int64(shift))
            case 0b11 where shift < 32:
                return Instruction(effect: .constantPart, register: target, value: part, writeback: shift)
            default: return write(target)
            }
        default:
            return write(followedOrZero(word))
        }
    }

    private static func registers(_ word: UInt32) -> Instruction {
        let target = followedOrZero(word)
        // mov Xd, Xm
        if word & 0xFFE0_FFE0 == 0xAA00_03E0 {
            guard word >> 16 & 31 != 31 else { return Instruction(effect: .constant, register: target, value: 0) }
            let source = followedOrZero(word >> 16)
            guard source != Instruction.noRegister else { return write(target) }
            return Instruction(effect: .copy, register: target, base: source, value: 0)
        }
        // add and sub with an extended register: the form that takes sp.
        if word & 0x1FE0_0000 == 0x0B20_0000 {
            let setsFlags = word >> 29 & 1 != 0
            let target = setsFlags ? target : followed(word)
            let base = followed(word >> 5)
            let source = followedOrZero(word >> 16)
            // 64 bits, not shifted.
            guard word >> 31 != 0, word >> 13 & 3 == 3, word >> 10 & 7 == 0, base != Instruction.noRegister,
                source != Instruction.noRegister
            else { return write(target) }
            return Instruction(
                effect: word >> 30 & 1 == 0 ? .addRegister : .subtractRegister, register: target, second: source,
                base: base)
        }
        // Conditional compare has flags in the place of a target.
        if word & 0x1FE0_0000 == 0x1A40_0000 { return Instruction() }
        return write(target)
    }

    /// SIMD and floating point: those that write general registers.
    private static func vector(_ word: UInt32) -> Instruction {
        // Conversion to integer, fmov: opcodes that have a general target (0, 1, 4, 5 by rounding mode; 6 is fmov).
        if word & 0x5F20_FC00 == 0x1E20_0000 {
            let opcode = word >> 16 & 7
            return opcode == 2 || opcode == 3 || opcode == 7 ? Instruction() : write(followedOrZero(word))
        }
        // umov, smov.
        if word & 0xBFE0_FC00 == 0x0E00_3C00 || word & 0xBFE0_FC00 == 0x0E00_2C00 {
            return write(followedOrZero(word))
        }
        return Instruction()
    }

    // MARK: Control flow

    private static func branch(_ word: UInt32) -> Instruction {
        // Relative to the next instruction, as the caller counts.
        if word & 0x7C00_0000 == 0x1400_0000 {
            return Instruction(effect: word >> 31 != 0 ? .call : .jump, value: signed(word, 0, 26) * 4 - 4)
        }
        if word & 0xFF00_0000 == 0x5400_0000 || word & 0x7E00_0000 == 0x3400_0000 {
            return Instruction(effect: .conditionalJump, value: signed(word, 5, 19) * 4 - 4)
        }
        if word & 0x7E00_0000 == 0x3600_0000 {
            return Instruction(effect: .conditionalJump, value: signed(word, 5, 14) * 4 - 4)
        }
        if word & 0xFE00_0000 == 0xD600_0000 {
            switch word >> 21 & 0xF {
            // With and without authentication of the pointer (braa, blraa, retaa).
            case 0, 8: return Instruction(effect: .indirectJump)
            case 1, 9: return Instruction(effect: .call)
            case 2: return Instruction(effect: .ret)
            default: return Instruction(effect: .stop)
            }
        }
        // brk, hlt.
        if word & 0xFFE0_001F == 0xD420_0000 || word & 0xFFE0_001F == 0xD440_0000 {
            return Instruction(effect: .stop)
        }
        // bti, paciasp, pacibsp.
        if word & 0xFFFF_FF3F == 0xD503_241F || word & 0xFFFF_FFBF == 0xD503_233F {
            return Instruction(effect: .landing)
        }
        // mrs
        if word & 0xFFF0_0000 == 0xD530_0000 { return write(followedOrZero(word)) }
        return Instruction()
    }

    // MARK: Memory

    private static func memory(_ word: UInt32) -> Instruction {
        if word & 0x3A00_0000 == 0x2800_0000 { return pair(word) }
        let isVector = word >> 26 & 1 != 0
        if word & 0x3B00_0000 == 0x1800_0000 {
            return isVector ? Instruction() : write(followedOrZero(word))
        }
        if word & 0x3F00_0000 == 0x0800_0000 {
            // Exclusive and ordered: a load writes its target, a store a status; compare-and-swap its first register.
            return word >> 22 & 1 != 0
                ? write(followedOrZero(word), followedOrZero(word >> 10)) : write(followedOrZero(word >> 16))
        }
        guard word & 0x3A00_0000 == 0x3800_0000 else { return Instruction() }
        let isLoad = word >> 22 & 3 != 0
        let isWhole = word >> 30 == 3 && !isVector && word >> 23 & 1 == 0
        let base = followed(word >> 5)
        let target = followedOrZero(word)
        var value: Int64 = 0
        var writeback: Int32 = 0
        if word >> 24 & 1 != 0 {
            value = Int64(word >> 10 & 0xFFF) << 3
        } else if word >> 21 & 1 != 0 {
            // A register as offset; or an atomic operation, which loads.
            return isVector || (!isLoad && word >> 10 & 3 != 0b00) ? Instruction() : write(target)
        } else {
            let offset = signed(word, 12, 9)
            switch word >> 10 & 3 {
            case 0b01: writeback = Int32(offset)
            case 0b11:
                value = offset
                writeback = Int32(offset)
            default: value = offset
            }
        }
        if isWhole, base != Instruction.noRegister {
            return Instruction(
                effect: isLoad ? .load : .store, register: target, base: base, value: value, writeback: writeback)
        }
        let written = isLoad && !isVector ? target : Instruction.noRegister
        guard writeback != 0, base != Instruction.noRegister else { return write(written) }
        // The registers are not followed, the base is: a move of the base that writes one register besides.
        return written == Instruction.noRegister
            ? Instruction(effect: .copy, register: base, base: base, value: Int64(writeback)) : write(written, base)
    }

    /// Pairs of registers.
    private static func pair(_ word: UInt32) -> Instruction {
        let isVector = word >> 26 & 1 != 0
        let isLoad = word >> 22 & 1 != 0
        let size = word >> 30
        let scale: Int64 = isVector ? 4 << Int64(size) : size == 2 ? 8 : 4
        let offset = signed(word, 15, 7) * scale
        let base = followed(word >> 5)
        let mode = word >> 23 & 3
        let value = mode == 1 ? 0 : offset
        let writeback = mode & 1 != 0 ? Int32(offset) : 0
        let first = followedOrZero(word)
        let second = followedOrZero(word >> 10)
        if !isVector, size == 2, base != Instruction.noRegister {
            return Instruction(
                effect: isLoad ? .load : .store, register: first, second: second, base: base, value: value,
                writeback: writeback)
        }
        if isVector || !isLoad {
            guard writeback != 0, base != Instruction.noRegister else { return Instruction() }
            return Instruction(effect: .copy, register: base, base: base, value: Int64(writeback))
        }
        return write(first, second)
    }
}
