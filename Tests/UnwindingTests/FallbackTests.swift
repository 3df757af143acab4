import Testing

@testable import Unwinding

/// Where no call frame information leads on.
@Suite struct FallbackTests {
    /// A chain of frame pointers through code at .text + 0x10, ended by zeros.
    private func chain(_ architecture: UserArchitecture = .x86_64, depth: UInt64 = 3) -> Scene {
        var scene = Scene([], stack: [], architecture: architecture)
        for level in 0..<depth {
            scene.stack += [0, level + 1 < depth ? Scene.slot(3 * level + 4) : 0, Scene.code(0x10)]
        }
        // The outermost frame: no frame pointer and nowhere to return to.
        scene.stack[scene.stack.count - 1] = 0
        scene.registers.framePointer = Scene.slot(1)
        return scene
    }

    @Test(arguments: [UserArchitecture.x86_64, .aarch64])
    func `frame pointers lead through modules without sections`(architecture: UserArchitecture) throws {
        let scene = chain(architecture)
        var unwinder = Unwinder(architecture)
        unwinder.set(.unreadable, forFile: 0)
        #expect(scene.unwind(&unwinder) == .whole)
        #expect(unwinder.frames.map(\.address) == [Scene.code(0), Scene.code(0xF), Scene.code(0xF)])
        #expect(unwinder.frames.allSatisfy { $0.origin == .framePointer })
    }

    @Test func `a frame pointer that is none is not followed`() throws {
        var unwinder = Unwinder(.x86_64)
        unwinder.set(.unreadable, forFile: 0)
        for value in [Scene.slot(1) + 4, Scene.slot(0) - 8, 5, .max, 0] {
            var scene = chain()
            scene.registers.framePointer = value
            #expect(scene.unwind(&unwinder) == .broken(.noRule))
        }
        var scene = chain()
        scene.stack[2] = 0x1234
        #expect(scene.unwind(&unwinder) == .broken(.noRule))
        scene.stack = Array(chain().stack[..<2])
        #expect(scene.unwind(&unwinder) == .cut)
        // A loop.
        scene = chain()
        scene.stack[4] = Scene.slot(1)
        #expect(scene.unwind(&unwinder) == .broken(.noRule))
    }

    @Test func `a module that is not there yet is waited for, and the frames until then stand`() throws {
        let scene = Scene([], stack: [Scene.back])
        var unwinder = try scene.unwinder()
        unwinder.set(.unknown, forFile: 0)
        #expect(scene.unwind(&unwinder) == .waiting(file: 0))
        unwinder.set(.waiting, forFile: 0)
        #expect(scene.unwind(&unwinder) == .waiting(file: 0))
        #expect(unwinder.frames.map(\.address) == [Scene.code(0)])
        unwinder.set(.ready(try scene.assembler.table()), forFile: 0)
        #expect(scene.unwind(&unwinder) == .whole)
        unwinder.set(.unreadable, forFile: 0)
        #expect(scene.unwind(&unwinder) == .broken(.noRule))
        // Numbers that were never set, however large.
        var far = Unwinder(.x86_64)
        far.set(.unreadable, forFile: .max)
        #expect(scene.unwind(&far) == .waiting(file: 0))
    }

    @Test func `a table in another's place does not find the other's rules`() throws {
        let first = Scene([], stack: [Scene.back, Scene.back])
        let second = Scene(CFA.defineOffset(16), stack: first.stack)
        var unwinder = try first.unwinder()
        _ = first.unwind(&unwinder)
        #expect(unwinder.frames[1].stackPointer == Scene.slot(1))
        unwinder.set(.ready(try second.assembler.table()), forFile: 0)
        _ = second.unwind(&unwinder)
        #expect(unwinder.frames[1].stackPointer == Scene.slot(2))
    }

    @Test(arguments: [0, 0x10, 0x9999_0000] as [UInt64])
    func `after a call to nowhere the return address lies at the stack pointer`(target: UInt64) throws {
        var scene = Scene([], stack: [Scene.back, 0, 0])
        scene.registers.programCounter = target
        var unwinder = try scene.unwinder()
        #expect(scene.unwind(&unwinder) == .whole)
        #expect(unwinder.frames.map(\.address) == [target, Scene.back - 1])
        #expect(unwinder.frames[0].mapping == -1 && unwinder.frames[0].origin == .leaf)
        scene.stack = [0x77, 0, 0]
        #expect(scene.unwind(&unwinder) == .broken(.outsideCode))
    }

