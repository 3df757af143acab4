/// What one machine instruction does to the stack pointer and to registers that may hold a place on the stack.
///
/// Registers are numbered 0…15 per architecture, as far as they are followed: on x86-64 by their machine number (4 is
/// rsp, 5 is rbp); on aarch64 x19…x28 are 0…9, x29 is 10, x30 is 11, sp is 12, and x9, x12, x16 (what compilers
/// use for large frames) are 13, 14, 15. `noRegister` is any other.
package struct Instruction: BitwiseCopyable, Equatable {
    package enum Effect: UInt8, BitwiseCopyable, Sendable {
        /// Nothing that matters here.
        case none
        /// The mark at the start of a function or of an indirect branch's target (endbr64, bti, paciasp).
        case landing
        /// `register` and `second` get values that are not followed.
        case write
        /// `register` = `base` + `value`.
        case copy
        /// `register` = `value`.
        case constant
        /// 16 bits of a constant in `register` are replaced (aarch64 movk): `value` at bit `writeback`.
        case constantPart
        /// `register` = `base` + `second`.
        case addRegister
        /// `register` = `base` − `second`.
        case subtractRegister
        /// `register` = 8 bytes at `base` + `value` (`second`: the 8 after); then `base` += `writeback`.
        case load
        /// The 8 bytes at `base` + `value` = `register` (`second`: the 8 after); then `base` += `writeback`.
        case store
        /// x86-64: the stack pointer = rbp; then rbp is popped.
        case leave
        /// x86-64: rbp is pushed, rbp = stack pointer, and `value` bytes are reserved.
        case enter
        /// Direct or indirect; execution goes on behind it, if the called function returns.
        case call
        /// `value` bytes beside the return address are dropped.
        case ret
        /// To the next instruction's address + `value`.
        case jump
        /// To the next instruction's address + `value`, or on.
        case conditionalJump
        /// To an address from a register or a table: a `switch`, or a tail call.
        case indirectJump
        /// To an address in a fixed place in memory, as PLT stubs and tail calls through a table of imports do.
        case importJump
        /// Never goes on: ud2, hlt, int3, brk.
        case stop
    }

    package static let noRegister: UInt8 = 0xFF

    /// Bytes; 0 is not an instruction, or one that the span's end cuts off.
    package var length: UInt8 = 0
    package var effect = Effect.none
    package var register = Instruction.noRegister
    package var second = Instruction.noRegister
    package var base = Instruction.noRegister
    package var value: Int64 = 0
    package var writeback: Int32 = 0

    static var undecodable: Instruction { Instruction() }

    /// The instruction at `offset` of the code.
    package static func decode(_ code: RawSpan, at offset: Int, _ architecture: UserArchitecture) -> Instruction {
        switch architecture {
        case .x86_64: InstructionX86.decode(code, at: offset)
        case .aarch64: InstructionAArch64.decode(code, at: offset)
        }
    }
}
