import Testing
import ToolOutput

@testable import Unwinding

/// Whole sections: what lies between the descriptions, and what is wrong with them.
@Suite struct FrameSectionTests {
    private func rule(_ assembler: FrameAssembler, at offset: UInt64) throws -> UnwindRule.Kind {
        let table = try assembler.table()
        var unwinder = Unwinder(assembler.architecture)
        unwinder.instructionsLeft = Unwinder.instructionsPerStack
        return withUnsafePointer(to: table.view) { view in
            unsafe unwinder.makeRule(
                view, UInt32(FrameAssembler.text + offset - table.view.base), isReturnAddress: false
            ).kind
        }
    }

    @Test func `terminators, long lengths and any order are read over`() throws {
        var assembler = FrameAssembler()
        assembler.common()
        assembler.describe(at: 0x300, size: 0x40, [], isLong: true)
        assembler.frames += [0, 0, 0, 0, 0, 0, 0, 0]
        assembler.describe(at: 0x100, size: 0x40, [])
        for offset: UInt64 in [0x100, 0x13F, 0x300, 0x33F] { #expect(try rule(assembler, at: offset) == .register) }
        for offset: UInt64 in [0xFF, 0x140, 0x2FF, 0x340] { #expect(try rule(assembler, at: offset) == .none) }
    }

    @Test func `a CIE pointer that leads to a description, to itself or outside describes nothing`() throws {
        var assembler = FrameAssembler()
        assembler.common()
        let first = assembler.frames.count
        assembler.describe(at: 0x100, size: 0x40, [])
        let whole = assembler
        for id in [UInt64(4), 8, UInt64(first + 4), 0x7FFF_FFFF, 0xFFFF_FFFF] {
            assembler = whole
            // The second description's CIE pointer, counted back from itself.
            let place = assembler.frames.count + 4
            assembler.describe(at: 0x200, size: 0x40, [])
            assembler.frames.replaceSubrange(
                place..<place + 4, with: CFA.little(id == UInt64(first + 4) ? UInt64(place - first) : id, 4))
            #expect(try rule(assembler, at: 0x100) == .register)
            #expect(try rule(assembler, at: 0x200) == .none)
        }
    }

    @Test(arguments: [0x7FFF_FFFF, 0xFFFF_FFF0, 0xFFFF_FFFF, 1] as [UInt64])
    func `an absurd length ends the section`(length: UInt64) throws {
        var assembler = FrameAssembler()
        assembler.common()
        assembler.describe(at: 0x100, size: 0x40, [])
        assembler.frames += CFA.little(length, 4) + [UInt8](repeating: 0xFF, count: 20)
        #expect(try rule(assembler, at: 0x100) == .register)
    }

    @Test func `an unknown augmentation without a length is refused, with one passed over`() throws {
        var assembler = FrameAssembler()
        assembler.common("x")
        assembler.describe(at: 0x100, size: 0x40, [])
        #expect(try rule(assembler, at: 0x100) == .none)
        assembler = FrameAssembler()
        assembler.common("zRxyz")
        assembler.describe(at: 0x100, size: 0x40, [])
        #expect(try rule(assembler, at: 0x100) == .register)
    }

    @Test func `a file without section headers is read by the loader's own way`() throws {
        let path = "/lib/x86_64-linux-gnu/libc.so.6"
        var bytes = contents(path)
        try #require(bytes.count > 64)
        let whole = try unwindTable(ofObject: bytes)
        for index in 40..<48 { bytes[index] = 0 }
        for index in 58..<64 { bytes[index] = 0 }
        let stripped = try unwindTable(ofObject: bytes)
        #expect(stripped.entryCount == whole.entryCount)
        #expect(stripped.entryCount > 1000)
    }

    @Test func `a blob with any damage is refused or harmless`() throws {
        let scene = Scene(CFA.defineOffset(16), stack: [0, Scene.back])
        let source = scene.assembler.object
        let blob = try encoded(source)
        #expect(throws: UnwindSectionsError.self) { try unwindTable(Array(blob.dropLast())) }
        #expect(throws: UnwindSectionsError.self) { try unwindTable(blob + [0]) }
        for count in [0, 8, 63] { #expect(throws: UnwindSectionsError.self) { try unwindTable(Array(blob[..<count])) } }
        for offset in 0..<blob.count {
            var damaged = blob
            damaged[offset] ^= 0xFF
            guard let table = try? unwindTable(damaged) else { continue }
            var unwinder = Unwinder(.x86_64)
            unwinder.set(.ready(table), forFile: 0)
            _ = scene.unwind(&unwinder)
        }
    }

    @Test func `the kept code is what nothing describes`() throws {
        var assembler = FrameAssembler()
        assembler.common()
        assembler.describe(at: 0, size: 0x400, [])
        assembler.describe(at: 0x420, size: 0x3E0, [])
        let half = assembler
        assembler.describe(at: 0x800, size: 0x800, [])
        // 0x20 bytes between functions are padding where all else is described, else perhaps a function.
        #expect(try assembler.table().codeBytes == 0)
        let table = try half.table()
        #expect(table.codeBytes == 0x820)
        #expect(table.view.code(at: UInt32(FrameAssembler.text) + 0x900)?.start == 0x1800)
        #expect(table.view.code(at: UInt32(FrameAssembler.text) + 0x410)?.start == 0x1400)
        #expect(table.view.code(at: UInt32(FrameAssembler.text) + 0x430) == nil)
    }
}