    @Test func `a return address outside code is no frame`() throws {
        let scene = Scene([], stack: [0x1234_5678, 0, 0])
        var unwinder = try scene.unwinder()
        #expect(scene.unwind(&unwinder) == .broken(.outsideCode))
        #expect(unwinder.frames.count == 1)
    }

    @Test func `code made at run time has frames of the size that was told`() throws {
        let code = RuntimeCode([
            .init(start: 0x9000, end: 0x9100, frameBytes: 32, completeOffset: 8),
            .init(start: 0x9200, end: 0x9300, frameBytes: 0, completeOffset: 0),
        ])
        var scene = Scene([], stack: [0, 0, Scene.slot(9), 0x9250, 0, 0, 0, 0, 0, 0, Scene.back, 0])
        scene.stack[9] = 0
        scene.registers.programCounter = 0x9050
        var unwinder = try scene.unwinder()
        #expect(scene.unwind(&unwinder, runtimeCode: code) == .whole)
        #expect(unwinder.frames.map(\.address) == [0x9050, 0x924F, Scene.back - 1])
        #expect(unwinder.frames.map(\.origin) == [.runtimeCode, .runtimeCode, .end])
        // Not built yet.
        scene.stack = [Scene.back]
        scene.registers.programCounter = 0x9004
        #expect(scene.unwind(&unwinder, runtimeCode: code) == .whole)
        #expect(unwinder.frames.map(\.address) == [0x9004, Scene.back - 1])
    }

    @Test func `where such code has only pushed, the frame pointer is still the caller's`() throws {
        let code = RuntimeCode([
            .init(start: 0x9000, end: 0x9100, frameBytes: 24, completeOffset: 0, savesFramePointer: false),
            .init(start: 0x9200, end: 0x9300, frameBytes: 0, completeOffset: 0),
        ])
        var scene = Scene([], stack: [77, 78, 0x9250, 0, 0, Scene.back, 0])
        scene.registers.programCounter = 0x9050
        scene.registers.framePointer = Scene.slot(4)
        var unwinder = try scene.unwinder()
        #expect(scene.unwind(&unwinder, runtimeCode: code) == .whole)
        #expect(unwinder.frames.map(\.address) == [0x9050, 0x924F, Scene.back - 1])
    }

    @Test func `an interpreter's caller has its stack pointer below the frame pointer, and adapters have no frame`()
        throws
    {
        let code = RuntimeCode([
            .init(start: 0x9000, end: 0x9100, frameBytes: 8, completeOffset: 0x100),
            .init(start: 0x9200, end: 0x9300, frameBytes: 0, completeOffset: 0, isInterpreter: true),
            .init(start: 0x9400, end: 0x9500, frameBytes: 32, completeOffset: 0),
        ])
        // An adapter, called by the interpreter, called by a compiled method whose arguments lie in between.
        var scene = Scene(
            [],
            stack: [
                0x9280, 0, Scene.slot(7), Scene.slot(99), 0x9480, 77, 77, 0, 0, 0, Scene.back, 0, 0,
            ])
        scene.registers.programCounter = 0x9040
        scene.registers.framePointer = Scene.slot(3)
        var unwinder = try scene.unwinder()
        #expect(scene.unwind(&unwinder, runtimeCode: code) == .whole)
        #expect(unwinder.frames.map(\.address) == [0x9040, 0x927F, 0x947F, Scene.back - 1])
        #expect(unwinder.frames.map(\.framePointer) == [0, Scene.slot(3), 0, 0])
        #expect(unwinder.frames.map(\.stackPointer) == [0, 1, 7, 11].map { Scene.slot($0) })
        // A stack pointer that lies within the frame, or far away, is none.
        for wrong in [Scene.slot(4), 0, Scene.slot(1 << 20)] {
            scene.stack[2] = wrong
            #expect(scene.unwind(&unwinder, runtimeCode: code) == .broken(.noRule))
        }
    }

