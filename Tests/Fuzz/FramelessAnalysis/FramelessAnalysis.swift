// fuzz: Unwinding
// Code that nobody vouches for, through the decoders and the analysis: nothing outside the span is read, nothing takes
// longer than the limits say, and no rule is absurd. The first bytes say where to begin.
@testable import Unwinding

@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start, count > 4 else { return 0 }
    let all = unsafe UnsafeBufferPointer(start: start, count: count)
    let architecture: UserArchitecture = unsafe all[0] & 1 == 0 ? .x86_64 : .aarch64
    let followsCall = unsafe all[0] & 2 != 0
    // A copy of its own, so that the sanitizer sees a byte read on either side of it.
    let code = unsafe [UInt8](all[4...])
    let span = unsafe code.span.bytes
    let offset = unsafe Int(all[1]) | Int(all[2] & 0xF) << 8
    let functionStart = unsafe Int(all[3])

    let rule = FramelessAnalysis.rule(
        at: 0x1000 + UInt64(offset), code: span, codeAddress: 0x1000,
        functionStart: functionStart == 0xFF ? nil : 0x1000 + UInt64(functionStart), architecture: architecture,
        followsCall: followsCall)
    if let rule {
        precondition(rule.callFrameOffset >= (architecture == .x86_64 ? 8 : 0), "a CFA below the stack pointer")
        precondition(offset <= code.count, "a rule for an address outside of the code")
    }
    var position = 0
    while position < code.count {
        let length = Int(Instruction.decode(span, at: position, architecture).length)
        precondition(position + length <= code.count && length <= 15, "an instruction beyond the code's end")
        position += max(length, 1)
    }
    return 0
}
