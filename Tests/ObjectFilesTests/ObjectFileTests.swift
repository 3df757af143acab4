import Glibc
import ObjectFiles
import Profiles
import Testing
import ToolOutput

/// A program, libraries without .symtab, a debug file: what a fresh Debian has, and one built here with all symbols.
let realFiles = [
    "/bin/bash", "/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libstdc++.so.6", compiledProgram,
]

/// `cc` on a program of a few functions, without position independence, so that it is of the other kind.
let compiledProgram: String = {
    let path = "/tmp/object-files-tests-\(getpid())"
    let code =
        "static int hidden(int x){return x*2;} int shown(int x){return hidden(x)+1;} int main(){return shown(2);}"
    _ = output(of: "printf '%s' '\(code)' | cc -O0 -no-pie -x c - -o \(path) 2>&1")
    return path
}()

@Suite struct ObjectFileTests {
    @Test(arguments: 0..<4) func `load segments are those of readelf`(index: Int) throws {
        let path = realFiles[index]
        let file = try ObjectFile(ObjectBytes(contents(path)))
        // Type Offset VirtAddr PhysAddr FileSiz MemSiz Flg Align
        let expected = output(of: "readelf -lW \(path)").split(separator: "\n").compactMap { line -> LoadSegment? in
            let fields = line.split(separator: " ")
            guard fields.first == "LOAD" else { return nil }
            func number(_ index: Int) -> UInt64 { UInt64(fields[index].dropFirst(2), radix: 16) ?? 0 }
            return LoadSegment(
                fileOffset: number(1), fileSize: number(4), virtualAddress: number(2),
                isExecutable: fields[6...].dropLast().contains { $0.contains("E") })
        }
        #expect(!expected.isEmpty)
        #expect(file.loadSegments == expected)
    }

    @Test(arguments: 0..<4) func `sections are those of readelf`(index: Int) throws {
        let path = realFiles[index]
        let sections = try ObjectFile(ObjectBytes(contents(path))).sections.get()
        // [Nr] Name Type Address Off Size ES Flg Lk Inf Al
        let expected = output(of: "readelf -SW \(path)").split(separator: "\n").compactMap { line -> [String]? in
            guard let close = line.firstIndex(of: "]"), line.contains("["), !line.contains("[Nr]") else { return nil }
            return line[line.index(after: close)...].split(separator: " ").map(String.init)
        }
        #expect(sections.count == expected.count)
        for (section, fields) in zip(sections, expected).dropFirst() {
            #expect(section.name == fields[0])
            #expect(section.address == UInt64(fields[2], radix: 16))
            #expect(section.offset == UInt64(fields[3], radix: 16))
            #expect(section.size == UInt64(fields[4], radix: 16))
        }
    }

    @Test(arguments: 0..<4) func `the build ID is that of readelf`(index: Int) throws {
        let path = realFiles[index]
        let identity = try ObjectFile(ObjectBytes(contents(path))).identity
        let expected = output(of: "readelf -nW \(path) | sed -n 's/.*Build ID: //p'").filter { $0.isHexDigit }
        #expect(identity.kind == .buildID)
        #expect(hex(identity.bytes) == expected)
    }

    @Test(arguments: 0..<4, [ObjectFile.SymbolSection.symbols, .dynamicSymbols])
    func `functions are those of readelf`(index: Int, which: ObjectFile.SymbolSection) throws {
        let path = realFiles[index]
        let source = ObjectBytes(contents(path))
        let functions = try ObjectFile(source).functionSymbols(which, from: source)
        let option = which == .symbols ? "-sW" : "--dyn-syms -W"
        let table = which == .symbols ? ".symtab" : ".dynsym"
        // Num: Value Size Type Bind Vis Ndx Name
        let expected = output(of: "readelf \(option) \(path) | sed -n \"/'\(table)'/,/^$/p\"").split(separator: "\n")
            .compactMap { line -> String? in
                let fields = line.split(separator: " ")
                guard fields.count >= 8, fields[3] == "FUNC" || fields[3] == "IFUNC", fields[6] != "UND",
                    fields[6] != "ABS"
                else { return nil }
                // readelf adds the version, which is not in the strings.
                return "\(fields[1]) \(fields[4]) \(fields[7].prefix { $0 != "@" })"
            }
        let found = (functions?.symbols ?? []).compactMap { symbol -> String? in
            let name = String(decoding: functions?.nameBytes(symbol, limit: 1 << 16) ?? [], as: UTF8.self)
            let address = String(symbol.address, radix: 16)
            let binding = [.local: "LOCAL", .global: "GLOBAL", .weak: "WEAK"][symbol.binding] ?? ""
            let padded = String(repeating: "0", count: 16 - address.count) + address
            return "\(padded) \(binding) \(name.prefix { $0 != "@" })"
        }
        #expect(found == expected)
        #expect(which == .symbols || index == 3 || found.count > 100)
    }

