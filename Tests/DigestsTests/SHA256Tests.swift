import Digests
import Testing

@Suite struct SHA256Tests {
    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { byte in String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }.joined()
    }

    /// The examples of FIPS 180-2, appendix B, and of the empty message.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func `digests are those of the standard's examples`(text: String, digest: String) {
        #expect(hex(SHA256.digest(of: Array(text.utf8))) == digest)
    }

    @Test(arguments: [0, 1, 63, 64, 65, 999]) func `a digest in two parts equals that of the whole`(split: Int) {
        let bytes = (0..<1_000).map { UInt8(truncatingIfNeeded: $0) }
        var parts = SHA256()
        parts.update(Array(bytes[..<split]))
        parts.update(Array(bytes[split...]))
        #expect(parts.finished() == SHA256.digest(of: bytes))
    }
}
