/// The instruction sets whose stacks are unwound.
public enum UserArchitecture: UInt8, BitwiseCopyable, Sendable {
    // swift-format-ignore: AlwaysUseLowerCamelCase
    case x86_64
    case aarch64

    /// The one that this program was compiled for.
    public static var current: UserArchitecture {
        #if arch(arm64)
        .aarch64
        #else
        .x86_64
        #endif
    }

    /// By ELF's number (e_machine); nil for others.
    public init?(machine: UInt16) {
        switch machine {
        case 62: self = .x86_64
        case 183: self = .aarch64
        default: return nil
        }
    }

    /// ELF's number (e_machine).
    public var machine: UInt16 { self == .x86_64 ? 62 : 183 }

    /// Where DWARF's numbering puts the stack pointer: rsp, sp (System V ABI, x86-64, 3.6.2; DWARF for the Arm 64-bit
    /// Architecture, 4.1).
    @usableFromInline var stackPointerNumber: Int { self == .x86_64 ? 7 : 31 }
    /// rbp, x29.
    @usableFromInline var framePointerNumber: Int { self == .x86_64 ? 6 : 29 }
    /// rip, and for aarch64, where DWARF has no number for it in practice, the one after sp.
    @usableFromInline var programCounterNumber: Int { self == .x86_64 ? 16 : 32 }
    /// Whose rule gives the return address: rip, x30.
    var returnAddressNumber: Int { self == .x86_64 ? 16 : 30 }
    /// How many registers are followed.
    @usableFromInline var registerCount: Int { self == .x86_64 ? 17 : 33 }
}
