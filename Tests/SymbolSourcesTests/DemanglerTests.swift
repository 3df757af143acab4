import Glibc
import SymbolSources
import Testing
import ToolOutput

private func demangled(_ name: String) -> String {
    var demangler = Demangler()
    return String(decoding: demangler.demangle(Array(name.utf8)[...]), as: UTF8.self)
}

/// The mangled names of a file's dynamic symbols and what a tool makes of them.
private func pairs(_ path: String, _ pattern: String, by tool: String) -> [(mangled: String, expected: String)] {
    let names = "nm -D --defined-only \(path) | awk '{print $3}' | sed 's/@.*//' | grep -E '\(pattern)' | sort -u"
    let mangled = output(of: names).split(separator: "\n").map(String.init)
    let expected = output(of: "\(names) | \(tool)").split(separator: "\n").map(String.init)
    return mangled.count == expected.count ? Array(zip(mangled, expected)) : []
}

private let libstdcxx = "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"

@Suite struct DemanglerTests {
    /// `nm -C`, as perf, asks libiberty for std::string; c++filt would spell out std::basic_string<char, …>.
    @Test func `C++ names are those of nm -C`() {
        let names = "nm -Dp --defined-only \(libstdcxx)"
        let version = "sed -E 's/^[0-9a-f]+ . //; s/@.*//'"
        let mangled = output(of: "\(names) | \(version)").split(separator: "\n").map(String.init)
        let expected = output(of: "\(names) -C | \(version)").split(separator: "\n").map(String.init)
        #expect(mangled.count == expected.count)
        #expect(mangled.count > 3000)
        var different: [String] = []
        for (mangled, expected) in zip(mangled, expected) where expected.utf8.count <= Demangler.maximumNameBytes {
            if demangled(mangled) != expected { different.append(mangled) }
        }
        #expect(different.isEmpty)
    }

    @Test func `Swift names are those of swift demangle without sugar`() {
        let library = "$(dirname $(readlink -f $(command -v swift)))/../lib/swift/linux/libswift_Concurrency.so"
        let pairs = pairs(library, "^[$]s", by: "swift demangle --compact --no-sugar")
        #expect(pairs.count > 500)
        for (mangled, expected) in pairs where expected.utf8.count <= Demangler.maximumNameBytes {
            #expect(demangled(mangled) == expected)
        }
    }

    @Test(arguments: [
        // Rust, older form: the hash and LLVM's suffix go.
        ("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt"),
        ("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE.llvm.12345678", "core::fmt::Write::write_fmt"),
        (
            "_ZN51_$LT$u8$u20$as$u20$core..convert..From$LT$T$GT$$GT$4from17h0123456789abcdefE",
            "<u8 as core::convert::From<T>>::from"
        ),
        // Rust, RFC 2603.
        ("_RNvC6_123foo3bar", "123foo::bar"),
        ("_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar"),
        ("_RINvNtC3std3mem8align_ofdE", "std::mem::align_of::<f64>"),
        // D.
        ("_D8demangle4testFaZv", "demangle.test(char)"),
        // C++: compilers' clones, and names that end in a version.
        ("compress.constprop.0", "compress [clone .constprop.0]"), ("f.isra.0.cold", "f [clone .isra.0] [clone .cold]"),
        ("go.main.run", "go.main.run"),
        ("_ZN3foo3barEv.constprop.0", "foo::bar() [clone .constprop.0]"),
        ("_ZNSt6localeC1Ev@@GLIBCXX_3.4", "std::locale::locale()"),
        ("memcpy@@GLIBC_2.14", "memcpy"),
        ("$s4main3fooyyF", "main.foo() -> ()"), ("_$s4main3fooyyF", "main.foo() -> ()"),
        // Names that are not mangled, or only look so.
        ("main", "main"), ("_Zzz", "_Zzz"), ("_R", "_R"), ("_D", "_D"), ("$s", "$s"), ("", ""), ("@", "@"), ("_", "_"),
        ("tab\tnew\nline", "tab\tnew\nline"),
    ])
    func `names come out as their language writes them`(mangled: String, expected: String) {
        #expect(demangled(mangled) == expected)
    }

    @Test func `a name over the limit is cut and marked, between characters`() {
        let name = demangled(String(repeating: "é", count: 2000))
        #expect(name.utf8.count <= Demangler.maximumNameBytes)
        #expect(name.utf8.count >= Demangler.maximumNameBytes - 4)
        #expect(name.hasSuffix("é…"))
        #expect(demangled(String(repeating: "a", count: Demangler.maximumNameBytes)).hasSuffix("a"))
    }

    @Test func `bytes that are not UTF-8 become replacement characters`() {
        var demangler = Demangler()
        let name = demangler.demangle([0x66, 0xFF, 0x67][...])
        #expect(String(validating: name, as: UTF8.self) == "f\u{FFFD}g")
    }

    @Test(arguments: [
        "_Z" + String(repeating: "N", count: 8000), "_Z1fI" + String(repeating: "P", count: 8000) + "iE",
        "_Z1f" + String(repeating: "S_", count: 4000), "_R" + String(repeating: "R", count: 8000),
        "_RN" + String(repeating: "B0_", count: 2000), "$s" + String(repeating: "y", count: 8000),
        "$s" + String(repeating: "Sg", count: 4000), "_D" + String(repeating: "9", count: 8000),
        "_D1a" + String(repeating: "Q", count: 8000),
        // Each reference doubles what went before.
        "_Z1fI1AIiiES_" + (0..<30).map { "IS\($0 < 10 ? String($0) : "A")_S0_E" }.joined() + "Evv",
    ])
    func `names made to break demanglers end in a name`(mangled: String) {
        #expect(demangled(mangled).utf8.count <= Demangler.maximumNameBytes)
    }
}
