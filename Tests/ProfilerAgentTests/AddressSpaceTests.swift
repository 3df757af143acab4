import Glibc
import Testing
import Unwinding

@testable import ProfilerAgent

@Suite struct AddressSpaceTests {
    @Test func `a mapping in the middle of another one splits it and keeps the offsets`() {
        var space = AddressSpace()
        let isDone = space.map(CodeMapping(start: 100, end: 200, fileOffset: 0, file: 1))
        #expect(isDone)
        let isDoneToo = space.map(CodeMapping(start: 120, end: 140, fileOffset: 50, file: 2))
        #expect(isDoneToo)
        #expect(
            space.ranges == [
                CodeMapping(start: 100, end: 120, fileOffset: 0, file: 1),
                CodeMapping(start: 120, end: 140, fileOffset: 50, file: 2),
                CodeMapping(start: 140, end: 200, fileOffset: 40, file: 1),
            ])
    }

    @Test func `lookup by address agrees with a plain list of pages after random mappings`() {
        var generator = SeededGenerator.forTests()
        for _ in 0..<50 {
            var space = AddressSpace()
            var pages: [UInt64: (file: UInt32, offset: UInt64)] = [:]
            for file in 0..<UInt32(60) {
                let start = UInt64.random(in: 0..<200, using: &generator)
                let end = start + UInt64.random(in: 1...40, using: &generator)
                let offset = UInt64.random(in: 0..<1000, using: &generator)
                let isDone = space.map(CodeMapping(start: start, end: end, fileOffset: offset, file: file))
                #expect(isDone)
                for page in start..<end { pages[page] = (file, offset + page - start) }
            }
            for page in UInt64(0)..<250 {
                let range = space.range(holding: page)
                #expect(range?.file == pages[page]?.file)
                #expect(range.map { page - $0.start + $0.fileOffset } == pages[page]?.offset)
            }
        }
    }

    @Test func `ranges beyond the limit are refused`() {
        var space = AddressSpace()
        for index in 0..<UInt64(AddressSpace.maximumRanges) {
            let isDone = space.map(CodeMapping(start: index * 2, end: index * 2 + 1, fileOffset: 0, file: 0))
            #expect(isDone)
        }
        let isRoom = space.map(CodeMapping(start: 1 << 40, end: 1 << 41, fileOffset: 0, file: 0))
        #expect(!isRoom)
    }
}

/// A generator whose seed a failing run prints and PERF_TEST_SEED sets (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    static func forTests() -> SeededGenerator {
        let given = unsafe getenv("PERF_TEST_SEED").flatMap { unsafe UInt64(String(cString: $0)) }
        let seed = given ?? UInt64.random(in: .min ... .max)
        print("PERF_TEST_SEED=\(seed)")
        return SeededGenerator(seed: seed)
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }
}
