import Compression
import Glibc
import Testing

private func gzip(_ command: String) -> [UInt8] {
    guard let stream = unsafe popen(command, "r") else { return [] }
    defer { unsafe pclose(stream) }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    return Array(buffer[..<(unsafe fread(&buffer, 1, buffer.count, stream))])
}

@Suite struct GzipTests {
    @Test func `what gzip writes is read, with several members too, within the limit alone`() throws {
        let bytes = gzip("printf 'one ' | gzip -9; printf 'two' | gzip -1")
        #expect(Gzip.isGzip(bytes))
        #expect(try Gzip.decompress(bytes, limit: 7) == Array("one two".utf8))
        #expect(throws: CompressionError.overLimit(limit: 6)) { try Gzip.decompress(bytes, limit: 6) }
    }

    @Test func `what is written is read by gzip and here, empty and large`() throws {
        let large = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
        for bytes in [[], Array("a".utf8), large] {
            let file = Gzip.compress(bytes)
            #expect(try Gzip.decompress(file, limit: bytes.count) == bytes)
            #expect(file == Gzip.compress(bytes))
        }
        let hex = Gzip.compress(Array("hello".utf8)).map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }
            .joined()
        #expect(gzip("bash -c \"printf '\(hex)' | gzip -dc\"") == Array("hello".utf8))
    }

    @Test func `every cut is refused, and no flipped byte does harm`() throws {
        let text = Array("symbol symbol symbol symbol".utf8)
        let bytes = Gzip.compress(text)
        for length in bytes.indices {
            #expect(throws: CompressionError.self) { try Gzip.decompress(Array(bytes[..<length]), limit: 1 << 20) }
        }
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 0x55
            if let got = try? Gzip.decompress(damaged, limit: 1 << 20) { #expect(got == text) }
        }
    }
}
