// fuzz: WireProtocol, Compression, Profiles
import Compression
import Profiles
import WireProtocol

/// First byte 0: a stream of messages in pieces. Else: the content of a batch, packed up under a right digest.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    guard let kind = input.first else { return 0 }
    let bytes = Array(input.dropFirst())
    if kind == 0 {
        var decoder = MessageDecoder(limit: 1 << 20)
        for piece in stride(from: 0, to: bytes.count, by: 7) {
            decoder.append(bytes[piece..<min(piece + 7, bytes.count)])
            do {
                while let message = try decoder.next() {
                    if case .batch(let batch) = message { _ = try batch.windowProfile() }
                }
            } catch { return 0 }
        }
    } else if let body = try? Zstandard.compress(bytes, level: 1) {
        let none = Identifier(high: 0, low: 0)
        let batch = Batch(
            name: BatchName(agent: none, epoch: none, sequence: 1, digest: Batch.digest(of: body)),
            window: TimeRange(start: Timestamp(nanoseconds: 0), end: Timestamp(nanoseconds: 0)), samples: 0,
            expandedBytes: UInt64(bytes.count), body: body)
        _ = try? batch.windowProfile()
    }
    return 0
}