    @Test func `a file without build ID is known by its size and headers`() throws {
        let path = "/tmp/object-files-tests-\(getpid())-plain"
        _ = output(of: "echo 'int main(){return 0;}' | cc -Wl,--build-id=none -x c - -o \(path)")
        defer { unsafe unlink(path) }
        let bytes = contents(path)
        let identity = try ObjectFile(ObjectBytes(bytes)).identity
        #expect(identity.kind == .contentDigest)
        // size, ELF header, program headers, section headers and notes, by other tools.
        let headers = output(
            of: """
                python3 -c "
                import hashlib,struct
                b=open('\(path)','rb').read()
                po,so=struct.unpack_from('<QQ',b,32); ps,pn,ss,sn=struct.unpack_from('<HHHH',b,54)
                h=[struct.unpack_from('<IIQQQQ',b,po+ps*i) for i in range(pn)]
                n=b''.join(b[o:o+s] for t,_,o,_,_,s in h if t==4)
                print(hashlib.sha256(struct.pack('<Q',len(b))+b[:64]+b[po:po+ps*pn]+b[so:so+ss*sn]+n).hexdigest())"
                """)
        #expect(hex(identity.bytes) == headers.filter { $0.isHexDigit })
        #expect(try ObjectFile(ObjectBytes(bytes + [0])).identity != identity)
        // Builds that differ in a note alone, as Go's by their build ID.
        let name = try #require(bytes.indices.first { bytes[$0...].starts(with: "GNU\0".utf8) })
        var other = bytes
        other[name + 8] ^= 1
        #expect(try ObjectFile(ObjectBytes(other)).identity != identity)
    }

    @Test(arguments: [
        (4, 1, ObjectFileError.unsupported("a 32-bit ELF file")), (5, 2, .unsupported("a big-endian ELF file")),
        (16, 1, .unsupported("a relocatable ELF file")), (16, 4, .unsupported("a core file")), (0, 0, .notELF),
        (54, 55, .malformed(what: "program headers of 55 bytes, not 56")),
    ])
    func `what is not read here is refused by name`(offset: Int, value: UInt8, expected: ObjectFileError) {
        var bytes = contents("/bin/bash")
        bytes[offset] = value
        #expect(throws: expected) { try ObjectFile(ObjectBytes(bytes)) }
    }

    @Test func `no truncation of a file is read beyond its end`() throws {
        let whole = contents(compiledProgram)
        let build = try ObjectFile(ObjectBytes(whole))
        var boundaries = Set([0, 4, 15, 16, 63, 64, whole.count - 1])
        for segment in build.loadSegments { boundaries.insert(Int(segment.fileOffset + segment.fileSize)) }
        for section in try build.sections.get() {
            boundaries.formUnion([Int(section.offset), Int(section.offset + min(section.size, 1 << 20))])
        }
        for length in 0..<1200 { boundaries.insert(length) }
        for boundary in boundaries {
            for length in [boundary - 1, boundary, boundary + 1] where length >= 0 && length < whole.count {
                readEverything(Array(whole[..<length]))
            }
        }
        readEverything(whole)
    }

    @Test func `no flipped bits make the reader fail other than by an error`() {
        let seed =
            unsafe getenv("TEST_SEED").flatMap { unsafe UInt64(String(cString: $0)) } ?? UInt64.random(in: 0 ... .max)
        print("TEST_SEED=\(seed)")
        var generator = SplitMix64(state: seed)
        let whole = contents(compiledProgram)
        for _ in 0..<2000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                // Headers and tables lie at both ends.
                let near = Int.random(in: 0..<1024, using: &generator)
                let offset = Bool.random(using: &generator) ? near : bytes.count - 1 - near * 4 % bytes.count
                bytes[offset] = UInt8.random(in: 0...255, using: &generator)
            }
            readEverything(bytes)
        }
    }
}

/// Reads all that can be read; whatever is wrong must come out as an error.
func readEverything(_ bytes: [UInt8]) {
    let source = ObjectBytes(bytes)
    guard let file = try? ObjectFile(source) else { return }
    for which in [ObjectFile.SymbolSection.symbols, .dynamicSymbols] {
        guard let functions = try? file.functionSymbols(which, from: source) else { continue }
        for symbol in functions.symbols { _ = functions.nameBytes(symbol, limit: 100) }
    }
}

func hex(_ bytes: [UInt8]) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}

/// Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
