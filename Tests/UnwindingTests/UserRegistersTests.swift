import Testing
import Unwinding

@Suite struct UserRegistersTests {
    @Test func `a sample's registers come in the order of the mask and go by DWARF's numbers`() {
        let mask = UserRegisters.perfMask(.x86_64)
        // asm/perf_regs.h: ax 0, bx 1, cx 2, dx 3, si 4, di 5, bp 6, sp 7, ip 8, r8 16 … r15 23.
        let perfNumbers = (0..<64).filter { mask & 1 << $0 != 0 }
        let values = perfNumbers.map { UInt64($0 + 100) }
        let registers = UserRegisters(perfRegisters: values.span, architecture: .x86_64)
        let byDWARF = (0...16).map { registers[$0] }
        #expect(
            byDWARF == [100, 103, 102, 101, 104, 105, 106, 107, 116, 117, 118, 119, 120, 121, 122, 123, 108])
        #expect(registers.programCounter == 108)
        #expect(registers.stackPointer == 107)
        #expect(registers.framePointer == 106)
    }

    @Test func `registers that were not sampled are unknown`() {
        let registers = UserRegisters(perfRegisters: [1, 2].span, architecture: .aarch64)
        #expect(registers.isKnown(0) && registers.isKnown(1) && !registers.isKnown(2))
        #expect(registers[40] == 0 && registers[-1] == 0)
    }
}
