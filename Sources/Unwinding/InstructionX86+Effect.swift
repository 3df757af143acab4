/// What x86-64 instructions do to the stack and to general registers.
extension InstructionX86 {
    private var isWide: Bool { rex & 0b1000 != 0 }
    private var isDirect: Bool { modRM >> 6 == 3 }
    private var reg: UInt8 { modRM >> 3 & 7 | (rex & 0b100) << 1 }
    /// The register of ModRM.rm, where it is direct.
    private var rm: UInt8 { modRM & 7 | (rex & 1) << 3 }
    private var group: UInt8 { modRM >> 3 & 7 }

    func effect(_ opcode: UInt8, _ map: Map) -> Instruction {
        switch map {
        case .primary: primaryEffect(opcode)
        case .secondary: isVector ? vectorEffect(opcode) : secondaryEffect(opcode)
        case .map38: map38Effect(opcode)
        case .map3A: map3AEffect(opcode)
        case .evex5: vectorEffect(opcode)
        case .xop9: opcode <= 2 ? write(extraRegister) : opcode == 0x12 && isDirect ? write(rm) : Instruction()
        case .xopA: write(reg)
        case .evex6, .xop8: Instruction()
        }
    }

    // MARK: Making

    private func write(_ register: UInt8, _ second: UInt8 = Instruction.noRegister) -> Instruction {
        Instruction(effect: .write, register: register, second: second)
    }

    /// Without REX, the byte registers 4 to 7 are the second bytes of rax, rcx, rdx and rbx.
    private func writeByte(_ register: UInt8) -> Instruction {
        write(!hasREX && register >= 4 ? register - 4 : register)
    }

    private func writeDirect() -> Instruction { isDirect ? write(rm) : Instruction() }
    private func writeDirectByte() -> Instruction { isDirect ? writeByte(rm) : Instruction() }

    private func copy(_ register: UInt8, _ base: UInt8, _ value: Int64) -> Instruction {
        Instruction(effect: .copy, register: register, base: base, value: value)
    }

    private func push(_ register: UInt8) -> Instruction {
        guard !operandSize16 else { return write(Self.stackPointer) }
        // What `push rsp` stores is of no use here.
        return Instruction(
            effect: .store, register: register == Self.stackPointer ? Instruction.noRegister : register,
            base: Self.stackPointer, value: -8, writeback: -8)
    }

    private func pop(_ register: UInt8) -> Instruction {
        guard !operandSize16, register != Self.stackPointer else { return write(Self.stackPointer) }
        return Instruction(effect: .load, register: register, base: Self.stackPointer, value: 0, writeback: 8)
    }

    private func branch(_ effect: Instruction.Effect) -> Instruction { Instruction(effect: effect, value: immediate) }

    // MARK: Maps

