import Glibc
import Testing

@testable import Unwinding

struct FramelessAnalysisTests {
    private func code(_ text: String) -> [UInt8] { text.split(separator: " ").compactMap { UInt8($0, radix: 16) } }

    private func rule(
        _ bytes: [UInt8], _ offset: Int, start: Int? = nil, followsCall: Bool = false,
        _ architecture: UserArchitecture = .x86_64
    ) -> FramelessRule? {
        unsafe FramelessAnalysis.rule(
            at: 0x1000 + UInt64(offset), code: bytes.span.bytes, codeAddress: 0x1000,
            functionStart: start.map { 0x1000 + UInt64($0) }, architecture: architecture, followsCall: followsCall)
    }

    /// push rbp; push rbx; sub rsp,24; test edi,edi; je +7; call; jmp +2; ud2; add rsp,24; pop rbx; pop rbp; ret
    private var plain: [UInt8] {
        code("55 53 48 83 ec 18 85 ff 74 07 e8 00 00 00 00 eb 02 0f 0b 48 83 c4 18 5b 5d c3")
    }

    @Test(arguments: [
        (0, 8), (1, 16), (2, 24), (6, 48), (10, 48), (15, 48), (17, 48), (19, 48), (23, 24), (24, 16), (25, 8),
    ])
    func `at each instruction the stack pointer is as far from the CFA as what was pushed`(offset: Int, distance: Int32)
        throws
    {
        let forward = try #require(rule(plain, offset, start: 0))
        #expect(forward.callFrameOffset == distance)
        #expect(!forward.isFromFramePointer)
        #expect(forward.returnAddressOffset == -8)
        // The trap has no way out; every other place tells the same from what follows.
        let backward = rule(plain, offset)
        #expect(offset == 17 ? backward == nil : backward?.callFrameOffset == distance)
    }

    @Test func `saved registers are found from the CFA`() throws {
        let forward = try #require(rule(plain, 10, start: 0))
        #expect(forward.framePointerOffset == -16)
        #expect(forward.savedRegisters[3] == -24)
        #expect(forward.savedRegisters[12] == nil && !forward.savedRegisters.isLost(12))
        let backward = try #require(rule(plain, 10))
        #expect(backward == forward)
        #expect(rule(plain, 25, start: 0)?.framePointerOffset == nil)
    }

    @Test func `a frame pointer is preferred where it is set up`() throws {
        // push rbp; mov rbp,rsp; push r14; and rsp,-32; sub rsp,64; nop; lea rsp,[rbp-8]; pop r14; pop rbp; ret
        let bytes = code("55 48 89 e5 41 56 48 83 e4 e0 48 83 ec 40 90 48 8d 65 f8 41 5e 5d c3")
        for start in [0, nil] {
            let found = try #require(rule(bytes, 14, start: start))
            #expect(found.isFromFramePointer && found.callFrameOffset == 16)
            #expect(found.framePointerOffset == -16)
            #expect(found.savedRegisters[14] == -24)
        }
        // push rbp; mov rbp,rsp; sub rsp,rax; nop; leave; ret
        let variable = code("55 48 89 e5 48 29 c4 90 c9 c3")
        #expect(rule(variable, 7, start: 0) == rule(variable, 7))
        #expect(rule(variable, 7)?.callFrameOffset == 16)
        #expect(rule(variable, 7)?.framePointerOffset == -16)
    }

    @Test func `an address that follows a call which doesn't return belongs to the function before`() throws {
        // sub rsp,8; call abort; then another function: push rbx; call; pop rbx; ret
        let bytes = code("48 83 ec 08 e8 00 00 00 00 53 e8 00 00 00 00 5b c3")
        #expect(rule(bytes, 9, start: 0, followsCall: true)?.callFrameOffset == 16)
        // Without the start, the function behind it must not be taken for this one.
        #expect(rule(bytes, 9, followsCall: true) == nil)
        // A function's mark alone is enough.
        let marked = code("48 83 ec 08 e8 00 00 00 00 f3 0f 1e fa c3")
        #expect(rule(marked, 0) == nil)
    }

    @Test func `paths that disagree, and a stack pointer from nowhere, give nothing`() {
        // je +4; pop rbx; ret; nop; nop: ret
        let bytes = code("74 02 5b c3 90 90 c3")
        #expect(rule(bytes, 0) == nil)
        // mov rsp,[rdi]; ret
        #expect(rule(code("48 8b 27 c3"), 0) == nil)
        #expect(rule(code("48 8b 27 90 c3"), 3, start: 0)?.callFrameOffset == 8)
        // and rsp,-16 without a frame pointer, a table's jump without another way
        #expect(rule(code("48 83 e4 f0 90 0f 0b"), 4, start: 0) == nil)
        #expect(rule(code("ff e0"), 0) == nil)
        #expect(rule([], 0) == nil)
        #expect(rule(code("c3"), 4) == nil)
    }

