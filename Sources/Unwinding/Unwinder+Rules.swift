/// Finding the rule for an address.
extension Unwinder {
    /// What the sections of a module say for an address; failures are rules too, so that they are remembered.
    mutating func makeRule(
        _ view: UnsafePointer<TableView>, _ distance: UInt32, isReturnAddress: Bool
    ) -> UnwindRule {
        let table = unsafe view.pointee
        if isReturnAddress, let root = table.stackRoot(at: distance) {
            guard root == .start else { return .failed(.otherStack) }
            var rule = UnwindRule()
            rule.kind = .end
            return rule
        }
        if let rule = describedRule(table, distance, isReturnAddress: isReturnAddress) { return rule }
        if isReturnAddress, let next = trampolineRule(table, after: distance) { return next }
        if table.isTrampoline(distance) {
            var rule = UnwindRule()
            rule.kind = .signalContext
            return rule
        }
        if let pushed = table.stubBytes(at: distance) {
            return .returnAddressAtStackPointer(frameBytes: pushed, architecture, origin: .callFrameInformation)
        }
        let address = table.base &+ UInt64(distance)
        if table.entryPoint != 0, address &- table.entryPoint < 64 {
            // The kernel jumps here: nobody called it.
            var rule = UnwindRule()
            rule.kind = .end
            return rule
        }
        return framelessRule(table, distance, isReturnAddress: isReturnAddress) ?? UnwindRule()
    }

    /// What the code itself says, where it was kept.
    private mutating func framelessRule(
        _ table: TableView, _ distance: UInt32, isReturnAddress: Bool
    ) -> UnwindRule? {
        guard let code = table.code(at: distance) else { return nil }
        instructionsLeft -= Self.instructionsPerAnalysis
        return unsafe UnwindRule(
            FramelessAnalysis.rule(
                at: UInt64(distance) + (isReturnAddress ? 1 : 0), code: RawSpan(_unsafeBytes: code.bytes.buffer),
                codeAddress: UInt64(code.start), functionStart: code.functionStart.map { UInt64($0) },
                architecture: architecture, followsCall: isReturnAddress), architecture)
    }

    private mutating func describedRule(
        _ table: TableView, _ distance: UInt32, isReturnAddress: Bool
    ) -> UnwindRule? {
        guard let entry = table.entry(for: distance) else { return nil }
        let address = table.base &+ UInt64(distance)
        do throws(StepFailure) {
            let (section, description) = try table.description(ofEntry: entry)
            guard address >= description.start, address < description.end else { return nil }
            // A handler's return address is the trampoline's first byte: the byte before it is another function's.
            if isReturnAddress, address + 1 == description.end, !description.common.isSignal,
                let next = trampolineRule(table, after: distance)
            {
                return next
            }
            if architecture == .aarch64, description.common.isSignal,
                table.isTrampoline(distance) || isReturnAddress && table.isTrampoline(distance &+ 1)
            {
                // The kernel's vDSO describes the frame record that it writes, whose return address is the interrupted
                // function's link register; the program counter is in the context.
                var rule = UnwindRule()
                rule.kind = .signalContext
                return rule
            }
            try run(section, description, address)
            return UnwindRule(
                program.row, in: section.bytes, entry: entry, address: address,
                returnAddressRegister: description.common.returnAddressRegister,
                isSignal: description.common.isSignal, architecture)
        } catch {
            guard case .broken(let reason) = error else { return .failed(.malformedRule) }
            return .failed(reason)
        }
    }

    /// The rule of a signal trampoline that begins right after the address.
    private mutating func trampolineRule(_ table: TableView, after distance: UInt32) -> UnwindRule? {
        let next = distance &+ 1
        guard next != 0 else { return nil }
        if table.isTrampoline(next) {
            var rule = UnwindRule()
            rule.kind = .signalContext
            return rule
        }
        let address = table.base &+ UInt64(next)
        guard let entry = table.entry(for: next), let (section, description) = try? table.description(ofEntry: entry),
            description.common.isSignal, address >= description.start, address < description.end,
            (try? run(section, description, address)) != nil
        else { return nil }
        var rule = UnwindRule(
            program.row, in: section.bytes, entry: entry, address: address,
            returnAddressRegister: description.common.returnAddressRegister, isSignal: true, architecture)
        rule.isNextAddress = true
        return rule
    }

    mutating func run(
        _ section: FrameSection, _ description: FrameSection.Description, _ address: UInt64
    ) throws(StepFailure) {
        let allowed = min(Self.instructionsPerRule, instructionsLeft)
        program.budget = allowed
        defer { instructionsLeft -= allowed - max(program.budget, 0) }
        try program.run(description, in: section, upTo: address)
    }
}
