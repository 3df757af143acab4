import Testing

@testable import ProfilerAgent

@Test(arguments: [(1.0, 63), (100, 63), (250, 63), (500, 32), (1000, 16), (10_000, 16)])
func `the higher the rate, the less of a stack is copied unless told otherwise`(rate: Double, kibibytes: Int) {
    #expect(StackUnwinding.stackCopyBytes(atRate: rate) == kibibytes << 10)
}
