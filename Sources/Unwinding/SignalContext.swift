/// Where the kernel puts the interrupted thread's registers on the stack for a signal handler, seen from the stack
/// pointer at the handler's return (asm/ucontext.h, asm/sigcontext.h).
enum SignalContext {
    /// Of the DWARF-numbered register, in bytes from the stack pointer.
    static func offset(ofRegister number: Int, _ architecture: UserArchitecture) -> UInt64 {
        switch architecture {
        case .x86_64:
            // ucontext: flags, link, stack (24), then r8 … r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip.
            let place: UInt64 =
                switch number {
                case 8...15: UInt64(number - 8)
                case 5: 8
                case 4: 9
                case 6: 10
                case 3: 11
                case 1: 12
                case 0: 13
                case 2: 14
                case 7: 15
                default: 16
                }
            return 40 + 8 * place
        case .aarch64:
            // siginfo (128); ucontext: flags, link, stack (24), mask (128), to a multiple of 16; fault address; x0 … x30,
            // sp, pc.
            return 128 + 176 + 8 + 8 * UInt64(number)
        }
    }

}
