/// Rules out of what a path has shown.
extension FramelessRule {
    /// At the end of a path from a function's start.
    ///
    /// - Parameter prefersFramePointer: where there is a frame as the ABI has it, say so, though the stack pointer's
    ///   place is known as well. A register is surer than a sum: a loop that reserves stack page by page is followed
    ///   once only.
    init?(entered state: FramelessState, prefersFramePointer: Bool = true) {
        let architecture = state.architecture
        let stackPointer = state.stackPointer
        let frame = state[state.framePointerIndex]
        // What is known counts from the stack pointer at the start.
        let base: Int64 = architecture == .x86_64 ? 8 : 0
        func isPlace(_ value: FramelessState.Value) -> Bool {
            value.kind == .initial && value.register == state.stackPointerIndex
        }
        // The caller's frame pointer lies where the frame pointer points to.
        let isFrame =
            isPlace(frame) && state.place(of: state.framePointerIndex) == frame
            && (prefersFramePointer || !isPlace(stackPointer))
        guard isPlace(stackPointer) || isFrame else { return nil }
        isFromFramePointer = isFrame
        let offset = base - Int64(isFrame ? frame.offset : stackPointer.offset)
        guard let offset = Int32(exactly: offset), offset >= base else { return nil }
        callFrameOffset = offset
        savedRegisters = SavedRegisters(architecture)
        returnAddressOffset = architecture == .x86_64 ? -8 : nil
        for register in UInt8(0)..<16 where isCalleeSaved(register, architecture) {
            let value = state[register]
            // A slot holds whichever way the address is reached; the register may have changed on another path.
            let place = state.place(of: register)
            if place.kind == .unknown, value == FramelessState.initial(register) {
                continue
            }
            savedRegisters.set(
                dwarfNumber(register, architecture), to: isPlace(place) ? Int64(place.offset) - base : nil)
        }
        if architecture == .aarch64 {
            returnAddressOffset = savedRegisters[30]
            if savedRegisters.isLost(30) { return nil }
        }
    }

    /// At a return, of a path that began at the address.
    init?(left state: FramelessState) {
        let architecture = state.architecture
        let stackPointer = state.stackPointer
        guard stackPointer.kind == .initial else { return nil }
        isFromFramePointer = stackPointer.register == state.framePointerIndex
        guard isFromFramePointer || stackPointer.register == state.stackPointerIndex else { return nil }
        let offset = Int64(stackPointer.offset) + (architecture == .x86_64 ? 8 : 0)
        guard stackPointer.offset >= 0, let offset = Int32(exactly: offset) else { return nil }
        // System V ABI, x86-64, 3.2.2: at a call the stack pointer is a multiple of 16; so at a return it is 8 more.
        let call = state.lastCall
        if architecture == .x86_64, call.kind == .initial, call.register == stackPointer.register,
            (stackPointer.offset &- call.offset) & 15 != 8
        {
            return nil
        }
        callFrameOffset = offset
        savedRegisters = SavedRegisters(architecture)
        returnAddressOffset = architecture == .x86_64 ? -8 : nil
        for register in UInt8(0)..<16 where isCalleeSaved(register, architecture) {
            let value = state[register]
            if value == FramelessState.initial(register) { continue }
            let isKnown =
                value.kind == .loaded && value.register == stackPointer.register
                && (isFromFramePointer || value.offset >= 0)
            savedRegisters.set(
                dwarfNumber(register, architecture), to: isKnown ? Int64(value.offset) - Int64(offset) : nil)
        }
        if architecture == .aarch64 {
            // A call has overwritten x30: a return without loading it anew is not this function's.
            returnAddressOffset = savedRegisters[30]
            if savedRegisters.isLost(30) { return nil }
        }
    }

    /// Whether two paths tell the same; registers may differ, since a path may never use them.
    func agrees(with other: FramelessRule) -> Bool {
        callFrameOffset == other.callFrameOffset && isFromFramePointer == other.isFromFramePointer
            && returnAddressOffset == other.returnAddressOffset
    }
}

/// The followed registers that a function must give back as it got them: rbx, rbp, r12…r15; x19…x30.
private func isCalleeSaved(_ register: UInt8, _ architecture: UserArchitecture) -> Bool {
    switch architecture {
    case .x86_64: register == 3 || register == 5 || register >= 12
    case .aarch64: register < 12
    }
}

private func dwarfNumber(_ register: UInt8, _ architecture: UserArchitecture) -> Int {
    switch architecture {
    case .x86_64: register == 5 ? 6 : Int(register)
    case .aarch64: Int(register) + 19
    }
}
