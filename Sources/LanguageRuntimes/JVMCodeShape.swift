internal import Unwinding

/// Cuts HotSpot's machine code (x86-64) into ranges by how far the stack pointer is from the call frame address.
///
/// HotSpot says how large a method's frame is when it is complete. But it is not there yet in the prologue, gone behind
/// the epilogue, and larger where code has pushed something: spilled registers of string comparisons, what slow paths of
/// barriers keep over a call. So the code is gone through from its first byte to its last; what pushes, pops and moves
/// the stack pointer is added up, and a branch takes what it finds to its target. Behind a return or jump that no branch
/// leads to, the frame is complete (a handler), or, in a piece of code that holds many stubs, another stub begins. A loop
/// that is entered by its middle is led to from behind alone: then the code is gone through once more.
struct JVMCodeShape {
    fileprivate struct State: Equatable {
        /// Bytes from the stack pointer to the call frame address; nil where the stack was aligned or moved otherwise.
        var height: Int32? = 8
        /// The frame pointer points to the word that holds the caller's.
        var isFramed = false
        /// The caller's frame pointer lies 16 bytes below the call frame address.
        var isFramePointerSaved = false
    }

    private let start: UInt64
    /// Of a complete frame; nil for pieces of many stubs.
    private let frameBytes: UInt32?
    private let isComplete: State
    /// What branches take to their places: index in `states` + 1, 0 for nothing; and `guessed` where the branch itself was
    /// not sure, or, without a state, where the place was passed so.
    private var targets: [UInt8]
    private static let guessed: UInt8 = 0x80
    private var states: [State] = []
    private(set) var ranges: [JVMCodeRange] = []

    private static let mostPasses = 4
    private static let mostStates = 62
    /// push rbp
    private static let pushFramePointer: UInt8 = 0x55

    /// - Parameters:
    ///   - frameBytes: Of the frame when it is complete, 16 at least; nil for code of many stubs.
    ///   - completeOffset: Where it is, by HotSpot's account.
    init(_ code: [UInt8], at start: UInt64, frameBytes: UInt32?, completeOffset: Int) {
        self.start = start
        self.frameBytes = frameBytes
        isComplete = frameBytes.map { State(height: Int32(clamping: $0), isFramePointerSaved: true) } ?? State()
        targets = [UInt8](repeating: 0, count: code.count)
        for _ in 0..<Self.mostPasses {
            ranges.removeAll(keepingCapacity: true)
            guard unsafe run(code.span.bytes, completeOffset) else { break }
        }
    }

    /// True where a branch back led to a place that had been passed without being sure.
    private mutating func run(_ code: RawSpan, _ completeOffset: Int) -> Bool {
        var isMoreKnown = false
        var position = 0
        var state = State()
        var hasFlowEnded = false
        // Nothing has told of this place yet, and a branch may still.
        var isGuess = false
        var isBuilt = frameBytes == nil || completeOffset <= 0
        var rangeStart = 0
        var rangeState = state
        /// Pushed by the instruction before, and popped by this one: a copy from stack to stack, not worth a range.
        var pushStart: (position: Int, before: State)?
        while position < code.byteCount {
            if hasFlowEnded || isGuess, targets[position] & ~Self.guessed > 0 {
                state = states[Int(targets[position] & ~Self.guessed) - 1]
                isGuess = targets[position] & Self.guessed != 0
            } else if hasFlowEnded {
                state = isBuilt ? isComplete : State()
                isGuess = true
            }
            // The next stub begins. What follows a return otherwise may be a loop that the stub enters by its middle.
            if isGuess, frameBytes == nil,
                unsafe code.unsafeLoad(fromByteOffset: position, as: UInt8.self) == Self.pushFramePointer
            {
                state = State()
                isGuess = false
            }
            if isGuess { targets[position] |= Self.guessed }
            hasFlowEnded = false
            if !isBuilt, position >= completeOffset {
                isBuilt = true
                if state.height != isComplete.height { state = isComplete }
            }
            let instruction = Instruction.decode(code, at: position, .x86_64)
            if state != rangeState {
                if let pushed = pushStart, pushed.before == rangeState, isPop(instruction) {
                    // Stays in the range before.
                } else {
                    add(rangeStart..<position, rangeState)
                    rangeStart = position
                    rangeState = state
                }
            }
            pushStart = nil
            guard instruction.length > 0 else {
                position += 1
                hasFlowEnded = true
                continue
            }
            let next = position + Int(instruction.length)
            switch instruction.effect {
            case .ret, .stop, .indirectJump, .importJump: hasFlowEnded = true
            case .jump:
                if lead(to: instruction.value, from: next, state, isGuess: isGuess) { isMoreKnown = true }
                hasFlowEnded = true
            case .conditionalJump:
                if lead(to: instruction.value, from: next, state, isGuess: isGuess) { isMoreKnown = true }
            default:
                let before = state
                state.apply(instruction)
                if isPush(instruction) { pushStart = (position, before) }
            }
            position = next
        }
        add(rangeStart..<code.byteCount, rangeState)
        return isMoreKnown
    }

