import Testing

@testable import LanguageRuntimes

/// Pieces of code as HotSpot makes them; what the stack pointer is away from the call frame address is told beside each
/// instruction.
@Suite struct JVMCodeShapeTests {
    /// An instruction, and the distance before it: 8 without a frame; nil where the frame pointer leads on.
    private typealias Step = (bytes: [UInt8], distance: UInt32?)

    private func check(_ steps: [Step], frameBytes: UInt32?, complete: Int = 0) {
        let code = steps.flatMap(\.bytes)
        let ranges = JVMCodeShape(code, at: 0x1000, frameBytes: frameBytes, completeOffset: complete).ranges
        #expect(ranges.first?.start == 0x1000 && ranges.last?.end == 0x1000 + UInt64(code.count))
        var place: UInt64 = 0x1000
        for (index, step) in steps.enumerated() {
            let range = ranges.first { ($0.start..<$0.end).contains(place) }
            let found: UInt32? =
                switch range?.kind {
                case .frameless: 8
                case .compiled, .pushed: range?.frameBytes
                default: nil
                }
            #expect(found == step.distance, "instruction \(index): \(String(describing: range))")
            place += UInt64(step.bytes.count)
        }
    }

    private static let bang: [UInt8] = [0x89, 0x84, 0x24, 0x00, 0xC0, 0xFE, 0xFF]  // mov [rsp − 0x14000], eax
    private static let pushRBP: [UInt8] = [0x55]
    private static let popRBP: [UInt8] = [0x5D]
    private static let copyToRBP: [UInt8] = [0x48, 0x8B, 0xEC]  // mov rbp, rsp
    private static let nop: [UInt8] = [0x90]
    private static let ret: [UInt8] = [0xC3]
    private static func reserve(_ bytes: UInt8) -> [UInt8] { [0x48, 0x83, 0xEC, bytes] }
    private static func release(_ bytes: UInt8) -> [UInt8] { [0x48, 0x83, 0xC4, bytes] }

    @Test func `what a string comparison pushes lies above the complete frame`() {
        check(
            [
                (Self.bang, 8), (Self.pushRBP, 8), (Self.reserve(0x60), 16), (Self.nop, 0x70),
                ([0x51], 0x70), (Self.nop, 0x78), ([0x50], 0x78), (Self.nop, 0x80), ([0x58], 0x80), (Self.nop, 0x78),
                ([0x59], 0x78), (Self.nop, 0x70), (Self.release(0x60), 0x70), (Self.popRBP, 16), (Self.ret, 8),
            ], frameBytes: 0x70, complete: 12)
    }

    @Test func `the poll behind an epilogue, and what it leads to, have no frame`() {
        check(
            [
                (Self.pushRBP, 8), (Self.reserve(0x10), 16), (Self.release(0x10), 0x20), (Self.popRBP, 16),
                ([0x49, 0x3B, 0xA7, 0x40, 0x03, 0x00, 0x00], 8),  // cmp rsp, [r15 + 0x340]
                ([0x0F, 0x87, 0x03, 0x00, 0x00, 0x00], 8),  // ja over the return and two bytes
                (Self.ret, 8),
                // A handler, which nobody branches to: the frame is complete.
                (Self.nop, 0x20), (Self.nop, 0x20),
                (Self.nop, 8), ([0xE9, 0, 0, 0, 0], 8), (Self.nop, 8),
            ], frameBytes: 0x20, complete: 5)
    }

    @Test func `a slow path that saves registers before its call is followed from its branch`() {
        check(
            [
                (Self.pushRBP, 8), (Self.reserve(0x10), 16), ([0x75, 0x07], 0x20),  // jne past the epilogue
                (Self.release(0x10), 0x20), (Self.popRBP, 16), (Self.ret, 8), (Self.nop, 0x20),
                (Self.reserve(0x40), 0x20), ([0x57], 0x60), ([0xE8, 0, 0, 0, 0], 0x68), ([0x5F], 0x68),
                (Self.release(0x40), 0x60), ([0xEB, 0xE6], 0x20),
            ], frameBytes: 0x20, complete: 5)
    }

    @Test func `stubs in one piece each begin without a frame, and keep the frame pointer where they set it`() {
        check(
            [
                (Self.pushRBP, 8), (Self.copyToRBP, 16), (Self.reserve(0x20), nil), (Self.nop, nil), ([0xC9], nil),
                (Self.ret, 8),
                // Another, which saves registers alone.
                ([0x53], 8), ([0x41, 0x54], 16), (Self.nop, 24), ([0x41, 0x5C], 24), ([0x5B], 16), (Self.ret, 8),
            ], frameBytes: nil)
    }

    @Test func `a loop of a stub that is entered by its middle keeps the frame that its entry has built`() {
        check(
            [
                (Self.pushRBP, 8), (Self.copyToRBP, 16), ([0xEB, 0x02], nil), (Self.nop, nil), (Self.nop, nil),
                (Self.nop, nil), ([0x75, 0xFB], nil), ([0xC9], nil), (Self.ret, 8), (Self.nop, 8),
            ], frameBytes: nil)
    }

    /// As JDK 11 copies arrays: the loop stands behind the stub's return.
    @Test func `a loop behind the return of its stub keeps the frame that its entry has built`() {
        check(
            [
                (Self.pushRBP, 8), (Self.copyToRBP, 16), ([0xEB, 0x06], nil), ([0xC9], nil), (Self.ret, 8),
                ([0x48, 0x8B, 0x04, 0xD7], nil), ([0x48, 0x83, 0xC2, 0x04], nil),  // mov rax, [rdi + 8 rdx]; add rdx, 4
                ([0x7E, 0xF6], nil), ([0xEB, 0xF2], nil), (Self.nop, 8),
                // Another.
                (Self.pushRBP, 8), (Self.copyToRBP, 16), (Self.nop, nil), ([0xC9], nil), (Self.ret, 8),
            ], frameBytes: nil)
    }

    @Test func `a small frame reserved before the frame pointer is saved, and a copy from stack to stack`() {
        let store: [UInt8] = [0x48, 0x89, 0x6C, 0x24, 0x10]  // mov [rsp + 16], rbp
        let steps: [Step] = [
            (Self.reserve(0x18), 8), (store, 0x20), (Self.nop, 0x20),
            ([0x48, 0xFF, 0x74, 0x24, 0x08], 0x20), ([0x48, 0x8F, 0x04, 0x24], 0x20),  // push [rsp + 8]; pop [rsp]
            (Self.nop, 0x20), (Self.release(0x18), 0x20), (Self.ret, 8),
        ]
        check(steps, frameBytes: 0x20, complete: 9)
        let ranges = JVMCodeShape(steps.flatMap(\.bytes), at: 0, frameBytes: 0x20, completeOffset: 9).ranges
        #expect(ranges.map(\.kind) == [.frameless, .pushed, .compiled, .frameless])
    }

    @Test func `random bytes give ranges in order that cover them all`() {
        var random = SeededRandom(named: "code shapes")
        for _ in 0..<2_000 {
            let code = (0..<Int.random(in: 1...200, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let frame: UInt32? = Bool.random(using: &random) ? nil : UInt32.random(in: 16...4096, using: &random)
            let ranges = JVMCodeShape(
                code, at: 0x1000, frameBytes: frame, completeOffset: Int.random(in: -1...300, using: &random)
            ).ranges
            var end: UInt64 = 0x1000
            for range in ranges {
                #expect(range.start == end && range.end > range.start)
                end = range.end
            }
            #expect(end == 0x1000 + UInt64(code.count))
        }
    }
}