    @Test func `a tail call ends a frame as a return does`() throws {
        // push rbx; nop; pop rbx; jmp far out of the span
        let bytes = code("53 90 5b e9 00 10 00 00")
        let found = try #require(rule(bytes, 1))
        #expect(found.callFrameOffset == 16)
        #expect(found.savedRegisters[3] == -16)
        // pop rbp; then a jump to a function that uses rbp itself: push rbp; pop rbp; ret
        let through = try #require(rule(code("5d eb 00 55 5d c3"), 0))
        #expect(through.callFrameOffset == 16)
        #expect(through.framePointerOffset == -16)
    }

    // What `aarch64-linux-gnu-gcc -O2` 12.2 makes of two functions that call others.
    @Test func `on aarch64 the return address is in x30 until it is saved`() throws {
        let words: [UInt32] = [
            0xD503_233F,  // paciasp
            0xA9BE_7BFD,  // stp x29, x30, [sp, #-32]!
            0x9100_03FD,  // mov x29, sp
            0xF900_0BF3,  // str x19, [sp, #16]
            0x9400_0100,  // bl
            0xF940_0BF3,  // ldr x19, [sp, #16]
            0xA8C2_7BFD,  // ldp x29, x30, [sp], #32
            0xD503_23BF,  // autiasp
            0xD65F_03C0,  // ret
        ]
        let bytes = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
        for (index, offset) in [(0, 0), (1, 0), (7, 0), (8, 0)] {
            let found = try #require(rule(bytes, index * 4, start: 0, .aarch64))
            #expect(found.callFrameOffset == offset && found.returnAddressOffset == nil)
            // Not even a step before the call can be told apart by what follows it.
            if index >= 7 { #expect(rule(bytes, index * 4, .aarch64) == found) }
        }
        for index in 4...6 {
            let found = try #require(rule(bytes, index * 4, start: 0, .aarch64))
            #expect(found.callFrameOffset == 32 && found.isFromFramePointer)
            #expect(found.returnAddressOffset == -24)
            #expect(found.framePointerOffset == -32)
            #expect(found.savedRegisters[19] == (index == 6 ? nil : -16))
            let backward = try #require(rule(bytes, index * 4, .aarch64))
            #expect(backward.callFrameOffset == 32 && backward.returnAddressOffset == -24)
            #expect(backward.framePointerOffset == -32)
        }
    }

    @Test func `on aarch64 a large frame is a constant in a register`() throws {
        let words: [UInt32] = [
            0xD282_040C,  // mov x12, #4128
            0xCB2C_63FF,  // sub sp, sp, x12
            0xA900_7BFD,  // stp x29, x30, [sp]
            0x9400_0100,  // bl
            0xA940_7BFD,  // ldp x29, x30, [sp]
            0xD282_040C,  // mov x12, #4128
            0x8B2C_63FF,  // add sp, sp, x12
            0xD65F_03C0,  // ret
        ]
        let bytes = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
        for start in [0, nil] {
            let found = try #require(rule(bytes, 16, start: start, followsCall: true, .aarch64))
            #expect(found.callFrameOffset == 4128)
            #expect(found.returnAddressOffset == -4120)
        }
    }

    @Test func `random bytes are analysed within the limits and give no absurd rule`() {
        let seed =
            unsafe getenv("PERF_FLEET_SEED").flatMap { unsafe UInt64(String(cString: $0)) }
            ?? UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        var found = 0
        for _ in 0..<3000 {
            // Whole instructions of the stack are frequent enough that paths go on.
            let pieces =
                [[0x55], [0x5D], [0x53], [0x5B], [0xC3], [0x74, 2], [0xEB, 0xF0], [0xC9], [0x48, 0x83, 0xEC, 8]]
                as [[UInt8]]
            var bytes: [UInt8] = []
            for _ in 0..<Int(random.next() % 40) {
                if random.next() % 3 == 0 {
                    bytes.append(UInt8(truncatingIfNeeded: random.next()))
                } else {
                    bytes += pieces[Int(random.next() % UInt64(pieces.count))]
                }
            }
            for architecture in [UserArchitecture.x86_64, .aarch64] {
                let offset = Int(random.next() % UInt64(bytes.count + 2))
                let start = random.next() % 2 == 0 ? Int(random.next() % UInt64(offset + 1)) : nil
                if let rule = rule(bytes, offset, start: start, followsCall: random.next() % 2 == 0, architecture) {
                    found += 1
                    #expect(rule.callFrameOffset >= (architecture == .x86_64 ? 8 : 0))
                }
            }
        }
        #expect(found > 100)
    }

    struct SplitMix {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }
}
