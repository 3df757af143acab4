// fuzz: LanguageRuntimes
import LanguageRuntimes

/// A perf map in pieces: the first byte says how long they are. Whatever was taken must be found where it lies.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    guard let first = bytes.first else { return 0 }
    var limits = RuntimeCodeNames.Limits()
    limits.entries = 4096
    limits.nameBytes = 1 << 16
    limits.bytesOfAName = 64
    var map = PerfMap(limits: limits)
    var rest = bytes.dropFirst()
    var time: UInt64 = 1
    while !rest.isEmpty {
        let piece = rest.prefix(Int(first) + 1)
        map.append(piece, at: time)
        rest = rest.dropFirst(piece.count)
        time += 1
    }
    precondition(map.names.count <= limits.entries * 4, "more ranges than entries can make")
    for address in [UInt64(0), 1, 0x10, 0x1000, 0x7FFF_FFFF, .max] {
        if let match = map.names.match(address, at: time / 2) {
            precondition(match.range.contains(address), "a match that doesn't hold its address")
            precondition(match.name.utf8.count <= 3 * limits.bytesOfAName)
        }
    }
    map.append(Array("\n".utf8)[...], at: time)
    let losses = map.names.losses
    map.append(Array("fff000 10 last\n".utf8)[...], at: time)
    // The newest entry is found unless it was left out for a limit.
    if map.names.losses == losses {
        precondition(map.names.match(0xFFF008, at: time)?.name == "last", "the last entry doesn't win")
    }
    return 0
}
