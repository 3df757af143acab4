import Testing

@testable import Unwinding

struct InstructionEffectTests {
    typealias Effect = Instruction.Effect

    private func decode(_ bytes: String) -> Instruction {
        let code = bytes.split(separator: " ").compactMap { UInt8($0, radix: 16) }
        return unsafe Instruction.decode(code.span.bytes, at: 0, .x86_64)
    }

    private static let cases: [(String, String, Effect, UInt8, UInt8, Int64, Int32)] = [
        ("push %r12", "41 54", Effect.store, 12, 4, -8, -8), ("push $1", "6a 01", .store, 255, 4, -8, -8),
        ("pushq (%rax)", "ff 30", .store, 255, 4, -8, -8), ("push %rsp", "54", .store, 255, 4, -8, -8),
        ("pop %rbx", "5b", .load, 3, 4, 0, 8), ("pop %rsp", "5c", .write, 4, 255, 0, 0),
        ("push %ax", "66 50", .write, 4, 255, 0, 0), ("add $8,%rsp", "48 83 c4 08", .copy, 4, 4, 8, 0),
        ("sub $0x128,%rsp", "48 81 ec 28 01 00 00", .copy, 4, 4, -0x128, 0),
        ("and $-32,%rsp", "48 83 e4 e0", .write, 4, 255, 0, 0), ("add $8,%esp", "83 c4 08", .write, 4, 255, 0, 0),
        ("cmp $8,%rsp", "48 83 fc 08", .none, 255, 255, 0, 0), ("mov %rsp,%rbp", "48 89 e5", .copy, 5, 4, 0, 0),
        ("mov %rsp,%rbp (8b)", "48 8b ec", .copy, 5, 4, 0, 0), ("mov %rbp,%rsp", "48 89 ec", .copy, 4, 5, 0, 0),
        ("lea -0x28(%rbp),%rsp", "48 8d 65 d8", .copy, 4, 5, -0x28, 0),
        ("lea 8(%rsp),%r10", "4c 8d 54 24 08", .copy, 10, 4, 8, 0),
        ("lea (%rsp,%rax,1),%rsp", "48 8d 24 04", .write, 4, 255, 0, 0),
        ("mov %rbx,0x10(%rsp)", "48 89 5c 24 10", .store, 3, 4, 0x10, 0),
        ("mov 0x10(%rsp),%r12", "4c 8b 64 24 10", .load, 12, 4, 0x10, 0),
        ("sub %rax,%rsp", "48 29 c4", .subtractRegister, 4, 4, 0, 0), ("xor %ebp,%ebp", "31 ed", .write, 5, 255, 0, 0),
        ("leave", "c9", .leave, 255, 255, 0, 0), ("enter $16,$0", "c8 10 00 00", .enter, 255, 255, 16, 0),
        ("enter $16,$1", "c8 10 00 01", .write, 4, 255, 0, 0), ("ret $8", "c2 08 00", .ret, 255, 255, 8, 0),
        ("call rel", "e8 fb ff ff ff", .call, 255, 255, -5, 0), ("call *%rax", "ff d0", .call, 255, 255, 0, 0),
        ("jmp rel8", "eb fe", .jump, 255, 255, -2, 0), ("jne rel8", "75 10", .conditionalJump, 255, 255, 16, 0),
        ("jmp *%rax", "ff e0", .indirectJump, 255, 255, 0, 0),
        ("jmp *x(%rip)", "ff 25 00 00 00 00", .importJump, 255, 255, 0, 0), ("ud2", "0f 0b", .stop, 255, 255, 0, 0),
        ("mov $imm,%ah", "b4 01", .write, 0, 255, 0, 0), ("mov $imm,%spl", "40 b4 01", .write, 4, 255, 0, 0),
        ("cmovne %rax,%rbp", "48 0f 45 e8", .write, 5, 255, 0, 0), ("mulx", "c4 e2 e3 f6 c1", .write, 0, 255, 0, 0),
        ("xchg %rsp,%rax", "48 94", .write, 4, 255, 0, 0), ("endbr64", "f3 0f 1e fa", .landing, 255, 255, 0, 0),
    ]

