import Compression
import Glibc
import Testing

/// Made by `printf 'symbol symbol symbol symbol' | xz --format=xz -9` and `python3 -c 'zlib.compress(...)'`.
private let text = Array("symbol symbol symbol symbol".utf8)

private func packed(_ tool: String) -> [UInt8] {
    guard let stream = unsafe popen("printf 'symbol symbol symbol symbol' | \(tool)", "r") else { return [] }
    defer { unsafe pclose(stream) }
    var buffer = [UInt8](repeating: 0, count: 4096)
    return Array(buffer[..<(unsafe fread(&buffer, 1, 4096, stream))])
}

private let pythonZlib = "python3 -c 'import sys,zlib; sys.stdout.buffer.write(zlib.compress(sys.stdin.buffer.read()))'"

private func inflated(_ bytes: [UInt8], size: Int) throws -> [UInt8] {
    var target = [UInt8](repeating: 0, count: size)
    try unsafe target.withUnsafeMutableBytes { try unsafe Zlib.decompress(bytes.span.bytes, into: $0) }
    return target
}

@Suite struct SectionCompressionTests {
    @Test func `what xz packs is unpacked, within the limit alone`() throws {
        let bytes = packed("xz -9 -c")
        #expect(try XZ.decompress(bytes, limit: text.count) == text)
        #expect(throws: CompressionError.overLimit(limit: text.count - 1)) {
            try XZ.decompress(bytes, limit: text.count - 1)
        }
    }

    @Test func `every cut and every flipped byte of an xz stream is refused or gives the same`() throws {
        let bytes = packed("xz -9 -c")
        for length in bytes.indices {
            #expect(throws: CompressionError.self) { try XZ.decompress(Array(bytes[..<length]), limit: 1 << 20) }
        }
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 0x55
            if let got = try? XZ.decompress(damaged, limit: 1 << 20) { #expect(got == text) }
        }
    }

    @Test func `what zlib packs fills exactly the room that is stated`() throws {
        let bytes = packed(pythonZlib)
        #expect(try inflated(bytes, size: text.count) == text)
        for size in [0, 1, text.count - 1, text.count + 1, 1000] {
            #expect(throws: CompressionError.self) { try inflated(bytes, size: size) }
        }
        for length in bytes.indices {
            #expect(throws: CompressionError.self) { try inflated(Array(bytes[..<length]), size: text.count) }
        }
    }

    @Test func `the checksum of a debug link is that of zlib, in one piece or several`() {
        // The check value of CRC-32/ISO-HDLC.
        let digits = Array("123456789".utf8)
        #expect(Zlib.crc32(digits) == 0xCBF4_3926)
        #expect(Zlib.crc32(Array(digits[4...]), previous: Zlib.crc32(Array(digits[..<4]))) == 0xCBF4_3926)
        #expect(Zlib.crc32([]) == 0)
        #expect(Zlib.crc32([], previous: 7) == 7)
    }
}