    @Test func `an entry point without description is an end`() throws {
        var scene = Scene([], stack: [Scene.code(0x400)])
        scene.assembler.entryPoint = FrameAssembler.text + 0x3F0
        var unwinder = try scene.unwinder()
        #expect(scene.unwind(&unwinder) == .whole)
        #expect(unwinder.frames.count == 2)
    }

    @Test func `registers without a program counter, or of another machine, give nothing`() throws {
        var scene = Scene([], stack: [Scene.back])
        var unwinder = try scene.unwinder()
        scene.registers = UserRegisters(.x86_64)
        #expect(scene.unwind(&unwinder) == .broken(.noRegisters))
        scene.registers = UserRegisters(.aarch64)
        #expect(scene.unwind(&unwinder) == .broken(.noRegisters))
        #expect(unwinder.frames.isEmpty)
    }
}

/// AArch64 by hand-written fixtures.
@Suite struct AArch64Tests {
    /// A frame of 32 bytes, x29 and x30 at its low end.
    private static let record = CFA.defineOffset(32) + CFA.offset(29, 4) + CFA.offset(30, 3)

    @Test func `a leaf returns by the link register, its caller by what it saved`() throws {
        var scene = Scene([], stack: [0, Scene.back, 0, 0], architecture: .aarch64)
        scene.assembler.common()
        scene.assembler.describe(at: 0x100, size: 0x100, Self.record)
        scene.registers[30] = Scene.code(0x110)
        var unwinder = try scene.unwinder()
        #expect(scene.unwind(&unwinder) == .whole)
        #expect(unwinder.frames.map(\.address) == [Scene.code(0), Scene.code(0x10F), Scene.back - 1])
        #expect(unwinder.frames.map(\.stackPointer) == [Scene.slot(0), Scene.slot(0), Scene.slot(4)])
    }

    @Test func `a caller that saved nothing can't return`() throws {
        var scene = Scene([], stack: [0, 0], architecture: .aarch64)
        scene.registers[30] = Scene.code(0x10)
        var unwinder = try scene.unwinder()
        #expect(scene.unwind(&unwinder) == .broken(.stackNotGrowing))
    }

    @Test func `signatures are taken off return addresses`() throws {
        let signed = Scene.back | 0x00B5_0000_0000_0000
        var scene = Scene(
            CFA.negateReturnAddressState + Self.record, stack: [0, signed, 0, 0], architecture: .aarch64)
        var unwinder = try scene.unwinder()
        #expect(scene.unwind(&unwinder) == .whole)
        #expect(unwinder.frames.map(\.address) == [Scene.code(0), Scene.back - 1])
        scene = Scene([], stack: [0], augmentation: "zRB", architecture: .aarch64)
        scene.registers[30] = signed
        unwinder = try scene.unwinder()
        #expect(scene.unwind(&unwinder) == .whole)
        #expect(unwinder.frames.map(\.address) == [Scene.code(0), Scene.back - 1])
    }

    @Test func `a signal's context gives all registers`() throws {
        // Frame of the kernel: siginfo, ucontext; x0 … x30, sp, pc from byte 312 on.
        var frame = [UInt64](repeating: 0, count: 80)
        frame[39 + 29] = Scene.slot(1)
        frame[39 + 30] = Scene.back
        frame[39 + 31] = Scene.slot(80)
        frame[39 + 32] = Scene.code(0)
        var scene = Scene([], stack: frame + [0, 0], architecture: .aarch64)
        scene.assembler.common("zRS", initial: CFA.define(29, 0) + CFA.offsetSigned(29, 0) + CFA.offsetSigned(30, -1))
        scene.assembler.code.replaceSubrange(0x200..<0x208, with: [0x68, 0x11, 0x80, 0xD2, 0x01, 0, 0, 0xD4])
        scene.assembler.describe(at: 0x200, size: 0x10, [])
        scene.registers.programCounter = Scene.code(0x200)
        var unwinder = try scene.unwinder()
        #expect(scene.unwind(&unwinder) == .whole)
        #expect(unwinder.frames.map(\.address) == [Scene.code(0x200), Scene.code(0), Scene.back - 1])
        #expect(unwinder.frames.map(\.isSignal) == [true, false, false])
    }
}
