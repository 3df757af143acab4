/// From a frame to its caller where no call frame information says how.
extension Unwinder {
    /// Code of a file without a rule.
    mutating func stepWithoutRule(
        _ state: inout StackState, _ copy: borrowing StackCopy, _ mappings: Span<CodeMapping>,
        _ runtimeCode: borrowing RuntimeCode?
    ) throws(StepFailure) -> UnwindOutcome? {
        if let end = try stepRuntimeCode(&state, copy, mappings, runtimeCode) { return end.outcome }
        guard let caller = try framePointerCaller(state, copy, mappings, runtimeCode) else { throw .broken(.noRule) }
        return followFramePointer(caller, &state)
    }

    /// Code in no mapped file: made at run time, or a jump to nowhere.
    mutating func stepOutsideFiles(
        _ state: inout StackState, _ copy: borrowing StackCopy, _ mappings: Span<CodeMapping>,
        _ runtimeCode: borrowing RuntimeCode?
    ) throws(StepFailure) -> UnwindOutcome? {
        if let end = try stepRuntimeCode(&state, copy, mappings, runtimeCode) { return end.outcome }
        if state.isReturnAddress {
            guard let caller = try framePointerCaller(state, copy, mappings, runtimeCode) else {
                // Code without a frame pointer can't be told from no code at all.
                frames.removeLast()
                throw .broken(state.registers.programCounter == 0 ? .zeroReturnAddress : .outsideCode)
            }
            return followFramePointer(caller, &state)
        }
        // The first page is never mapped: a call through a null pointer, which has built no frame.
        if state.registers.programCounter >= 4096,
            let caller = try framePointerCaller(state, copy, mappings, runtimeCode)
        {
            return followFramePointer(caller, &state)
        }
        return try stepLeaf(&state, copy, mappings, runtimeCode)
    }

    /// A function that has not touched its stack yet: return address at the stack pointer, in x30.
    private mutating func stepLeaf(
        _ state: inout StackState, _ copy: borrowing StackCopy, _ mappings: Span<CodeMapping>,
        _ runtimeCode: borrowing RuntimeCode?
    ) throws(StepFailure) -> UnwindOutcome? {
        let stackPointer = state.registers.stackPointer
        var target: UInt64
        if architecture == .x86_64 {
            target = try copy.word(at: stackPointer)
        } else {
            guard state.registers.isKnown(30) else { throw .broken(.outsideCode) }
            target = PointerAuthentication.strip(state.registers[30])
        }
        guard target != 0, isCode(target &- 1, mappings, runtimeCode) else { throw .broken(.outsideCode) }
        return finish(
            &state, programCounter: target, stackPointer: architecture == .x86_64 ? stackPointer &+ 8 : stackPointer,
            origin: .leaf, isSignal: false)
    }

    /// Frames of a size that the runtime told; nil where the address is in none of its ranges.
    private mutating func stepRuntimeCode(
        _ state: inout StackState, _ copy: borrowing StackCopy, _ mappings: Span<CodeMapping>,
        _ runtimeCode: borrowing RuntimeCode?
    ) throws(StepFailure) -> (outcome: UnwindOutcome?, Void)? {
        guard let range = Self.range(runtimeCode, state.registers.programCounter &- (state.isReturnAddress ? 1 : 0))
        else { return nil }
        let stackPointer = state.registers.stackPointer
        if !state.isReturnAddress, state.registers.programCounter - range.start < UInt64(range.completeOffset) {
            return (try stepLeaf(&state, copy, mappings, runtimeCode), ())
        }
        if range.isInterpreter {
            if let caller = try interpreterCaller(state, copy, mappings, runtimeCode) {
                frames[frames.count &- 1].framePointer = state.registers.framePointer
                return (followFramePointer(caller, &state, origin: .runtimeCode), ())
            }
            throw .broken(.noRule)
        }
        if range.frameBytes == 0 {
            guard let caller = try framePointerCaller(state, copy, mappings, runtimeCode) else {
                throw .broken(.noRule)
            }
            return (followFramePointer(caller, &state, origin: .runtimeCode), ())
        }
        // Return address and the caller's frame pointer are what such code saves first.
        let frameAddress = stackPointer &+ UInt64(range.frameBytes)
        guard frameAddress > stackPointer else { throw .broken(.stackNotGrowing) }
        let target = try copy.word(at: frameAddress &- 8)
        if range.frameBytes >= 16, range.savesFramePointer {
            let framePointer = try copy.word(at: frameAddress &- 16)
            keepOnlyFramePointer(&state, framePointer)
        }
        return (
            finish(
                &state, programCounter: architecture == .aarch64 ? PointerAuthentication.strip(target) : target,
                stackPointer: frameAddress, origin: .runtimeCode, isSignal: false), ()
        )
    }