    private func isPush(_ instruction: Instruction) -> Bool {
        instruction.effect == .store && instruction.base == InstructionX86.stackPointer && instruction.writeback == -8
    }

    private func isPop(_ instruction: Instruction) -> Bool {
        instruction.effect == .load && instruction.base == InstructionX86.stackPointer && instruction.writeback == 8
    }

    /// Notes what a branch takes to its target. The first that is sure counts: they agree in code that is sound. True
    /// where the target lies behind and nothing sure was known of it.
    private mutating func lead(to distance: Int64, from next: Int, _ state: State, isGuess: Bool) -> Bool {
        let (target, overflow) = next.addingReportingOverflow(Int(distance))
        guard !overflow, targets.indices.contains(target) else { return false }
        let known = targets[target]
        let isUnsure = known & Self.guessed != 0
        guard isGuess ? known == 0 && target >= next : isUnsure || known == 0 && target >= next else { return false }
        let place: Int
        if let index = states.firstIndex(of: state) {
            place = index + 1
        } else {
            guard states.count < Self.mostStates else { return false }
            states.append(state)
            place = states.count
        }
        targets[target] = UInt8(place) | (isGuess ? Self.guessed : 0)
        return target < next
    }

    private mutating func add(_ piece: Range<Int>, _ state: State) {
        guard !piece.isEmpty else { return }
        var range = JVMCodeRange(
            start: start + UInt64(piece.lowerBound), end: start + UInt64(piece.upperBound), frameBytes: 0,
            completeOffset: 0, kind: .framePointer)
        if let height = state.height, frameBytes != nil || !state.isFramed {
            if height > 8 {
                range.frameBytes = UInt32(height)
                range.kind = state.isFramePointerSaved ? .compiled : .pushed
            } else {
                range.completeOffset = UInt32(piece.count)
                range.kind = .frameless
            }
        } else if let frameBytes, !state.isFramed {
            range.frameBytes = frameBytes
            range.kind = .compiled
        }
        if let last = ranges.last, last.end == range.start, last.kind == range.kind, last.frameBytes == range.frameBytes
        {
            ranges[ranges.count - 1].end = range.end
            if last.kind == .frameless { ranges[ranges.count - 1].completeOffset += range.completeOffset }
        } else {
            ranges.append(range)
        }
    }
}

extension JVMCodeShape.State {
    /// No frame of HotSpot's is larger.
    private static var mostBytes: Int32 { 1 << 20 }

    mutating func apply(_ instruction: Instruction) {
        let stackPointer = InstructionX86.stackPointer
        let framePointer = InstructionX86.framePointer
        switch instruction.effect {
        case .copy where instruction.register == stackPointer && instruction.base == stackPointer:
            move(instruction.value)
        case .copy where instruction.register == stackPointer && instruction.base == framePointer && isFramed:
            height = 16
            move(instruction.value)
        case .copy where instruction.register == framePointer && instruction.base == stackPointer:
            isFramed = height == 16 && instruction.value == 0 && isFramePointerSaved
        case .store where instruction.base == stackPointer:
            let place = height.map { Int64($0) - instruction.value }
            move(Int64(instruction.writeback))
            if instruction.register == framePointer, place == 16, !isFramed { isFramePointerSaved = true }
        case .load where instruction.base == stackPointer:
            move(Int64(instruction.writeback))
            if instruction.register == framePointer { forgetFramePointer() }
            if instruction.register == stackPointer { height = nil }
        case .leave:
            height = 8
            forgetFramePointer()
        case .enter:
            move(-8)
            isFramePointerSaved = height == 16
            isFramed = height == 16
            move(-instruction.value)
        case .none, .landing, .call, .store, .ret, .stop, .jump, .conditionalJump, .indirectJump, .importJump: break
        case .write, .copy, .constant, .constantPart, .addRegister, .subtractRegister, .load:
            if instruction.register == stackPointer || instruction.second == stackPointer { height = nil }
            if instruction.register == framePointer || instruction.second == framePointer { isFramed = false }
        }
    }

    private mutating func forgetFramePointer() {
        isFramed = false
        if let height, height <= 8 { isFramePointerSaved = false }
    }

    /// The stack pointer moves by so many bytes.
    private mutating func move(_ bytes: Int64) {
        guard let old = height else { return }
        let new = Int64(old) &- bytes
        height = new >= 0 && new <= Int64(Self.mostBytes) ? Int32(new) : nil
        if new <= 8 { isFramePointerSaved = false }
    }
}
