/// What is known of the stack at one place of one path through the code.
///
/// Each followed register has a value: what some register was where the path began, plus an offset; or what memory
/// held at such a place; or a number; or nothing known. Instructions change these values as the processor would.
struct FramelessState: BitwiseCopyable {
    struct Value: BitwiseCopyable, Equatable {
        enum Kind: UInt8, BitwiseCopyable, Sendable { case unknown, initial, loaded, number }
        var kind = Kind.unknown
        /// Of `initial`: which register's; of `loaded`: which register's initial value the place is counted from.
        var register: UInt8 = 0
        var offset: Int32 = 0

        static var unknown: Value { Value() }

        func adding(_ amount: Int64) -> Value {
            guard kind == .initial || kind == .number, let offset = Int32(exactly: Int64(offset) &+ amount) else {
                return .unknown
            }
            return Value(kind: kind, register: register, offset: offset)
        }
    }

    let architecture: UserArchitecture
    private var values: InlineArray<16, Value>
    /// Where a register's value has been put, and that value, as far as it may be the caller's.
    private var stored: InlineArray<16, Value>
    private var storedValues: InlineArray<16, Value>
    /// The stack pointer at the last call that the path came over; `unknown` where there was none.
    private(set) var lastCall = Value.unknown
    /// No code that keeps to the ABI does what this path shows: some call on it doesn't return.
    private(set) var isContradictory = false

    var stackPointerIndex: UInt8 {
        architecture == .x86_64 ? InstructionX86.stackPointer : InstructionAArch64.stackPointer
    }
    var framePointerIndex: UInt8 {
        architecture == .x86_64 ? InstructionX86.framePointer : InstructionAArch64.framePointer
    }

    /// - Parameter followsCall: the path begins where a call returns to.
    init(_ architecture: UserArchitecture, followsCall: Bool) {
        self.architecture = architecture
        values = InlineArray { Value(kind: .initial, register: UInt8($0), offset: 0) }
        stored = InlineArray(repeating: .unknown)
        storedValues = InlineArray(repeating: .unknown)
        if followsCall {
            passCall()
        } else if architecture == .aarch64 {
            for scratch in 13..<16 { values[scratch] = .unknown }
        }
    }

    subscript(register: UInt8) -> Value {
        get { register < 16 ? values[Int(register)] : .unknown }
        set { if register < 16 { values[Int(register)] = newValue } }
    }

    /// Where the register's initial value has been put and still is.
    func place(of register: UInt8) -> Value {
        guard register < 16, storedValues[Int(register)] == Self.initial(register) else { return .unknown }
        return stored[Int(register)]
    }

    static func initial(_ register: UInt8) -> Value { Value(kind: .initial, register: register, offset: 0) }

    var stackPointer: Value { self[stackPointerIndex] }

    // MARK: Steps

    /// The effect of an instruction on values; its effect on the flow is the caller's part.
    mutating func apply(_ instruction: Instruction) {
        switch instruction.effect {
        case .none, .landing, .ret, .jump, .conditionalJump, .indirectJump, .importJump, .stop: break
        case .write:
            self[instruction.register] = .unknown
            self[instruction.second] = .unknown
        case .copy: self[instruction.register] = self[instruction.base].adding(instruction.value)
        case .constant: self[instruction.register] = number(instruction.value)
        case .constantPart:
            let old = self[instruction.register]
            guard old.kind == .number, (0..<32).contains(instruction.writeback) else {
                self[instruction.register] = .unknown
                break
            }
            let kept = Int64(old.offset) & ~(0xFFFF << Int64(instruction.writeback))
            self[instruction.register] = number(kept | instruction.value << Int64(instruction.writeback))
        case .addRegister, .subtractRegister:
            let amount = self[instruction.second]
            guard amount.kind == .number, instruction.base != instruction.second else {
                self[instruction.register] = .unknown
                break
            }
            let sign: Int64 = instruction.effect == .addRegister ? 1 : -1
            self[instruction.register] = self[instruction.base].adding(sign * Int64(amount.offset))
        case .store:
            let place = self[instruction.base].adding(instruction.value)
            store(instruction.register, at: place)
            store(instruction.second, at: place.adding(8))
            if instruction.writeback != 0 { moveBase(instruction) }
        case .load:
            let place = self[instruction.base].adding(instruction.value)
            if instruction.writeback != 0 { moveBase(instruction) }
            load(instruction.register, from: place)
            load(instruction.second, from: place.adding(8))
        case .leave:
            let frame = self[framePointerIndex]
            load(framePointerIndex, from: frame)
            self[stackPointerIndex] = frame.adding(8)
        case .enter:
            let frame = stackPointer.adding(-8)
            store(framePointerIndex, at: frame)
            self[framePointerIndex] = frame
            self[stackPointerIndex] = frame.adding(-instruction.value)
        case .call:
            passCall()
        }
    }

    private func number(_ value: Int64) -> Value {
        guard let offset = Int32(exactly: value) else { return .unknown }
        return Value(kind: .number, register: 0, offset: offset)
    }

    private mutating func moveBase(_ instruction: Instruction) {
        self[instruction.base] = self[instruction.base].adding(Int64(instruction.writeback))
    }

    private mutating func store(_ register: UInt8, at place: Value) {
        guard register < 16, place.kind == .initial else { return }
        let value = self[register]
        // What was loaded may be the caller's value as well, on a path that leads through a tail call; but it doesn't
        // displace what is surely the caller's.
        if value == Self.initial(register)
            || value.kind == .loaded && stored[Int(register)].kind == .unknown
        {
            stored[Int(register)] = place
            storedValues[Int(register)] = value
        }
    }

    private mutating func load(_ register: UInt8, from place: Value) {
        guard register < 16 else { return }
        guard place.kind == .initial else {
            self[register] = .unknown
            return
        }
        if stored[Int(register)] == place {
            self[register] = storedValues[Int(register)]
            // Once taken back, the slot is free for other things.
            stored[Int(register)] = .unknown
        } else {
            self[register] = Value(kind: .loaded, register: place.register, offset: place.offset)
        }
    }

    /// A called function keeps the callee-saved registers alone.
    private mutating func passCall() {
        // The stack is aligned to 16 bytes at every call (System V ABI, x86-64, 3.2.2). Where two calls on a path differ in
        // that, the path has left its function.
        let here = stackPointer
        if lastCall.kind == .initial, here.register == lastCall.register, (here.offset &- lastCall.offset) & 15 != 0 {
            isContradictory = true
        }
        lastCall = here
        switch architecture {
        case .x86_64:
            // rax, rcx, rdx, rsi, rdi, r8…r11
            for register in 0..<12 where (3...5).contains(register) == false { values[register] = .unknown }
        case .aarch64:
            values[Int(InstructionAArch64.linkRegister)] = .unknown
            for scratch in 13..<16 { values[scratch] = .unknown }
        }
    }
}
