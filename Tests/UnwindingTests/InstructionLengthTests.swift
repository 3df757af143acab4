import ObjectFiles
import Testing
import ToolOutput

@testable import Unwinding

struct InstructionLengthTests {
    private static let cases: [(String, String)] = [
        ("push %rbp", "55"), ("push %r15", "41 57"), ("sub $0x1000,%rsp", "48 81 ec 00 10 00 00"),
        ("movabs $imm,%rax", "48 b8 01 02 03 04 05 06 07 08"), ("mov moffs,%al", "a0 01 02 03 04 05 06 07 08"),
        ("addr32 mov moffs", "67 a1 01 02 03 04"), ("mov $imm16,%ax", "66 b8 01 02"), ("test $imm,%cl", "f6 c1 01"),
        ("not %cl", "f6 d1"), ("test $imm32", "f7 c1 01 02 03 04"), ("test $imm16", "66 f7 c1 01 02"),
        ("neg %ecx", "f7 d9"), ("enter", "c8 10 00 00"), ("nopw", "66 2e 0f 1f 84 00 00 00 00 00"),
        ("lea (,%rax,8)", "48 8d 04 c5 00 00 00 00"), ("mov rip-relative", "48 8b 05 01 02 03 04"),
        ("jo rel32", "0f 80 01 02 03 04"), ("pshufd", "66 0f 70 c1 1b"), ("palignr", "66 0f 3a 0f c1 08"),
        ("pshufb", "66 0f 38 00 c1"), ("vzeroupper", "c5 f8 77"), ("vpaddd", "c5 fd fe c1"),
        ("vpermq", "c4 e3 fd 00 c1 4e"), ("andn", "c4 e2 f0 f2 c2"), ("evex vmovdqu64", "62 f1 fe 48 6f 46 01"),
        ("evex vpternlogq", "62 f3 f5 48 25 c2 96"), ("xop vprotd", "8f e8 78 c2 c1 07"), ("pop (%rax)", "8f 00"),
        ("extrq", "66 0f 78 c1 01 02"), ("vmread", "0f 78 c1"), ("pfadd of 3DNow!", "0f 0f c1 9e"),
        ("call rel32", "e8 01 02 03 04"), ("data16 rex.W call", "66 48 e8 01 02 03 04"), ("endbr64", "f3 0f 1e fa"),
        ("ud2", "0f 0b"), ("xbegin", "c7 f8 01 02 03 04"), ("lock cmpxchg16b", "f0 48 0f c7 0e"),
    ]

    @Test(arguments: cases)
    func `an instruction is as long as its bytes`(name: String, bytes: String) {
        let code = bytes.split(separator: " ").compactMap { UInt8($0, radix: 16) }
        let padded = code + [0x90]
        #expect(unsafe Int(Instruction.decode(padded.span.bytes, at: 0, .x86_64).length) == code.count, "\(name)")
        // Cut off anywhere, it is none; and nothing behind the span is read.
        for count in 0..<code.count {
            let part = Array(code[..<count])
            let length = unsafe Int(Instruction.decode(part.span.bytes, at: 0, .x86_64).length)
            #expect(length <= count, "\(name) of \(count) bytes")
        }
    }

    @Test(arguments: ["06", "27", "60", "82 c0 01", "9a", "d4 0a", "d6", "ea", "0f 04", "0f 0a", "0f 24 c0"])
    func `what 64-bit mode doesn't know is no instruction`(bytes: String) {
        let code = bytes.split(separator: " ").compactMap { UInt8($0, radix: 16) } + [UInt8](repeating: 0, count: 16)
        #expect(unsafe Instruction.decode(code.span.bytes, at: 0, .x86_64) == .undecodable)
    }

    @Test func `an instruction of more than 15 bytes is none`() {
        let code = [UInt8](repeating: 0x66, count: 15) + [0x90, 0x90]
        #expect(unsafe Instruction.decode(code.span.bytes, at: 0, .x86_64) == .undecodable)
        #expect(unsafe Instruction.decode(code.span.bytes, at: 1, .x86_64).length == 15)
    }

