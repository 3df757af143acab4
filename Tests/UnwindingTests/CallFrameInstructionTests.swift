import Testing

@testable import Unwinding

/// Hand-written call frame information, well formed and not.
@Suite struct CallFrameInstructionTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var name: String
        var instructions: [UInt8]
        var offset: UInt64 = 0x20
        var stack: [UInt64]
        var outcome = UnwindOutcome.whole
        /// Of the caller.
        var stackPointer: UInt64?
        var testDescription: String { name }
    }

    private static let breg7: UInt8 = 0x77
    private static let back = Scene.back

    static let cases = [
        Case(name: "nothing said", instructions: [], stack: [back], stackPointer: Scene.slot(1)),
        Case(
            name: "advance in four widths",
            instructions: CFA.advance(1) + CFA.defineOffset(16) + CFA.advance1(2) + CFA.defineOffset(24)
                + CFA.advance2(3) + CFA.defineOffset(32) + CFA.advance4(0x40) + CFA.defineOffset(800),
            stack: [0, 0, 0, back], stackPointer: Scene.slot(4)),
        Case(
            name: "rows end where the next begins", instructions: CFA.advance(0x20) + CFA.defineOffset(16),
            offset: 0x1F,
            stack: [back], stackPointer: Scene.slot(1)),
        Case(
            name: "set_loc",
            instructions: [0x01]
                // pcrel: from the operand's own place in the section; the CIE takes 24 bytes, the head 17 and the code 1.
                + CFA.little(UInt64(bitPattern: Int64(0x1010) - Int64(0x2000 + 24 + 17 + 1)), 4) + CFA.defineOffset(16),
            stack: [0, back], stackPointer: Scene.slot(2)),
        Case(
            name: "another register", instructions: CFA.define(6, 16),
            stack: [0, 0, 0, back], outcome: .broken(.stackNotGrowing)),
        Case(
            name: "signed forms",
            instructions: CFA.defineSigned(7, -3) + CFA.offsetSigned(16, 3), stack: [back, 0, 0],
            stackPointer: Scene.slot(3)),
        Case(
            name: "signed offset alone", instructions: CFA.defineOffsetSigned(-2), stack: [0, back],
            stackPointer: Scene.slot(2)),
        Case(
            name: "extended offset", instructions: CFA.defineOffset(32) + CFA.offsetExtended(16, 3),
            stack: [0, back, 0, 0], stackPointer: Scene.slot(4)),
        Case(
            name: "GNU's negative offset", instructions: CFA.negativeOffsetExtended(16, 1), stack: [0, 0, back],
            outcome: .whole, stackPointer: Scene.slot(1)),
        Case(name: "GNU's size of arguments", instructions: CFA.argumentsSize(99), stack: [back]),
        Case(
            name: "remember and restore, the CFA too",
            instructions: CFA.remember + CFA.defineOffset(64) + CFA.offset(16, 2) + CFA.restoreState, stack: [back],
            stackPointer: Scene.slot(1)),
        Case(
            name: "restore to the CIE's rule", instructions: CFA.offset(16, 5) + CFA.restore(16), stack: [back],
            stackPointer: Scene.slot(1)),
        Case(
            name: "extended restore", instructions: CFA.offset(16, 5) + [6, 16], stack: [back],
            stackPointer: Scene.slot(1)),
        Case(
            name: "stack pointer by its own rule", instructions: CFA.valueOffsetSigned(7, -2), stack: [back],
            stackPointer: Scene.slot(3)),
        Case(
            name: "stack pointer by an offset", instructions: CFA.define(7, 24) + CFA.valueOffset(7, 1),
            stack: [0, 0, back], stackPointer: Scene.slot(2)),
        Case(
            name: "CFA by an expression", instructions: CFA.defineExpression([breg7, 8, 0x23, 8]), stack: [0, back],
            stackPointer: Scene.slot(2)),
        Case(
            name: "CFA out of memory", instructions: CFA.defineExpression([breg7, 0, 0x06]),
            stack: [Scene.slot(3), 0, back], stackPointer: Scene.slot(3)),
        Case(
            name: "return address by an expression", instructions: CFA.expression(16, [breg7, 16]),
            stack: [0, 0, back], stackPointer: Scene.slot(1)),
        Case(
            name: "return address by a value", instructions: CFA.valueExpression(16, [breg7, 8, 0x06]),
            stack: [0, back], stackPointer: Scene.slot(1)),
        Case(
            name: "an expression with jumps, picks and comparisons",
            // rsp, 1, 2, over, swap, rot, drop, drop, plus 7, then a loop that counts 3 down to 0.
            instructions: CFA.defineExpression([
                breg7, 0, 0x31, 0x32, 0x14, 0x16, 0x17, 0x13, 0x13, 0x13, 0x23, 8, 0x33, 0x31, 0x1C, 0x12, 0x30, 0x2E,
                0x28, 0xF8, 0xFF, 0x13,
            ]), stack: [back], stackPointer: Scene.slot(1)),
        Case(name: "return address undefined", instructions: CFA.undefined(16), stack: []),
        Case(
            name: "an endless expression", instructions: CFA.defineExpression([0x2F, 0xFD, 0xFF]), stack: [back],
            outcome: .broken(.malformedRule)),
        Case(
            name: "an expression that grows without end", instructions: CFA.defineExpression([0x31, 0x2F, 0xFC, 0xFF]),
            stack: [back], outcome: .broken(.malformedRule)),
        Case(
            name: "an expression that jumps out", instructions: CFA.defineExpression([0x2F, 0xFF, 0x7F]),
            stack: [back], outcome: .broken(.malformedRule)),
        Case(
            name: "an expression over nothing", instructions: CFA.defineExpression([0x22]), stack: [back],
            outcome: .broken(.malformedRule)),
        Case(
            name: "an empty expression", instructions: CFA.defineExpression([]), stack: [back],
            outcome: .broken(.malformedRule)),
        Case(
            name: "division by zero", instructions: CFA.defineExpression([breg7, 0, 0x30, 0x1B]), stack: [back],
            outcome: .broken(.malformedRule)),
        Case(
            name: "an unknown operation", instructions: CFA.defineExpression([0xE5]), stack: [back],
            outcome: .broken(.unsupportedRule)),
        Case(
            name: "an expression longer than its section", instructions: [0x0F, 0xFF, 0x0F], stack: [back],
            outcome: .broken(.malformedRule)),
        Case(name: "an unknown instruction", instructions: [0x3F], stack: [back], outcome: .broken(.unsupportedRule)),
        Case(
            name: "restore without remember", instructions: CFA.restoreState, stack: [back],
            outcome: .broken(.malformedRule)),
        Case(
            name: "remember without end", instructions: [UInt8](repeating: 0x0A, count: 100), stack: [back],
            outcome: .broken(.malformedRule)),
        Case(
            name: "a LEB128 of 70 bits", instructions: [0x0E] + [UInt8](repeating: 0xFF, count: 9) + [0x7F],
            stack: [back], outcome: .broken(.malformedRule)),
        Case(
            name: "a LEB128 that does not end", instructions: [0x0E] + [UInt8](repeating: 0xFF, count: 40),
            stack: [back], outcome: .broken(.malformedRule)),
        Case(
            name: "an offset without a register", instructions: CFA.defineExpression([breg7, 8]) + CFA.defineOffset(8),
            stack: [back], outcome: .broken(.malformedRule)),
        Case(
            name: "an advance round the address space",
            instructions: [0x1D] + [UInt8](repeating: 0xFF, count: 8), stack: [back], outcome: .broken(.malformedRule)),
        Case(
            name: "a CFA below the stack pointer", instructions: CFA.defineSigned(7, 2), stack: [back],
            outcome: .broken(.stackNotGrowing)),
        Case(name: "memory above the copy", instructions: CFA.defineOffset(160), stack: [back, 0], outcome: .cut),
        Case(
            name: "memory far from any stack", instructions: CFA.defineExpression([0x0E] + CFA.little(.max, 8)),
            stack: [back], outcome: .broken(.outsideStack)),
        Case(name: "an empty copy", instructions: [], stack: [], outcome: .cut),
    ]

    @Test(arguments: cases) func `a rule is carried out or refused`(test: Case) throws {
        let scene = Scene(test.instructions, at: test.offset, stack: test.stack)
        var unwinder = try scene.unwinder()
        // The second time from the cache.
        for _ in 0..<2 {
            #expect(scene.unwind(&unwinder) == test.outcome)
            #expect(unwinder.frames.first?.address == Scene.code(test.offset))
            guard test.outcome == .whole, test.name != "return address undefined" else { continue }
            try #require(unwinder.frames.count == 2)
            #expect(unwinder.frames[1].address == Scene.back - 1)
            #expect(unwinder.frames[1].origin == .end && unwinder.frames[0].origin == .callFrameInformation)
            if let stackPointer = test.stackPointer { #expect(unwinder.frames[1].stackPointer == stackPointer) }
        }
    }

    @Test func `registers go from frame to frame`() throws {
        // The inner function saves rbx; the middle one finds its frame by it.
        var scene = Scene(
            CFA.defineOffset(24) + CFA.offset(3, 2), stack: [0, Scene.slot(6), Scene.code(0x110), 0, 0, Scene.back])
        scene.assembler.common()
        scene.assembler.describe(at: 0x100, size: 0x100, CFA.defineRegister(3) + CFA.defineOffset(0))
        var unwinder = try scene.unwinder()
        #expect(scene.unwind(&unwinder) == .whole)
        #expect(unwinder.frames.map(\.stackPointer) == [Scene.slot(0), Scene.slot(3), Scene.slot(6)])
        // Undefined: nothing is known of it any more.
        scene = Scene(CFA.defineOffset(24) + CFA.undefined(3), stack: scene.stack)
        scene.assembler.common()
        scene.assembler.describe(at: 0x100, size: 0x100, CFA.defineRegister(3) + CFA.defineOffset(0))
        unwinder = try scene.unwinder()
        #expect(scene.unwind(&unwinder) == .broken(.unknownRegister))
        #expect(unwinder.frames.count == 2)
    }

    @Test func `a register that was popped already holds its value`() throws {
        // The rule says CFA − 24, below the stack pointer: an epilogue after its pops.
        var scene = Scene(CFA.offset(3, 3), stack: [Scene.code(0x110), 0, Scene.back])
        scene.assembler.common()
        scene.assembler.describe(at: 0x100, size: 0x100, CFA.defineRegister(3) + CFA.defineOffset(0))
        scene.registers[3] = Scene.slot(3)
        var unwinder = try scene.unwinder()
        #expect(scene.unwind(&unwinder) == .whole)
    }

    @Test func `a frame that a signal interrupted is looked up where it was interrupted`() throws {
        // The interrupted function is stopped at its first byte: one byte before it is nothing.
        var scene = Scene([], stack: [Scene.code(0x200), 0x99, Scene.code(0x100), Scene.slot(4), Scene.back])
        scene.assembler.common("zRS", initial: CFA.define(7, 0) + CFA.offsetSigned(16, -1) + CFA.offsetSigned(7, -2))
        // From one byte before the trampoline, as glibc has it, and from its first byte, as others do.
        scene.assembler.describe(at: 0x1FF, size: 0x10, [])
        scene.assembler.common()
        scene.assembler.describe(at: 0x100, size: 0x80, [])
        var unwinder = try scene.unwinder()
        #expect(scene.unwind(&unwinder) == .whole)
        #expect(
            unwinder.frames.map(\.address)
                == [Scene.code(0), Scene.code(0x200), Scene.code(0x100), Scene.back - 1])
        #expect(unwinder.frames.map(\.isSignal) == [false, true, false, false])
        #expect(unwinder.frames.map(\.isReturnAddress) == [false, false, false, true])
    }

    @Test func `a trampoline without call frame information is known by its code`() throws {
        // musl's: mov rax, 15; syscall, right behind another function.
        var context = [UInt64](repeating: 0, count: 32)
        context[5 + 16] = Scene.code(0x20)
        context[5 + 15] = Scene.slot(33)
        var scene = Scene([], stack: [Scene.code(0x300)] + context + [Scene.back])
        scene.assembler.code.replaceSubrange(0x300..<0x309, with: [0x48, 0xC7, 0xC0, 0x0F, 0, 0, 0, 0x0F, 0x05])
        var unwinder = try scene.unwinder()
        #expect(scene.unwind(&unwinder) == .whole)
        #expect(unwinder.frames.map(\.isSignal) == [false, true, false, false])
        // An interrupted frame elsewhere: the handler has a stack of its own.
        scene.stack[1 + 5 + 15] = 0x1000_0000
        #expect(scene.unwind(&unwinder) == .broken(.otherStack))
        // What was interrupted is known all the same.
        #expect(unwinder.frames.last?.address == Scene.code(0x20) && unwinder.frames.last?.isReturnAddress == false)
    }

    @Test func `a stack deeper than the limit ends there`() throws {
        let scene = Scene([], stack: [UInt64](repeating: Scene.code(0x10), count: 100))
        var unwinder = try scene.unwinder(maximumFrames: 10)
        #expect(scene.unwind(&unwinder) == .tooDeep)
        #expect(unwinder.frames.count == 10)
    }
}
