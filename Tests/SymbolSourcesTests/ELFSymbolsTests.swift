import Glibc
import LinuxSystem
import ObjectFiles
import Profiles
import SymbolSources
import SymbolTables
import Testing
import ToolOutput

private func table(_ path: String) throws -> SymbolTable {
    let file = try OwnedDescriptor.open(path)
    let source = try DescriptorSource(file.rawValue)
    return try ELFSymbols.table(of: ObjectFile(source), from: source)
}

/// Addresses by name of `nm`.
private func addresses(_ path: String) -> [String: UInt64] {
    var found: [String: UInt64] = [:]
    for line in output(of: "nm \(path)").split(separator: "\n") {
        let fields = line.split(separator: " ")
        if fields.count == 3 { found[String(fields[2])] = UInt64(fields[0], radix: 16) }
    }
    return found
}

private func compiled(_ assembly: String) -> String {
    let path = "/tmp/elf-symbols-tests-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    _ = output(of: "printf '%s' '\(assembly)' | cc -x assembler - -no-pie -o \(path) 2>&1")
    return path
}

@Suite struct ELFSymbolsTests {
    @Test func `every function that nm lists is found at its first and last byte`() throws {
        let path = "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"
        let table = try table(path)
        #expect(table.quality == .dynamicSymbols)
        var names: [UInt64: Set<String>] = [:]
        var sizes: [UInt64: UInt64] = [:]
        let lines = output(of: "nm -DCS --defined-only \(path) | sed -E 's/@@?[A-Z_0-9.]+$//'").split(separator: "\n")
        for line in lines {
            let fields = line.split(separator: " ", maxSplits: 3)
            guard fields.count == 4, ["T", "W", "i"].contains(fields[2]), let address = UInt64(fields[0], radix: 16),
                let size = UInt64(fields[1], radix: 16)
            else { continue }
            names[address, default: []].insert(String(fields[3]))
            sizes[address] = max(sizes[address] ?? 0, size)
        }
        #expect(names.count > 2000)
        for (address, candidates) in names where candidates.allSatisfy({ $0.utf8.count <= 1024 }) {
            let match = table.lookUp(address)
            #expect(match.map { candidates.contains($0.name) } == true, "\(String(address, radix: 16)) \(candidates)")
            if let size = sizes[address], size > 0 { #expect(table.lookUp(address + size - 1)?.name == match?.name) }
        }
    }

    @Test func `functions inside others, without size, and of one address are told apart`() throws {
        let path = compiled(
            """
            .text
            .globl main, whole, better_name, __worse
            .weak weak_name
            .type main,@function
            .type outer,@function
            .type inner,@function
            .type open,@function
            .type whole,@function
            .type weak_name,@function
            .type better_name,@function
            .type __worse,@function
            .type last,@function
            main: ret
            .size main,1
            outer: .skip 10
            inner: .skip 5
            .size inner,5
            .skip 15
            .size outer,30
            open: .skip 20
            whole: .skip 8
            .size whole,8
            .skip 4
            weak_name:
            better_name:
            __worse: .skip 7
            .size weak_name,7
            .size better_name,7
            .size __worse,7
            last: .skip 3

            """)
        defer { unsafe unlink(path) }
        let table = try table(path)
        let at = addresses(path)
        func name(_ symbol: String, _ offset: UInt64) -> String? {
            at[symbol].flatMap { table.lookUp($0 + offset)?.name }
        }
        #expect(table.quality == .symbols)
        #expect(name("main", 0) == "main")
        #expect(name("outer", 9) == "outer")
        #expect(name("outer", 10) == "inner")
        #expect(name("outer", 14) == "inner")
        #expect(name("outer", 15) == "outer")
        #expect(name("outer", 29) == "outer")
        #expect(name("open", 0) == "open")
        #expect(name("open", 19) == "open")
        #expect(name("whole", 7) == "whole")
        #expect(name("whole", 8) == nil)
        for symbol in ["weak_name", "better_name", "__worse"] { #expect(name(symbol, 6) == "better_name") }
        // To the end of the section, which the assembler's padding may lengthen.
        #expect(name("last", 2) == "last")
    }

    @Test func `a stripped program gives an empty table`() throws {
        let path = compiled(".globl main\nmain: ret\n")
        defer { unsafe unlink(path) }
        _ = output(of: "strip -R .dynsym -R .dynstr \(path) 2>&1; strip \(path)")
        let table = try table(path)
        #expect(table.rangeCount <= 10)
        #expect(table.quality < .symbols)
    }

    @Test func `the kernel's shared object is read from memory`() throws {
        let image = try #require(VirtualSharedObject.image())
        let source = ObjectBytes(image)
        let table = try ELFSymbols.table(of: ObjectFile(source), from: source)
        #expect(table.nameCount > 2)
    }
}