    /// In libcrypto, tables lie between functions; objdump shows them as instructions. They have no frame information.
    @Test(arguments: ["libc.so.6", "libstdc++.so.6", "libcrypto.so.3"])
    func `all instructions of a library are as long as objdump says`(name: String) throws {
        let path = "/usr/lib/x86_64-linux-gnu/" + name
        guard let library = try MeasuredCode(path) else { return }
        let ranges = output(
            of:
                "readelf --debug-dump=frames \(path) 2>/dev/null | sed -n 's/.* FDE .*pc=\\(.*\\)\\.\\.\\(.*\\)/\\1 \\2/p'"
        ).split(separator: "\n").compactMap { line -> Range<UInt64>? in
            let ends = line.split(separator: " ").compactMap { UInt64($0, radix: 16) }
            return ends.count == 2 && ends[0] < ends[1] ? ends[0]..<ends[1] : nil
        }.sorted { $0.lowerBound < $1.lowerBound }
        try #require(!ranges.isEmpty)
        let (checked, differing) = compare(library, with: path, options: "") { address in
            var low = 0
            var high = ranges.count
            while low < high {
                let middle = (low + high) / 2
                if ranges[middle].lowerBound <= address { low = middle + 1 } else { high = middle }
            }
            return low > 0 && ranges[low - 1].contains(address)
        }
        print("\(name): \(checked) instructions, \(differing.count) of another length")
        #expect(checked > 100_000)
        #expect(differing.isEmpty, "\(differing.prefix(10))")
    }

    @Test func `instructions of a large program are as long as objdump says`() throws {
        let path =
            output(of: "readlink -f \"$(command -v swiftc)\"").split(separator: "\n").first.map(String.init) ?? ""
        guard let program = try MeasuredCode(path) else { return }
        // A stretch of 1 MiB in the middle, from a function's start: the section is 16-byte aligned, ours is found by
        // beginning at the section's start.
        let end = program.address + (1 << 20)
        let (checked, differing) = compare(program, with: path, options: "--stop-address=\(end)") { $0 < end - 16 }
        #expect(checked > 100_000)
        #expect(differing.isEmpty, "\(differing.prefix(10))")
    }

    /// Addresses whose instruction is longer or shorter than objdump says.
    private func compare(
        _ code: MeasuredCode, with path: String, options: String, where isCode: (UInt64) -> Bool
    ) -> (checked: Int, differing: [String]) {
        // One address a line; a minus where what comes next doesn't follow, or objdump knows no instruction.
        let listing = output(
            of: """
                objdump -d --no-show-raw-insn -j .text \(options) \(path) | awk -F'\\t' \
                '/^ *[0-9a-f]+:\\t/ { sub(/^ */, "", $1); sub(/:/, "", $1); print $1; if ($2 ~ /bad|fwait|^fst|^fcl|^fin|^fsa/) print "-" } \
                /^\\t\\.\\.\\./ { print "-" }'
                """)
        let span = unsafe code.bytes.span.bytes
        var previous: UInt64?
        var checked = 0
        var differing: [String] = []
        for line in listing.utf8.split(separator: UInt8(ascii: "\n")) {
            guard let address = hexadecimal(line) else {
                previous = nil
                continue
            }
            if let previous, isCode(previous) {
                let length = Instruction.decode(span, at: Int(previous - code.address), .x86_64).length
                checked += 1
                if UInt64(length) != address - previous {
                    differing.append("\(String(previous, radix: 16)): \(length), not \(address - previous)")
                }
            }
            previous = address
        }
        return (checked, differing)
    }

    private func hexadecimal(_ text: Substring.UTF8View) -> UInt64? {
        var value: UInt64 = 0
        for byte in text {
            switch byte {
            case 48...57: value = value << 4 | UInt64(byte - 48)
            case 97...102: value = value << 4 | UInt64(byte - 87)
            default: return nil
            }
        }
        return value
    }
}

/// The `.text` of a file.
struct MeasuredCode {
    let bytes: [UInt8]
    let address: UInt64

    /// nil where the file isn't there.
    init?(_ path: String) throws {
        let file = contents(path)
        guard !file.isEmpty else { return nil }
        let sections = try ObjectFile(ObjectBytes(file)).sections.get()
        guard let text = sections.first(where: { $0.name == ".text" }) else { return nil }
        bytes = Array(file[Int(text.offset)..<Int(text.offset + text.size)])
        address = text.address
    }
}
