/// How to go from a frame to its caller, in 40 bytes: the shapes that nearly all addresses have.
struct UnwindRule: BitwiseCopyable {
    enum Kind: UInt8, BitwiseCopyable {
        /// Nothing covers the address: frame pointers.
        case none
        /// CFA = register + offset
        case register
        /// CFA = *(register + offset)
        case indirect
        /// CFA = *(register + offset), saved registers count from the register (GCC's realigned frames)
        case realigned
        /// Only the whole row says it: `offset` is the index entry.
        case row
        /// All registers lie in the ucontext that the kernel put on the stack.
        case signalContext
        /// The outermost frame.
        case end
        /// `offset` is the reason.
        case failed
    }

    var kind: Kind = .none
    var origin: UnwoundFrame.Origin = .callFrameInformation
    /// The caller was interrupted, its address is exact.
    var isSignal = false
    /// For `row`: the rule is that of the address after the one looked up.
    var isNextAddress = false
    /// For register, indirect: DWARF number.
    var base: UInt8 = 0
    /// Bit n: the callee has made slot n's register unusable.
    var undefined: UInt16 = 0
    /// Bit n: slot n's register is saved, at `offsets[n]` words from the CFA.
    var saved: UInt16 = 0
    var offset: Int32 = 0
    var offsets = InlineArray<12, Int16>(repeating: 0)

    init() {}

    static func failed(_ reason: BreakReason) -> UnwindRule {
        var rule = UnwindRule()
        rule.kind = .failed
        rule.offset = Int32(reason.rawValue)
        return rule
    }

    /// CFA = sp + `frameBytes`; the return address in the word below it (x86-64), or in x30 (aarch64).
    static func returnAddressAtStackPointer(
        frameBytes: Int32, _ architecture: UserArchitecture, origin: UnwoundFrame.Origin
    ) -> UnwindRule {
        var rule = UnwindRule()
        rule.kind = .register
        rule.origin = origin
        rule.base = UInt8(architecture.stackPointerNumber)
        if architecture == .x86_64 {
            rule.offset = frameBytes &+ 8
            rule.save(RegisterSlots.returnAddress(.x86_64), words: -1)
        } else {
            rule.offset = frameBytes
        }
        return rule
    }

    mutating func save(_ slot: Int, words: Int16) {
        saved |= 1 << UInt16(slot)
        offsets[slot] = words
    }
}

/// The registers that callees preserve, and the return address, in a rule's slots. x86-64: rbx, rbp, r12 to r15, rip.
/// aarch64: x19 to x30.
enum RegisterSlots {
    static func count(_ architecture: UserArchitecture) -> Int { architecture == .x86_64 ? 7 : 12 }

    @inline(__always)
    static func returnAddress(_ architecture: UserArchitecture) -> Int { architecture == .x86_64 ? 6 : 11 }

    @inline(__always)
    static func register(_ slot: Int, _ architecture: UserArchitecture) -> Int {
        architecture == .x86_64 ? Int(0x100F_0E0D_0C06_03 >> UInt64(8 &* slot) & 0xFF) : 19 &+ slot
    }

    static func slot(ofRegister number: Int, _ architecture: UserArchitecture) -> Int? {
        if architecture == .aarch64 { return number >= 19 && number <= 30 ? number - 19 : nil }
        switch number {
        case 3: return 0
        case 6: return 1
        case 12...16: return number - 10
        default: return nil
        }
    }
}
