// fuzz: ProfileStore

import ProfileStore

/// Bytes as each format of the store: nothing is read beyond them, and what can be read is written the same again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    if let problem = StoredFormats.problem(reading: bytes) { preconditionFailure(problem) }
    return 0
}
