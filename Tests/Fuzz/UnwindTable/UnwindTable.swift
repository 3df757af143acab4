// fuzz: Unwinding
import Unwinding

/// Encoded sections that the helper did not make: whatever they hold, a sample is followed or refused within the limits.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard count > 64 else { return 0 }
    var blob = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    // Magic, version and size are right, else nothing would be read.
    for index in 0..<8 {
        blob[index] = UInt8(truncatingIfNeeded: EncodedSections.magic >> UInt64(8 * index))
        blob[32 + index] = UInt8(truncatingIfNeeded: count >> (8 * index))
    }
    for index in 0..<4 { blob[8 + index] = UInt8(truncatingIfNeeded: EncodedSections.version >> UInt32(8 * index)) }
    let owner = Owner()
    blob.withUnsafeBytes { bytes in
        guard let table = try? unsafe UnwindTable(bytes, keeping: owner) else { return }
        var unwinder = Unwinder(table.architecture, maximumFrames: 32)
        unwinder.set(.ready(table), forFile: 0)
        var registers = UserRegisters(table.architecture)
        for number in 0..<33 { registers[number] = 0x7000_0000 + UInt64(number) * 8 }
        let stack: [UInt64] = (0..<256).map { $0 % 3 == 0 ? 0x5000_1000 + UInt64($0) : 0x7000_0000 + UInt64($0) * 8 }
        let mappings = [CodeMapping(start: 0x5000_0000, end: 0x6000_0000, fileOffset: 0, file: 0)]
        for place: UInt64 in [0, 0x1000, 0x1010, 0x1800, 0x10_0000] {
            registers.programCounter = 0x5000_0000 + place
            registers.stackPointer = 0x7000_0000
            _ = unwinder.unwind(registers, stack: stack.span.bytes, mappings: mappings.span)
            precondition(unwinder.frames.count <= 32)
        }
    }
    return 0
}

private final class Owner: Sendable {}