    @Test(arguments: cases)
    func `an instruction moves the stack pointer and registers as the manual says`(
        name: String, bytes: String, effect: Effect, register: UInt8, base: UInt8, value: Int64, writeback: Int32
    ) {
        let found = decode(bytes)
        #expect(found.effect == effect, "\(name)")
        #expect(found.register == register, "\(name)")
        #expect(found.base == base, "\(name)")
        #expect(found.value == value, "\(name)")
        #expect(found.writeback == writeback, "\(name)")
    }

    // The words are what `aarch64-linux-gnu-as` 2.40 makes of the names. x29 is 10, x30 is 11, sp is 12, x12 is 14.
    private static let words: [(String, UInt32, Effect, UInt8, UInt8, UInt8, Int64, Int32)] = [
        ("stp x29, x30, [sp, #-32]!", 0xA9BE_7BFD, Effect.store, 10, 11, 12, -32, -32),
        ("ldp x29, x30, [sp], #32", 0xA8C2_7BFD, .load, 10, 11, 12, 0, 32),
        ("stp x19, x20, [sp, #16]", 0xA901_53F3, .store, 0, 1, 12, 16, 0),
        ("str x30, [sp, #-16]!", 0xF81F_0FFE, .store, 11, 255, 12, -16, -16),
        ("ldr x30, [sp], #16", 0xF841_07FE, .load, 11, 255, 12, 0, 16),
        ("str x19, [sp, #24]", 0xF900_0FF3, .store, 0, 255, 12, 24, 0),
        ("stp d8, d9, [sp, #-16]!", 0x6DBF_27E8, .copy, 12, 255, 12, -16, 0),
        ("mov x29, sp", 0x9100_03FD, .copy, 10, 255, 12, 0, 0), ("mov sp, x29", 0x9100_03BF, .copy, 12, 255, 10, 0, 0),
        ("sub sp, sp, #48", 0xD100_C3FF, .copy, 12, 255, 12, -48, 0),
        ("sub sp, sp, #1, lsl #12", 0xD140_07FF, .copy, 12, 255, 12, -4096, 0),
        ("cmp x19, #1", 0xF100_067F, .write, 255, 255, 255, 0, 0),
        ("mov x12, #4128", 0xD282_040C, .constant, 14, 255, 255, 4128, 0),
        ("sub sp, sp, x12", 0xCB2C_63FF, .subtractRegister, 12, 14, 12, 0, 0),
        ("and sp, x9, #-16", 0x927C_ED3F, .write, 12, 255, 255, 0, 0), ("ret", 0xD65F_03C0, .ret, 255, 255, 255, 0, 0),
        ("retaa", 0xD65F_0BFF, .ret, 255, 255, 255, 0, 0), ("bl .+8", 0x9400_0002, .call, 255, 255, 255, 4, 0),
        ("b .-4", 0x17FF_FFFF, .jump, 255, 255, 255, -8, 0),
        ("cbz x0, .+8", 0xB400_0040, .conditionalJump, 255, 255, 255, 4, 0),
        ("tbnz w0, #3, .+8", 0x3718_0040, .conditionalJump, 255, 255, 255, 4, 0),
        ("b.eq .+8", 0x5400_0040, .conditionalJump, 255, 255, 255, 4, 0),
        ("br x16", 0xD61F_0200, .indirectJump, 255, 255, 255, 0, 0),
        ("blr x1", 0xD63F_0020, .call, 255, 255, 255, 0, 0), ("brk #1", 0xD420_0020, .stop, 255, 255, 255, 0, 0),
        ("paciasp", 0xD503_233F, .landing, 255, 255, 255, 0, 0), ("autiasp", 0xD503_23BF, .none, 255, 255, 255, 0, 0),
        ("bti c", 0xD503_245F, .landing, 255, 255, 255, 0, 0), ("udf #0", 0, .stop, 255, 255, 255, 0, 0),
    ]

    @Test(arguments: words)
    func `an aarch64 word does what the manual says`(
        name: String, word: UInt32, effect: Effect, register: UInt8, second: UInt8, base: UInt8, value: Int64,
        writeback: Int32
    ) {
        let code = (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
        let found = unsafe Instruction.decode(code.span.bytes, at: 0, .aarch64)
        #expect(found.length == 4)
        #expect(found.effect == effect, "\(name)")
        #expect(found.register == register, "\(name)")
        #expect(found.second == second, "\(name)")
        #expect(found.base == base, "\(name)")
        #expect(found.value == value, "\(name)")
        #expect(found.writeback == writeback, "\(name)")
    }
}
