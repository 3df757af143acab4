/// How the unwinding of a stack ended; the frames found until then are valid in each case.
public enum UnwindOutcome: Hashable, Sendable {
    /// At the outermost frame.
    case whole
    /// At the end of the stack's copy.
    case cut
    /// At the most frames that are followed.
    case tooDeep
    /// Where nothing credible says how to go on.
    case broken(BreakReason)
    /// At a module whose unwind sections are not there yet (`ModuleState.unknown` or `.waiting`).
    case waiting(file: UInt32)
}

/// Why a stack could not be followed to its end.
public enum BreakReason: UInt8, BitwiseCopyable, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// No call frame information for the address, and no frame pointer to follow.
    case noRule
    /// A return address that lies in no executable mapping.
    case outsideCode
    /// The call frame information contradicts itself, ends early or goes over a limit.
    case malformedRule
    /// A DWARF operation that is not supported, or needs what a stack's copy does not hold.
    case unsupportedRule
    /// The rule needs a register that no frame below has restored.
    case unknownRegister
    /// The next frame would lie at or below this one.
    case stackNotGrowing
    /// The rule needs memory that can't be this stack: below its copy, or very far above.
    case outsideStack
    /// The caller's frames lie on another stack: a signal handler has its own (sigaltstack), or a runtime goes over to
    /// another for some work.
    case otherStack
    /// A return address of zero where no end is known to be.
    case zeroReturnAddress
    /// The table of a module was not there in time.
    case noTable
    /// The frames of an interpreter that were read are of another moment than the sample.
    case interpreterMovedOn
    /// The frames of an interpreter could not be read, or not be trusted.
    case interpreterUnreadable
    /// The sample has no program counter or stack pointer.
    case noRegisters

    public var description: String {
        switch self {
        case .noRule: "no unwind rule"
        case .outsideCode: "return address outside code"
        case .malformedRule: "malformed unwind rule"
        case .unsupportedRule: "unsupported unwind rule"
        case .unknownRegister: "unknown register"
        case .stackNotGrowing: "stack pointer does not grow"
        case .outsideStack: "rule reads outside the stack"
        case .otherStack: "continues on another stack"
        case .zeroReturnAddress: "return address is zero"
        case .noTable: "unwind table not ready"
        case .interpreterMovedOn: "interpreter moved on"
        case .interpreterUnreadable: "interpreter not readable"
        case .noRegisters: "no registers"
        }
    }
}
