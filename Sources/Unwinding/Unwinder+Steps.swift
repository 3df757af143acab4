/// From a frame to its caller by a rule.
extension Unwinder {
    /// The shapes that need no parsing.
    @inline(__always)
    mutating func apply(
        _ rule: UnsafePointer<UnwindRule>, _ state: inout StackState, _ copy: borrowing StackCopy
    ) throws(StepFailure) -> UnwindOutcome? {
        let base = unsafe state.registers.values[Int(rule.pointee.base)]
        var frameAddress = unsafe base &+ UInt64(bitPattern: Int64(rule.pointee.offset))
        let kind = unsafe rule.pointee.kind
        if kind != .register { frameAddress = try copy.word(at: frameAddress) }
        let stackPointer = state.registers.stackPointer
        let isSignal = unsafe rule.pointee.isSignal
        try checkGrowth(from: stackPointer, to: frameAddress, state, isSignal: isSignal)
        let returnSlot = RegisterSlots.returnAddress(architecture)
        let saved = unsafe rule.pointee.saved
        var programCounter: UInt64
        if saved >> UInt16(returnSlot) & 1 != 0 {
            programCounter = try copy.word(at: unsafe Self.place(rule, returnSlot, frameAddress))
        } else {
            let number = architecture.returnAddressNumber
            guard architecture == .aarch64, state.registers.isKnown(number) else { throw .broken(.unknownRegister) }
            programCounter = state.registers.values[number]
        }
        if architecture == .aarch64 { programCounter = PointerAuthentication.strip(programCounter) }
        let savedFrom = kind == .realigned ? base : frameAddress
        var rest = saved & ~(1 << UInt16(returnSlot))
        while rest != 0 {
            let slot = rest.trailingZeroBitCount
            rest &= rest &- 1
            let place = unsafe Self.place(rule, slot, savedFrom)
            // What lies below the stack pointer has been taken back already (an epilogue without CFI for its pops): the
            // register itself holds the value.
            if place < stackPointer { continue }
            let number = RegisterSlots.register(slot, architecture)
            state.registers.values[number] = try copy.word(at: place)
            state.registers.known |= 1 << UInt64(number)
        }
        var undefined = unsafe rule.pointee.undefined
        while undefined != 0 {
            state.registers.forget(RegisterSlots.register(undefined.trailingZeroBitCount, architecture))
            undefined &= undefined &- 1
        }
        return finish(
            &state, programCounter: programCounter, stackPointer: frameAddress,
            origin: unsafe rule.pointee.origin, isSignal: isSignal)
    }

    @inline(__always)
    private static func place(_ rule: UnsafePointer<UnwindRule>, _ slot: Int, _ from: UInt64) -> UInt64 {
        from &+ UInt64(bitPattern: Int64(unsafe rule.pointee.offsets[slot]) &* 8)
    }

    /// Notes how the caller was found and makes it the frame in work.
    @inline(__always)
    mutating func finish(
        _ state: inout StackState, programCounter: UInt64, stackPointer: UInt64, origin: UnwoundFrame.Origin,
        isSignal: Bool
    ) -> UnwindOutcome? {
        let last = frames.count &- 1
        frames[last].origin = origin
        switch origin {
        case .callFrameInformation: counts.callFrameInformation &+= 1
        case .framePointer: counts.framePointer &+= 1
        case .frameless: counts.frameless &+= 1
        case .runtimeCode: counts.runtimeCode &+= 1
        case .leaf: counts.leaf &+= 1
        case .end: break
        }
        if isSignal {
            counts.signalFrames &+= 1
            frames[last].isSignal = true
            // A handler returns to the trampoline's first byte; nothing called from before it.
            if frames[last].isReturnAddress {
                frames[last].isReturnAddress = false
                frames[last].address &+= 1
            }
        } else if architecture == .aarch64 {
            // It held this frame's return address; the caller has its own elsewhere.
            state.registers.forget(30)
        }
        state.registers.values[architecture.stackPointerNumber] = stackPointer
        state.registers.known |= 1 << UInt64(architecture.stackPointerNumber)
        state.registers.values[architecture.programCounterNumber] = programCounter
        state.registers.known |= 1 << UInt64(architecture.programCounterNumber)
        state.isReturnAddress = !isSignal
        // Rules that are trusted lead to the end: the first frame of a thread has nowhere to return to.
        return programCounter == 0 && !state.isOnOtherStack ? .whole : nil
    }

    /// Frames lie above each other. A leaf may take no stack at all (aarch64; glibc's vfork, whose return address is in a
    /// register); a signal may come from another stack.
    @inline(__always)
    func checkGrowth(
        from stackPointer: UInt64, to next: UInt64, _ state: borrowing StackState, isSignal: Bool
    ) throws(StepFailure) {
        if next > stackPointer || isSignal { return }
        if next == stackPointer, !state.isReturnAddress { return }
        throw .broken(.stackNotGrowing)
    }