    /// Whether what code analysis says is credible: it may be led astray where no description would be. What can't be
    /// read is left to the step itself.
    func leadsToCode(
        _ rule: UnwindRule, _ state: borrowing StackState, _ copy: borrowing StackCopy, _ mappings: Span<CodeMapping>,
        _ runtimeCode: borrowing RuntimeCode?
    ) -> Bool {
        let slot = RegisterSlots.returnAddress(architecture)
        guard rule.saved >> UInt16(slot) & 1 != 0 else { return true }
        let frameAddress = state.registers[Int(rule.base)] &+ UInt64(bitPattern: Int64(rule.offset))
        let place = frameAddress &+ UInt64(bitPattern: Int64(rule.offsets[slot]) * 8)
        do throws(StepFailure) {
            var target = try copy.word(at: place)
            if architecture == .aarch64 { target = PointerAuthentication.strip(target) }
            return target != 0 && isCode(target &- 1, mappings, runtimeCode)
        } catch {
            return error == .cut
        }
    }

    struct Caller {
        var programCounter: UInt64
        var stackPointer: UInt64
        var framePointer: UInt64
    }

    /// What the frame pointer leads to, where that is credible: in the copy, aligned, above the stack pointer, with a
    /// return address in code, or the zeros of the outermost frame.
    func framePointerCaller(
        _ state: borrowing StackState, _ copy: borrowing StackCopy, _ mappings: Span<CodeMapping>,
        _ runtimeCode: borrowing RuntimeCode?
    ) throws(StepFailure) -> Caller? {
        guard state.registers.isKnown(architecture.framePointerNumber) else { return nil }
        let framePointer = state.registers.framePointer
        if framePointer == 0 {
            // The ABIs' mark of the outermost frame; in a first frame it may be any function's scratch value.
            guard state.isReturnAddress else { return nil }
            return Caller(programCounter: 0, stackPointer: state.registers.stackPointer, framePointer: 0)
        }
        guard framePointer >= state.registers.stackPointer, framePointer % 8 == 0,
            framePointer - state.registers.stackPointer < 1 << 26
        else { return nil }
        let next = try copy.word(at: framePointer)
        var target = try copy.word(at: framePointer &+ 8)
        if architecture == .aarch64 { target = PointerAuthentication.strip(target) }
        if target == 0 {
            guard next == 0 else { return nil }
        } else {
            guard isCode(target &- 1, mappings, runtimeCode) else { return nil }
        }
        return Caller(programCounter: target, stackPointer: framePointer &+ 16, framePointer: next)
    }

    /// As `framePointerCaller`, with the stack pointer that the interpreter was entered with.
    private func interpreterCaller(
        _ state: borrowing StackState, _ copy: borrowing StackCopy, _ mappings: Span<CodeMapping>,
        _ runtimeCode: borrowing RuntimeCode?
    ) throws(StepFailure) -> Caller? {
        guard var caller = try framePointerCaller(state, copy, mappings, runtimeCode),
            // Only the outermost frame of all has none.
            state.registers.framePointer != 0
        else { return nil }
        let framePointer = state.registers.framePointer
        guard framePointer >= state.registers.stackPointer &+ 8 else { return nil }
        let sender = try copy.word(at: framePointer &- 8)
        // Arguments of the callee may lie between; they are few.
        guard sender >= caller.stackPointer, sender - caller.stackPointer < 1 << 20 else { return nil }
        caller.stackPointer = sender
        return caller
    }

    mutating func followFramePointer(
        _ caller: Caller, _ state: inout StackState, origin: UnwoundFrame.Origin = .framePointer
    ) -> UnwindOutcome? {
        keepOnlyFramePointer(&state, caller.framePointer)
        let outcome = finish(
            &state, programCounter: caller.programCounter, stackPointer: caller.stackPointer, origin: origin,
            isSignal: false)
        // On aarch64 the record lies at the frame's low end: where the caller's stack pointer was is not known.
        if architecture == .aarch64 { state.registers.known &= ~(1 << UInt64(architecture.stackPointerNumber)) }
        return outcome
    }

    private func keepOnlyFramePointer(_ state: inout StackState, _ value: UInt64) {
        state.registers.known = 0
        state.registers[architecture.framePointerNumber] = value
    }

    private func isCode(
        _ address: UInt64, _ mappings: Span<CodeMapping>, _ runtimeCode: borrowing RuntimeCode?
    ) -> Bool {
        var low = 0
        var high = mappings.count
        while low < high {
            let middle = (low &+ high) >> 1
            if mappings[middle].end <= address { low = middle &+ 1 } else { high = middle }
        }
        if low < mappings.count, mappings[low].start <= address { return true }
        return Self.range(runtimeCode, address) != nil
    }

    private static func range(_ runtimeCode: borrowing RuntimeCode?, _ address: UInt64) -> RuntimeCode.Range? {
        switch runtimeCode {
        case .some(let code): code.range(holding: address)
        case .none: nil
        }
    }
}
