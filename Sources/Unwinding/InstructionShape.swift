/// What follows an x86-64 opcode: ModRM and immediates.
struct InstructionShape: BitwiseCopyable {
    let rawValue: UInt16

    /// `OptionSet` would do the same; unspecialised, as in a debug build, it is many times slower.
    @inline(__always) func has(_ part: InstructionShape) -> Bool { rawValue & part.rawValue != 0 }
    @inline(__always) func and(_ part: InstructionShape) -> InstructionShape {
        InstructionShape(rawValue: rawValue | part.rawValue)
    }

    static var none: InstructionShape { InstructionShape(rawValue: 0) }
    static var modRM: InstructionShape { InstructionShape(rawValue: 1) }
    static var byte: InstructionShape { InstructionShape(rawValue: 2) }
    static var word: InstructionShape { InstructionShape(rawValue: 4) }
    /// 4 bytes.
    static var double: InstructionShape { InstructionShape(rawValue: 8) }
    /// 2 bytes with the prefix 66, else 4.
    static var sized: InstructionShape { InstructionShape(rawValue: 16) }
    /// Of the operand's size: 8 bytes with REX.W, 2 with 66, else 4.
    static var full: InstructionShape { InstructionShape(rawValue: 32) }
    /// An address in the instruction.
    static var offset: InstructionShape { InstructionShape(rawValue: 64) }
    static var secondByte: InstructionShape { InstructionShape(rawValue: 128) }
    static var invalid: InstructionShape { InstructionShape(rawValue: 256) }

    static func of(_ opcode: UInt8, _ map: InstructionX86.Map, _ decoder: borrowing InstructionX86) -> InstructionShape
    {
        switch map {
        case .primary: return primary(opcode)
        case .secondary: return decoder.isVector ? vectorSecondary(opcode, decoder) : secondary(opcode, decoder)
        case .map38, .evex5, .evex6, .xop9: return .modRM
        case .map3A, .xop8: return InstructionShape.modRM.and(.byte)
        case .xopA: return InstructionShape.modRM.and(.double)
        }
    }

    private static func primary(_ opcode: UInt8) -> InstructionShape {
        switch opcode {
        case 0x00...0x3F:
            switch opcode & 7 {
            case 0...3: .modRM
            case 4: .byte
            case 5: .sized
            // Segment registers and decimal arithmetic of 32-bit mode; the prefixes never come here.
            default: .invalid
            }
        case 0x40...0x5F: .none
        case 0x60, 0x61: .invalid
        case 0x63: .modRM
        case 0x68: .sized
        case 0x69: InstructionShape.modRM.and(.sized)
        case 0x6A: .byte
        case 0x6B: InstructionShape.modRM.and(.byte)
        case 0x6C...0x6F: .none
        case 0x70...0x7F: .byte
        case 0x80, 0x83: InstructionShape.modRM.and(.byte)
        case 0x81: InstructionShape.modRM.and(.sized)
        case 0x82: .invalid
        case 0x84...0x8F: .modRM
        case 0x9A: .invalid
        case 0x90...0x9F: .none
        case 0xA0...0xA3: .offset
        case 0xA8: .byte
        case 0xA9: .sized
        case 0xA4...0xAF: .none
        case 0xB0...0xB7: .byte
        case 0xB8...0xBF: .full
        case 0xC0, 0xC1, 0xC6: InstructionShape.modRM.and(.byte)
        case 0xC2, 0xCA: .word
        case 0xC7: InstructionShape.modRM.and(.sized)
        case 0xC8: InstructionShape.word.and(.byte)
        case 0xC3, 0xC9, 0xCB, 0xCC, 0xCF: .none
        case 0xCD: .byte
        case 0xD0...0xD3: .modRM
        case 0xD7: .none
        case 0xD8...0xDF: .modRM
        case 0xE0...0xE7: .byte
        case 0xE8, 0xE9: .double
        case 0xEB: .byte
        case 0xEC...0xEF: .none
        case 0xF1, 0xF4, 0xF5: .none
        case 0xF6: InstructionShape.modRM.and(.byte)
        case 0xF7: InstructionShape.modRM.and(.sized)
        case 0xF8...0xFD: .none
        case 0xFE, 0xFF: .modRM
        default: .invalid
        }
    }

    private static func secondary(_ opcode: UInt8, _ decoder: borrowing InstructionX86) -> InstructionShape {
        switch opcode {
        case 0x05...0x09, 0x0B, 0x0E, 0x30...0x35, 0x37, 0x77: .none
        case 0x04, 0x0A, 0x0C, 0x24...0x27, 0x36, 0x38...0x3F, 0x7A, 0x7B: .invalid
        case 0x0F: InstructionShape.modRM.and(.byte)
        case 0x70...0x73, 0xA4, 0xAC, 0xBA, 0xC2, 0xC4...0xC6: InstructionShape.modRM.and(.byte)
        case 0x78:
            // extrq and insertq of SSE4a have two bytes; vmread has none.
            decoder.operandSize16 || decoder.repeatPrefix == 0xF2
                ? InstructionShape.modRM.and(.byte).and(.secondByte) : .modRM
        case 0x80...0x8F: .double
        case 0xA0...0xA2, 0xA8...0xAA, 0xC8...0xCF: .none
        default: .modRM
        }
    }

    private static func vectorSecondary(_ opcode: UInt8, _ decoder: borrowing InstructionX86) -> InstructionShape {
        switch opcode {
        case 0x77: .none
        case 0x70...0x73, 0xC2, 0xC4...0xC6: InstructionShape.modRM.and(.byte)
        default: .modRM
        }
    }
}