    /// The row as it is written, with its expressions.
    mutating func applyRow(
        _ rule: UnsafePointer<UnwindRule>, _ view: UnsafePointer<TableView>, _ distance: UInt32,
        _ state: inout StackState, _ copy: borrowing StackCopy
    ) throws(StepFailure) -> UnwindOutcome? {
        let address = unsafe view.pointee.base &+ UInt64(distance) &+ (rule.pointee.isNextAddress ? 1 : 0)
        let isSignal = unsafe rule.pointee.isSignal
        let (section, description) = try unsafe view.pointee.description(ofEntry: Int(rule.pointee.offset))
        try run(section, description, address)
        counts.wholeRows &+= 1
        let old = state.registers
        let stackPointer = old.stackPointer
        // The place of the sample or call, in the process: moved back as `address` is.
        let bias =
            old.programCounter &- (state.isReturnAddress ? 1 : 0) &- (unsafe view.pointee.base &+ UInt64(distance))
        let frameAddress: UInt64
        switch program.row.frameAddress {
        case .none: throw .broken(.malformedRule)
        case .register:
            let number = Int(program.row.register)
            guard old.isKnown(number) else { throw .broken(.unknownRegister) }
            frameAddress = old[number] &+ UInt64(bitPattern: program.row.value)
        case .expression:
            frameAddress = try evaluator.evaluate(
                CallFrameRow.Place(packed: program.row.value), in: section.bytes, registers: old, stackCopy: copy,
                initial: nil, bias: bias)
        }
        var registers = old
        registers[architecture.stackPointerNumber] = frameAddress
        for number in 0..<architecture.registerCount {
            let rule = program.row.rules[number]
            switch rule.kind {
            case .unspecified: continue
            case .sameValue:
                registers.values[number] = old.values[number]
                registers.known = registers.known & ~(1 << UInt64(number)) | old.known & 1 << UInt64(number)
            case .undefined: registers.forget(number)
            case .offset:
                let place = frameAddress &+ UInt64(bitPattern: rule.value)
                if place < stackPointer, !isSignal { continue }
                registers[number] = try copy.word(at: place)
            case .valueOffset: registers[number] = frameAddress &+ UInt64(bitPattern: rule.value)
            case .register:
                guard rule.value >= 0, rule.value < Int64(architecture.registerCount) else {
                    throw .broken(.unsupportedRule)
                }
                let from = Int(rule.value)
                if old.isKnown(from) { registers[number] = old[from] } else { registers.forget(number) }
            case .expression, .valueExpression:
                let value = try evaluator.evaluate(
                    CallFrameRow.Place(packed: rule.value), in: section.bytes, registers: old, stackCopy: copy,
                    initial: frameAddress, bias: bias)
                registers[number] = rule.kind == .expression ? try copy.word(at: value) : value
            }
        }
        let column = Int(description.common.returnAddressRegister)
        guard registers.isKnown(column) else { throw .broken(.unknownRegister) }
        let programCounter =
            architecture == .aarch64 ? PointerAuthentication.strip(registers[column]) : registers[column]
        try checkGrowth(from: stackPointer, to: registers.stackPointer, state, isSignal: isSignal)
        state.isOnOtherStack = isSignal && !isSameStack(registers.stackPointer, from: stackPointer)
        state.registers = registers
        return finish(
            &state, programCounter: programCounter, stackPointer: registers.stackPointer,
            origin: .callFrameInformation, isSignal: isSignal)
    }

    mutating func applySignalContext(
        _ state: inout StackState, _ copy: borrowing StackCopy
    ) throws(StepFailure) -> UnwindOutcome? {
        let stackPointer = state.registers.stackPointer
        var registers = UserRegisters(architecture)
        for number in 0..<architecture.registerCount {
            registers[number] = try copy.word(
                at: stackPointer &+ SignalContext.offset(ofRegister: number, architecture))
        }
        state.isOnOtherStack = !isSameStack(registers.stackPointer, from: stackPointer)
        state.registers = registers
        return finish(
            &state, programCounter: registers.programCounter, stackPointer: registers.stackPointer,
            origin: .callFrameInformation, isSignal: true)
    }

    /// A handler on its own stack (sigaltstack) leads to one that was not copied. The kernel puts its frame right below
    /// what was interrupted: context and vector registers, 64 KiB at most.
    private func isSameStack(_ next: UInt64, from stackPointer: UInt64) -> Bool {
        next > stackPointer && next - stackPointer < 1 << 16
    }
}

/// ARMv8.3's pointer authentication keeps a signature in the bits that an address does not use.
enum PointerAuthentication {
    /// Addresses of programs have 48 bits; larger ones only programs get that ask for them (52-bit addressing).
    static func strip(_ address: UInt64) -> UInt64 { address & 0x0000_FFFF_FFFF_FFFF }
}
