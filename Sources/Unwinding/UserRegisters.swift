/// A thread's general registers by their DWARF numbers: x86-64 0 to 15 and 16 for rip; aarch64 0 to 30, 31 for sp, 32
/// for pc. A register may be unknown; its value then is 0.
public struct UserRegisters: BitwiseCopyable, Sendable {
    /// Bit n: register n is known.
    @usableFromInline var known: UInt64
    @usableFromInline var values: InlineArray<33, UInt64>
    public let architecture: UserArchitecture

    /// All unknown.
    public init(_ architecture: UserArchitecture) {
        self.architecture = architecture
        known = 0
        values = InlineArray(repeating: 0)
    }

    /// From a sample: the values in the order of the mask's bits, lowest first. Values that are missing at the end stay
    /// unknown.
    public init(perfRegisters: Span<UInt64>, architecture: UserArchitecture) {
        self.init(architecture)
        for index in perfRegisters.indices {
            guard let number = Self.dwarfNumber(ofPerfRegister: index, architecture) else { break }
            values[number] = perfRegisters[index]
            known |= 1 << UInt64(number)
        }
    }

    /// The mask for PERF_SAMPLE_REGS_USER (asm/perf_regs.h): rax to rip and r8 to r15; x0 to pc.
    public static func perfMask(_ architecture: UserArchitecture) -> UInt64 {
        architecture == .x86_64 ? 0x00FF_01FF : 0x1_FFFF_FFFF
    }

    /// asm/perf_regs.h counts ax, bx, cx, dx, si, di, bp, sp, ip, flags …, r8 … r15.
    private static func dwarfNumber(ofPerfRegister index: Int, _ architecture: UserArchitecture) -> Int? {
        guard architecture == .x86_64 else { return index < 33 ? index : nil }
        switch index {
        case 0: return 0
        case 1: return 3
        case 2: return 2
        case 3: return 1
        case 4...7: return index
        case 8: return 16
        case 9...16: return index - 1
        default: return nil
        }
    }

    /// 0 where the register is unknown or there is no such register; setting makes it known.
    @inlinable public subscript(dwarfNumber: Int) -> UInt64 {
        get { dwarfNumber >= 0 && dwarfNumber < 33 ? values[dwarfNumber] : 0 }
        set {
            guard dwarfNumber >= 0 && dwarfNumber < architecture.registerCount else { return }
            values[dwarfNumber] = newValue
            known |= 1 << UInt64(dwarfNumber)
        }
    }

    @inlinable public func isKnown(_ dwarfNumber: Int) -> Bool {
        dwarfNumber >= 0 && dwarfNumber < 33 && known & 1 << UInt64(dwarfNumber) != 0
    }

    /// rip, pc.
    @inlinable public var programCounter: UInt64 {
        get { values[architecture.programCounterNumber] }
        set { self[architecture.programCounterNumber] = newValue }
    }

    /// rsp, sp.
    @inlinable public var stackPointer: UInt64 {
        get { values[architecture.stackPointerNumber] }
        set { self[architecture.stackPointerNumber] = newValue }
    }

    /// rbp, x29; in code without frame pointers any value.
    @inlinable public var framePointer: UInt64 {
        get { values[architecture.framePointerNumber] }
        set { self[architecture.framePointerNumber] = newValue }
    }

    mutating func forget(_ number: Int) {
        known &= ~(1 << UInt64(number))
        values[number] = 0
    }
}
