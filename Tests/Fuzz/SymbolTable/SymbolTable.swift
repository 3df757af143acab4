// fuzz: SymbolTables, ByteCoding, Compression
import ByteCoding
import Compression
import SymbolTables

/// A table as it comes over the network, as it is and with the input as the checked and compressed part, since no fuzzer
/// finds a checksum or a zstd frame by chance.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    look(into: bytes)
    guard let frame = try? Zstandard.compress(bytes, level: 1) else { return 0 }
    var checked = ByteWriter()
    checked.writeVarint(UInt64(bytes.count))
    checked.write(frame)
    var writer = ByteWriter()
    writer.write(Array("PFSY".utf8))
    writer.write(SymbolTable.version)
    writer.write(CRC32C.checksum(checked.bytes))
    writer.write(checked.bytes)
    look(into: writer.bytes)
    return 0
}

private func look(into bytes: [UInt8]) {
    guard let table = try? SymbolTable(decoding: bytes) else { return }
    for address in [0, 1, 0x1000, 0x40_0000, UInt64.max] {
        _ = table.lookUp(address)
        _ = table.frames(at: address)
    }
    for index in 0..<table.nameCount { _ = table.name(index) }
}
