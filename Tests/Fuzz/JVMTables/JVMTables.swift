// fuzz: LanguageRuntimes, LinuxSystem
import LanguageRuntimes

/// The memory of a process with a JVM as its owner might make it: the library's dynamic symbols, the tables in which
/// HotSpot describes itself, code heaps, methods, debugging data.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    guard let choice = input.first else { return 0 }
    // A page is read as a whole or not at all.
    var bytes = Array(input.dropFirst())
    bytes += [UInt8](repeating: 0, count: (4096 - bytes.count % 4096) % 4096)
    let memory = MemoryImage(start: 0x1_0000, bytes: bytes)
    guard var reader = try? JVMReader(memory, libraryStart: 0x1_0000, isX86: choice & 1 == 0) else { return 0 }
    for time: UInt64 in [10, 20] {
        guard (try? reader.refresh(at: time)) != nil else { continue }
        var end: UInt64 = 0
        for range in reader.ranges.prefix(256) {
            // What the unwinder is given must be in order.
            precondition(range.start >= end && range.start < range.end, "ranges overlap")
            end = range.end
            for address in [range.start, range.start + (range.end - range.start) / 2, range.end - 1] {
                for frame in reader.frames(at: address, time: time) { precondition(frame.function.utf8.count < 4096) }
                _ = reader.names.match(address, at: time)
            }
        }
    }
    for place in stride(from: 0, to: bytes.count, by: 512) {
        let method = 0x1_0000 + UInt64(place)
        _ = reader.interpretedFrame(method: method, bytecodePointers: [UInt32(truncatingIfNeeded: method), 7])
        _ = reader.interpretedFrame(framePointer: method, bytecodePointer: method) { $0 < 0x1_0000 ? nil : $0 }
    }
    return 0
}
