/// Finds from the code itself how far the stack pointer is from the CFA.
///
/// Two ways. Where the function's start is known, its instructions are followed forward from there to the address, and
/// what they push and reserve is added up. Else they are followed from the address to a return, and what they pop is
/// added up; a call that doesn't return leads such a path astray, so it is held against what the ABI demands (the stack
/// is aligned at calls), and several paths must agree. What stays unclear ends in nil.
enum FramelessAnalysis {
    /// Instructions that are looked at in each of the two ways.
    static let maximumInstructions = 1024
    /// Paths to a return that are asked.
    private static let wantedPaths = 2

    /// The rule for the frame whose program counter, or return address, is `address`.
    ///
    /// - Parameters:
    ///   - address: an instruction's first byte; the return address itself, not moved back.
    ///   - code: bytes of code around it, of one function or of many.
    ///   - codeAddress: the address of the first of them.
    ///   - functionStart: of the function that holds `address` (or the byte before it, for a return address). A part
    ///     that a compiler has split off (`.cold`) is no function: its start would mislead.
    ///   - followsCall: `address` is a return address.
    static func rule(
        at address: UInt64, code: RawSpan, codeAddress: UInt64, functionStart: UInt64?,
        architecture: UserArchitecture, followsCall: Bool = false
    ) -> FramelessRule? {
        guard address >= codeAddress, address - codeAddress <= UInt64(code.byteCount), code.byteCount < 1 << 31 else {
            return nil
        }
        let position = Int(address - codeAddress)
        if let functionStart, functionStart >= codeAddress, functionStart <= address,
            let rule = fromStart(Int(functionStart - codeAddress), to: position, code, architecture)
        {
            return rule
        }
        return toReturn(from: position, code, architecture, followsCall: followsCall)
    }

    // MARK: From the function's start

    static func fromStart(
        _ start: Int, to target: Int, _ code: RawSpan, _ architecture: UserArchitecture,
        prefersFramePointer: Bool = true
    ) -> FramelessRule? {
        var work = FramelessWorkList(FramelessState(architecture, followsCall: false))
        work.add(start, FramelessState(architecture, followsCall: false))
        var budget = maximumInstructions
        while let entry = work.takeNearest(target) {
            var position = Int(entry.position)
            var state = entry.state
            guard work.enter(position) else { continue }
            piece: while true {
                if position == target { return FramelessRule(entered: state, prefersFramePointer: prefersFramePointer) }
                guard budget > 0 else { return nil }
                budget -= 1
                let instruction = Instruction.decode(code, at: position, architecture)
                guard instruction.length > 0 else { break }
                position += Int(instruction.length)
                switch instruction.effect {
                case .ret, .stop, .indirectJump, .importJump: break piece
                case .jump:
                    guard let next = destination(instruction, from: position, within: start..<code.byteCount) else {
                        break piece
                    }
                    position = next
                    guard work.enter(position) else { break piece }
                case .conditionalJump:
                    guard let next = destination(instruction, from: position, within: start..<code.byteCount) else {
                        continue
                    }
                    // Towards the address first, past what can be left out.
                    if next > position, next <= target {
                        work.add(position, state, towards: target)
                        position = next
                        guard work.enter(position) else { break piece }
                    } else {
                        work.add(next, state, towards: target)
                    }
                default: state.apply(instruction)
                }
            }
        }
        return nil
    }

    // MARK: To a return

    static func toReturn(
        from start: Int, _ code: RawSpan, _ architecture: UserArchitecture, followsCall: Bool
    ) -> FramelessRule? {
        let initial = FramelessState(architecture, followsCall: followsCall)
        var work = FramelessWorkList(initial)
        work.add(start, initial)
        var budget = maximumInstructions
        var found: FramelessRule?
        var paths = 0
        while paths < wantedPaths, let entry = work.takeFirst() {
            var position = Int(entry.position)
            var state = entry.state
            guard work.enter(position) else { continue }
            var isStraight = false
            piece: while budget > 0 {
                budget -= 1
                let instruction = Instruction.decode(code, at: position, architecture)
                guard instruction.length > 0 else { break }
                position += Int(instruction.length)
                switch instruction.effect {
                case .stop, .indirectJump: break piece
                // Nobody falls into a function's start: the call before it doesn't return.
                case .landing where isStraight: break piece
                case .ret, .importJump:
                    guard let rule = FramelessRule(left: state) else { break piece }
                    guard found == nil || found?.agrees(with: rule) == true else { return nil }
                    found = found ?? rule
                    paths += 1
                    break piece
                case .jump:
                    guard let next = destination(instruction, from: position, within: 0..<code.byteCount) else {
                        // Out of what is there to look at: a tail call.
                        guard let rule = FramelessRule(left: state) else { break piece }
                        guard found == nil || found?.agrees(with: rule) == true else { return nil }
                        found = found ?? rule
                        paths += 1
                        break piece
                    }
                    position = next
                    guard work.enter(position) else { break piece }
                    isStraight = false
                    continue
                case .conditionalJump:
                    if let next = destination(instruction, from: position, within: 0..<code.byteCount) {
                        work.add(next, state)
                    }
                default: state.apply(instruction)
                }
                guard state.stackPointer.kind == .initial, !state.isContradictory else { break }
                isStraight = true
            }
        }
        return found
    }

    private static func destination(_ instruction: Instruction, from next: Int, within range: Range<Int>) -> Int? {
        let (position, overflow) = next.addingReportingOverflow(Int(instruction.value))
        return !overflow && range.contains(position) ? position : nil
    }
}