    private func primaryEffect(_ opcode: UInt8) -> Instruction {
        switch opcode {
        case 0x00...0x3F: return arithmetic(opcode)
        case 0x50...0x57: return push(opcode & 7 | (rex & 1) << 3)
        case 0x58...0x5F: return pop(opcode & 7 | (rex & 1) << 3)
        case 0x63, 0x69, 0x6B: return write(reg)
        case 0x68, 0x6A: return push(Instruction.noRegister)
        case 0x70...0x7F, 0xE0...0xE3: return branch(.conditionalJump)
        case 0x80, 0x81, 0x83: return immediateArithmetic(opcode)
        case 0x86, 0x87: return isDirect ? write(reg, rm) : write(reg)
        case 0x88: return writeDirectByte()
        case 0x89:
            if isDirect { return isWide ? copy(rm, reg, 0) : write(rm) }
            guard isWide, memoryBase != Instruction.noRegister else { return Instruction() }
            return Instruction(effect: .store, register: reg, base: memoryBase, value: displacement)
        case 0x8A: return writeByte(reg)
        case 0x8B:
            if isDirect { return isWide ? copy(reg, rm, 0) : write(reg) }
            guard isWide, memoryBase != Instruction.noRegister else { return write(reg) }
            return Instruction(effect: .load, register: reg, base: memoryBase, value: displacement)
        case 0x8C: return writeDirect()
        case 0x8D:
            return isWide && memoryBase != Instruction.noRegister ? copy(reg, memoryBase, displacement) : write(reg)
        case 0x8F: return pop(isDirect ? rm : Instruction.noRegister)
        case 0x90: return rex & 1 != 0 ? write(8, 0) : Instruction()
        case 0x91...0x97: return write(opcode & 7 | (rex & 1) << 3, 0)
        case 0x98, 0xA0, 0xA1, 0xE4, 0xE5, 0xEC, 0xED, 0x9F, 0xD7: return write(0)
        case 0x99: return write(2)
        case 0x9C: return push(Instruction.noRegister)
        case 0x9D: return pop(Instruction.noRegister)
        case 0xA4...0xA7, 0x6C...0x6F: return write(6, 7)
        case 0xAA, 0xAB, 0xAE, 0xAF: return write(7)
        case 0xAC, 0xAD: return write(0, 6)
        case 0xB0...0xB7: return writeByte(opcode & 7 | (rex & 1) << 3)
        case 0xB8...0xBF:
            guard !operandSize16 else { return write(opcode & 7 | (rex & 1) << 3) }
            let value = isWide ? immediate : immediate & 0xFFFF_FFFF
            return Instruction(effect: .constant, register: opcode & 7 | (rex & 1) << 3, value: value)
        case 0xC0, 0xD0, 0xD2, 0xC6: return writeDirectByte()
        case 0xC1, 0xD1, 0xD3: return writeDirect()
        case 0xC2, 0xC3: return Instruction(effect: .ret, value: immediate)
        case 0xC7:
            guard isDirect else { return Instruction() }
            guard group == 0, isWide else { return write(rm) }
            return Instruction(effect: .constant, register: rm, value: immediate)
        case 0xC8:
            guard immediate >> 32 == 0, !operandSize16 else { return write(Self.stackPointer, Self.framePointer) }
            return Instruction(effect: .enter, value: immediate)
        case 0xC9:
            return operandSize16 ? write(Self.stackPointer, Self.framePointer) : Instruction(effect: .leave)
        case 0xCA, 0xCB, 0xCC, 0xCF, 0xF1, 0xF4: return Instruction(effect: .stop)
        case 0xE8: return branch(.call)
        case 0xE9, 0xEB: return branch(.jump)
        case 0xF6: return group < 2 ? Instruction() : group < 4 ? writeDirectByte() : write(0)
        case 0xF7: return group < 2 ? Instruction() : group < 4 ? writeDirect() : write(0, 2)
        case 0xFE: return writeDirectByte()
        case 0xFF: return indirect()
        default: return Instruction()
        }
    }

    /// add, or, adc, sbb, and, sub, xor, cmp between registers and memory.
    private func arithmetic(_ opcode: UInt8) -> Instruction {
        let isCompare = opcode >= 0x38
        guard !isCompare else { return Instruction() }
        switch opcode & 7 {
        case 0: return writeDirectByte()
        case 2: return writeByte(reg)
        case 1, 3:
            let isToRegister = opcode & 2 != 0
            guard isDirect else { return isToRegister ? write(reg) : Instruction() }
            let (target, source) = isToRegister ? (reg, rm) : (rm, reg)
            guard isWide, opcode & 0x38 == 0x00 || opcode & 0x38 == 0x28 else { return write(target) }
            return Instruction(
                effect: opcode & 0x38 == 0 ? .addRegister : .subtractRegister, register: target, second: source,
                base: target)
        default: return write(0)
        }
    }

