import Glibc
import SymbolSources
import Testing
import ToolOutput

private let text = """
    0000000000000000 A fixed_percpu_data
    ffffffff81000000 T _stext
    ffffffff81000000 T startup_64
    ffffffff81000000 T _text
    ffffffff81000100 t helper
    ffffffff81000180 W arch_hook
    ffffffff81000180 t arch_local
    ffffffff81000200 T __x64_sys_read
    ffffffff81000200 W weak_alias
    ffffffff81000300 D some_data
    ffffffff81000400 t last_of_kernel
    ffffffffc0001000 t nf_hook\t[nf_tables]
    ffffffffc0001040 T nf_register\t[nf_tables]
    ffffffffc0003000 t bpf_prog_6deef7357e7b4530_sd\t[bpf]
    not a line
    ffffffffc0004000 t

    """

@Suite struct KernelSymbolsTests {
    @Test(
        arguments: [
            (0xffff_ffff_8100_0000, "startup_64", nil), (0xffff_ffff_8100_00ff, "startup_64", nil),
            (0xffff_ffff_8100_0100, "helper", nil), (0xffff_ffff_8100_0180, "arch_local", nil),
            (0xffff_ffff_8100_0200, "__x64_sys_read", nil), (0xffff_ffff_8100_02ff, "__x64_sys_read", nil),
            (0xffff_ffff_8100_0300, nil, nil), (0xffff_ffff_8100_0400, "last_of_kernel", nil),
            (0xffff_ffff_c000_1000, "nf_hook", "nf_tables"), (0xffff_ffff_c000_2fff, "nf_register", "nf_tables"),
            (0xffff_ffff_c000_3000, "bpf_prog_6deef7357e7b4530_sd", "bpf"), (0xffff_ffff_c000_5000, nil, nil),
            (0, nil, nil), (.max, nil, nil),
        ] as [(UInt64, String?, String?)])
    func `an address is named by the function that holds it`(address: UInt64, name: String?, module: String?) throws {
        let found = try KernelSymbols(parsing: Array(text.utf8)).name(at: address)
        #expect(found?.name == name)
        #expect(found?.module == module)
    }

    @Test func `hidden addresses are told from a list without functions`() {
        let hidden = "0000000000000000 T _stext\n0000000000000000 t helper\n"
        #expect(throws: KernelSymbolsError.addressesHidden) { try KernelSymbols(parsing: Array(hidden.utf8)) }
        #expect(throws: KernelSymbolsError.noFunctions) { try KernelSymbols(parsing: []) }
        #expect(throws: KernelSymbolsError.unreadable(path: "/nonexistent", code: 2)) {
            try KernelSymbols.read(path: "/nonexistent")
        }
    }

    @Test func `every truncation of the list is read without harm`() {
        let bytes = Array(text.utf8)
        for length in bytes.indices { _ = try? KernelSymbols(parsing: Array(bytes[..<length])) }
    }

    @Test(.enabled(if: geteuid() == 0, "only root sees the kernel's addresses"))
    func `the running kernel's functions are found at their addresses`() throws {
        // The first 20,000 lines are enough.
        let lines = output(of: "head -20000 /proc/kallsyms")
        let symbols = try KernelSymbols(parsing: Array(lines.utf8))
        var names: [UInt64: Set<String>] = [:]
        for line in lines.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard ["t", "T", "w", "W"].contains(fields[1]), let address = UInt64(fields[0], radix: 16) else { continue }
            names[address, default: []].insert(String(fields[2].prefix { $0 != "\t" }))
        }
        #expect(symbols.count == names.count)
        for (address, candidates) in names {
            #expect(symbols.name(at: address).map { candidates.contains($0.name) } == true)
        }
    }
}
