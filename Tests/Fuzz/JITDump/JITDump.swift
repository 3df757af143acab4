// fuzz: LanguageRuntimes
import LanguageRuntimes

/// The records of a jitdump, one by one, as far as they can be taken.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    var limits = RuntimeCodeNames.Limits()
    limits.entries = 4096
    limits.nameBytes = 1 << 16
    limits.bytesOfAName = 64
    limits.lines = 4096
    var dump = JITDump(limits: limits)
    var offset = 0
    var steps = 0
    while offset < bytes.count {
        steps += 1
        precondition(steps <= bytes.count, "a record without length")
        guard let step = try? dump.take(bytes[offset...], at: 1) else { break }
        guard case .advance(let size) = step else { break }
        guard size <= UInt64(bytes.count - offset) else { break }
        offset += Int(size)
        if steps % 7 == 0 { dump.endRound() }
    }
    dump.endRound()
    for address in [UInt64(0), 0x1000, 0x1010, 0x4000, .max] {
        if let match = dump.names.match(address, at: 100) {
            precondition(match.range.contains(address), "a match that doesn't hold its address")
        }
    }
    return 0
}