    private func immediateArithmetic(_ opcode: UInt8) -> Instruction {
        guard isDirect, group != 7 else { return Instruction() }
        guard opcode != 0x80 else { return writeByte(rm) }
        guard isWide else { return write(rm) }
        switch group {
        case 0: return copy(rm, rm, immediate)
        case 5: return copy(rm, rm, -immediate)
        default: return write(rm)
        }
    }

    private func indirect() -> Instruction {
        switch group {
        case 0, 1: return writeDirect()
        case 2: return Instruction(effect: .call)
        case 3: return write(Self.stackPointer)
        case 4: return Instruction(effect: modRM & 0b11_000_111 == 5 ? .importJump : .indirectJump)
        case 5: return Instruction(effect: .stop)
        case 6: return push(isDirect ? rm : Instruction.noRegister)
        default: return Instruction(effect: .stop)
        }
    }

    private func secondaryEffect(_ opcode: UInt8) -> Instruction {
        switch opcode {
        case 0x00, 0x20, 0x21: return writeDirect()
        case 0x01: return isDirect ? group == 4 ? write(rm) : write(0, 2) : Instruction()
        case 0x02, 0x03, 0x40...0x4F, 0x50, 0xAF, 0xB2, 0xB4...0xB8, 0xBC...0xBF, 0xC5, 0xD7: return write(reg)
        case 0x05: return write(1, 11)
        case 0x0B, 0xB9, 0xFF: return Instruction(effect: .stop)
        case 0x1E: return repeatPrefix == 0xF3 && modRM == 0xFA ? Instruction(effect: .landing) : Instruction()
        case 0x2C, 0x2D: return repeatPrefix != 0 ? write(reg) : Instruction()
        case 0x31...0x33: return write(0, 2)
        case 0x7E: return repeatPrefix == 0 ? writeDirect() : Instruction()
        case 0x80...0x8F: return branch(.conditionalJump)
        case 0x90...0x9F: return writeDirectByte()
        case 0xA0, 0xA8: return push(Instruction.noRegister)
        case 0xA1, 0xA9: return pop(Instruction.noRegister)
        case 0xA2: return write(0, 3)
        case 0xA4, 0xA5, 0xAB, 0xAC, 0xAD, 0xB3, 0xBB: return writeDirect()
        case 0xBA: return group == 4 ? Instruction() : writeDirect()
        case 0xB0, 0xB1: return isDirect ? write(rm, 0) : write(0)
        case 0xC0, 0xC1: return isDirect ? write(rm, reg) : write(reg)
        case 0xC7: return isDirect ? write(rm) : group == 1 ? write(0, 2) : Instruction()
        case 0xC8...0xCF: return write(opcode & 7 | (rex & 1) << 3)
        default: return Instruction()
        }
    }

    private func vectorEffect(_ opcode: UInt8) -> Instruction {
        switch opcode {
        case 0x2C, 0x2D, 0x78, 0x79: repeatPrefix != 0 ? write(reg) : Instruction()
        case 0x50, 0x93, 0xC5, 0xD7: write(reg)
        case 0x7E: operandSize16 ? writeDirect() : Instruction()
        default: Instruction()
        }
    }

    private func map38Effect(_ opcode: UInt8) -> Instruction {
        if isVector {
            switch opcode {
            case 0xF2, 0xF5, 0xF7: return write(reg)
            case 0xF3: return write(extraRegister)
            case 0xF6, 0xE0...0xEF: return write(reg, extraRegister)
            default: return Instruction()
            }
        }
        switch opcode {
        case 0xF0: return write(reg)
        case 0xF1: return repeatPrefix == 0xF2 ? write(reg) : Instruction()
        case 0xF6: return operandSize16 || repeatPrefix == 0xF3 ? write(reg) : Instruction()
        default: return Instruction()
        }
    }

    private func map3AEffect(_ opcode: UInt8) -> Instruction {
        switch opcode {
        case 0x14...0x17: writeDirect()
        case 0x60...0x63: write(1)
        case 0xF0 where isVector: write(reg)
        default: Instruction()
        }
    }
}
