import Testing
import Unwinding

@testable import ProfilerAgent

/// An interpreter that always has an empty stack.
private struct IdleInterpreter: SampledInterpreter {
    struct StackFrame: BitwiseCopyable, Sendable {}

    var process: Int32
    var place: Int32 { process }
    static var needsThreadNumbers: Bool { false }
    var stackFrames: [StackFrame] { [] }
    var generation: UInt32 { 0 }

    mutating func read(thread: Int32, registers: UserRegisters, copiedStack: RawSpan) -> Bool { true }
    static func number(of frame: StackFrame) -> UInt32? { nil }
    func source(of function: UInt32) -> (name: String, file: String) { ("", "") }
}

@Suite struct InterpreterArrivalsTests {
    @Test func `samples of an interpreter beyond the limit say that it was not read`() {
        let arrivals = InterpreterArrivals<IdleInterpreter>()
        let limit = Int32(InterpreterArrivals<IdleInterpreter>.maximumRead)
        for process in 1...limit + 1 { arrivals.found(IdleInterpreter(process: process), serial: UInt64(process)) }
        arrivals.takeFound { UInt64($0) }
        var frames: [IdleInterpreter.StackFrame] = []
        var unread: Set<Int32> = []
        for process in 1...limit + 2 {
            let reading = arrivals.take(process: process, thread: process, time: .max, into: &frames)
            if let reading, !reading.isReadable, reading.process.place == process { unread.insert(process) }
        }
        // Nothing has arrived, so each known process says so; the last one is not known.
        #expect(unread == Set(1...limit + 1))
        arrivals.closeWindow(at: .max) { $0 <= 10 ? UInt64($0) : nil }
        #expect(arrivals.knows(10) && !arrivals.knows(limit + 1))
    }
}
