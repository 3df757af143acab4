/// Evaluates DWARF expressions (DWARF 5, 2.5) over registers and a stack's copy. Steps and stack are bounded: an
/// expression may jump backwards.
@safe struct ExpressionEvaluator: ~Copyable {
    private static let maximumSteps = 2048
    private static let maximumDepth = 64

    private let stack: UnsafeMutablePointer<UInt64>
    private var depth = 0
    /// Operations that may still be carried out; whoever follows a stack sets it.
    var budget = 0

    init() {
        unsafe stack = .allocate(capacity: Self.maximumDepth)
        unsafe stack.initialize(repeating: 0, count: Self.maximumDepth)
    }

    deinit {
        unsafe stack.deallocate()
    }

    /// `initial`: pushed first (a register's rule begins with the CFA on the stack). `bias`: from the file's addresses
    /// to the process's.
    mutating func evaluate(
        _ place: CallFrameRow.Place, in section: SectionBytes, registers: borrowing UserRegisters,
        stackCopy: borrowing StackCopy, initial: UInt64?, bias: UInt64
    ) throws(StepFailure) -> UInt64 {
        depth = 0
        if let initial { try push(initial) }
        let end = place.offset + place.count
        var cursor = SectionCursor(section, from: place.offset, to: end)
        var steps = 0
        while !cursor.isAtEnd {
            steps += 1
            budget -= 1
            guard steps <= Self.maximumSteps, budget > 0 else { throw .broken(.malformedRule) }
            let code = try cursor.read(UInt8.self)
            switch code {
            case 0x03: try push(try cursor.read(UInt64.self) &+ bias)
            case 0x06: try push(try stackCopy.word(at: try pop()))
            case 0x94:
                let size = UInt64(try cursor.read(UInt8.self))
                try push(try stackCopy.value(at: try pop(), size: size))
            case 0x08...0x11: try push(try Self.constant(code, &cursor))
            case 0x30...0x4F: try push(UInt64(code - 0x30))
            case 0x70...0x8F: try push(try Self.register(UInt64(code - 0x70), registers) &+ Self.offset(&cursor))
            case 0x92: try push(try Self.register(try cursor.readUnsigned(), registers) &+ Self.offset(&cursor))
            case 0x28, 0x2F:
                let distance = Int(try cursor.read(Int16.self))
                if code == 0x28, try pop() == 0 { continue }
                let target = cursor.position + distance
                guard target >= place.offset, target <= end else { throw .broken(.malformedRule) }
                cursor.position = target
            case 0x96: continue
            // DW_OP_call_frame_cfa; DW_OP_stack_value, which ends an expression.
            case 0x9C:
                guard let initial else { throw .broken(.malformedRule) }
                try push(initial)
            case 0x9F: return try pop()
            default: try operate(code, &cursor)
            }
        }
        return try pop()
    }

    private static func register(_ number: UInt64, _ registers: borrowing UserRegisters) throws(StepFailure) -> UInt64 {
        guard number < UInt64(registers.architecture.registerCount) else { throw .broken(.unsupportedRule) }
        guard registers.isKnown(Int(number)) else { throw .broken(.unknownRegister) }
        return registers[Int(number)]
    }

    private static func offset(_ cursor: inout SectionCursor) throws(StepFailure) -> UInt64 {
        UInt64(bitPattern: try cursor.readSigned())
    }

    private static func constant(_ code: UInt8, _ cursor: inout SectionCursor) throws(StepFailure) -> UInt64 {
        switch code {
        case 0x08: UInt64(try cursor.read(UInt8.self))
        case 0x09: UInt64(bitPattern: Int64(try cursor.read(Int8.self)))
        case 0x0A: UInt64(try cursor.read(UInt16.self))
        case 0x0B: UInt64(bitPattern: Int64(try cursor.read(Int16.self)))
        case 0x0C: UInt64(try cursor.read(UInt32.self))
        case 0x0D: UInt64(bitPattern: Int64(try cursor.read(Int32.self)))
        case 0x0E, 0x0F: try cursor.read(UInt64.self)
        case 0x10: try cursor.readUnsigned()
        default: UInt64(bitPattern: try cursor.readSigned())
        }
    }

    /// What takes its operands from the stack.
    private mutating func operate(_ code: UInt8, _ cursor: inout SectionCursor) throws(StepFailure) {
        switch code {
        case 0x12: try push(try peek(0))
        case 0x13: _ = try pop()
        case 0x14: try push(try peek(1))
        case 0x15: try push(try peek(Int(try cursor.read(UInt8.self))))
        case 0x16:
            let (top, second) = (try pop(), try pop())
            try push(top)
            try push(second)
        case 0x17:
            let (top, second, third) = (try pop(), try pop(), try pop())
            try push(top)
            try push(third)
            try push(second)
        case 0x19:
            let value = Int64(bitPattern: try pop())
            try push(value.magnitude)
        case 0x1F: try push(0 &- (try pop()))
        case 0x20: try push(~(try pop()))
        case 0x23: try push(try pop() &+ cursor.readUnsigned())
        case 0x1A...0x1E, 0x21, 0x22, 0x24...0x27, 0x29...0x2E:
            let right = try pop()
            let left = try pop()
            try push(try Self.combine(code, left, right))
        default: throw .broken(.unsupportedRule)
        }
    }

    private static func combine(_ code: UInt8, _ left: UInt64, _ right: UInt64) throws(StepFailure) -> UInt64 {
        let (signedLeft, signedRight) = (Int64(bitPattern: left), Int64(bitPattern: right))
        switch code {
        case 0x1A: return left & right
        case 0x1B:
            guard right != 0 else { throw .broken(.malformedRule) }
            return UInt64(bitPattern: signedLeft.dividedReportingOverflow(by: signedRight).partialValue)
        case 0x1C: return left &- right
        case 0x1D:
            guard right != 0 else { throw .broken(.malformedRule) }
            return left % right
        case 0x1E: return left &* right
        case 0x21: return left | right
        case 0x22: return left &+ right
        case 0x24: return right < 64 ? left << right : 0
        case 0x25: return right < 64 ? left >> right : 0
        case 0x26: return UInt64(bitPattern: signedLeft >> Int64(min(right, 63)))
        case 0x27: return left ^ right
        case 0x29: return signedLeft == signedRight ? 1 : 0
        case 0x2A: return signedLeft >= signedRight ? 1 : 0
        case 0x2B: return signedLeft > signedRight ? 1 : 0
        case 0x2C: return signedLeft <= signedRight ? 1 : 0
        case 0x2D: return signedLeft < signedRight ? 1 : 0
        default: return signedLeft != signedRight ? 1 : 0
        }
    }

    private mutating func push(_ value: UInt64) throws(StepFailure) {
        guard depth < Self.maximumDepth else { throw .broken(.malformedRule) }
        unsafe stack[depth] = value
        depth += 1
    }

    private mutating func pop() throws(StepFailure) -> UInt64 {
        guard depth > 0 else { throw .broken(.malformedRule) }
        depth -= 1
        return unsafe stack[depth]
    }

    private func peek(_ index: Int) throws(StepFailure) -> UInt64 {
        guard index < depth else { throw .broken(.malformedRule) }
        return unsafe stack[depth - 1 - index]
    }
}
