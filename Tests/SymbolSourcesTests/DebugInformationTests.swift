import Glibc
import LinuxSystem
import ObjectFiles
import SymbolSources
import SymbolTables
import Testing
import ToolOutput

/// How a program is made: `program` is what runs; `full` what addr2line is shown; `debug` and `alternate` what is found
/// beside it.
private struct Recipe: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var tools: [String]
    var command: String
    var debug: String?
    var alternate: String?
    var reference = "addr2line -aifC -e full"
    /// Names of inlined functions are compared too.
    var namesToo = true
    /// Share of addresses with the same files, lines, depth and inlined names.
    var agreement = 1.0

    init(
        _ description: String, _ tools: [String], _ command: String, debug: String? = nil, alternate: String? = nil,
        reference: String? = nil, namesToo: Bool = true, agreement: Double = 1
    ) {
        testDescription = description
        self.tools = tools
        self.command = command
        self.debug = debug
        self.alternate = alternate
        if let reference { self.reference = reference }
        self.namesToo = namesToo
        self.agreement = agreement
    }
}

private let same = "cp program full"
private let llvm = "llvm-symbolizer --inlines --functions=linkage -C --output-style=GNU -a -e full"
/// The same code with all debug information in one file.
private func whole(_ compiler: String) -> String { "\(compiler) -o full" }
/// One more unit, so that the first's parts of sections are not all there is.
private let second = "second.c"
private let secondSource = """
    static inline __attribute__((always_inline)) int thrice(int x) {
        return x * 3;
    }
    int other(int x) {
        return thrice(x) + thrice(x + 1);
    }
    """
private let recipes: [Recipe] = [
    Recipe("C, gcc, DWARF 5", ["gcc"], "gcc -g -O2 chain.c -o program && \(same)"),
    Recipe("C, gcc, DWARF 4", ["gcc"], "gcc -gdwarf-4 -O2 chain.c -o program && \(same)"),
    Recipe("C, gcc, DWARF 3", ["gcc"], "gcc -gdwarf-3 -gstrict-dwarf -O2 chain.c -o program && \(same)"),
    Recipe("C, gcc, -O0", ["gcc"], "gcc -g -O0 chain.c -o program && \(same)"),
    Recipe("C, gcc, no PIE", ["gcc"], "gcc -g -O2 -no-pie chain.c -o program && \(same)"),
    Recipe(
        "C, gcc, discarded sections", ["gcc"],
        "gcc -g -O2 -ffunction-sections -Wl,--gc-sections -Wl,-z,noseparate-code chain.c -o program && \(same)"),
    // addr2line calls the file `<artificial>`.
    Recipe(
        "C, gcc, LTO", ["gcc", "llvm-symbolizer"], "gcc -g -O2 -flto chain.c -o program && \(same)", reference: llvm),
    Recipe("C, gcc, zlib", ["gcc"], "gcc -g -O2 -gz=zlib chain.c -o program && \(same)"),
    Recipe(
        "C, gcc, old zlib", ["gcc"],
        "gcc -g -O2 chain.c -o full && objcopy --compress-debug-sections=zlib-gnu full program"),
    Recipe(
        "C, gcc, zstd", ["gcc"], "gcc -g -O2 chain.c -o full && objcopy --compress-debug-sections=zstd full program"),
    // At three addresses addr2line leaves out the inlined function.
    Recipe(
        "C, clang, DWARF 5", ["clang", "llvm-symbolizer"], "clang -g -O2 chain.c -o program && \(same)",
        reference: llvm),
    Recipe("C, clang, DWARF 4", ["clang"], "clang -gdwarf-4 -O2 chain.c -o program && \(same)"),
    // addr2line names what is inlined into `main.cold` after that.
    Recipe("C++, g++", ["g++"], "g++ -g -O2 shapes.cc -o program && \(same)", namesToo: false),
    Recipe("C++, g++, DWARF 4", ["g++"], "g++ -gdwarf-4 -O2 shapes.cc -o program && \(same)", namesToo: false),
    Recipe(
        "C++, g++, against LLVM", ["g++", "llvm-symbolizer"], "g++ -g -O2 shapes.cc -o program && \(same)",
        reference: llvm, namesToo: false),
    Recipe(
        "debug file by link", ["gcc"],
        """
        gcc -g -O2 chain.c -o full && objcopy --only-keep-debug full program.debug \
        && strip full -o program && objcopy --add-gnu-debuglink=program.debug program
        """, debug: "program.debug"),
    Recipe(
        "debug file by link, no build ID", ["gcc"],
        """
        gcc -g -O2 -Wl,--build-id=none chain.c -o full && objcopy --only-keep-debug full program.debug \
        && strip full -o program && objcopy --add-gnu-debuglink=program.debug program
        """, debug: "program.debug"),
    Recipe(
        "debug file of eu-strip", ["g++", "eu-strip"],
        "g++ -g -O2 shapes.cc -o full && cp full program && eu-strip program -f program.debug",
        debug: "program.debug", namesToo: false),
    Recipe("dwz", ["gcc", "dwz"], "gcc -g -O2 chain.c -o program && \(same) && dwz program"),
    Recipe(
        "dwz, shared file", ["g++", "dwz"],
        """
        g++ -g -O2 shapes.cc -o program && \(same) && g++ -g -O1 shapes.cc -o other && dwz -m shared.debug program other
        """, alternate: "shared.debug", namesToo: false),
    Recipe(
        "split, gcc, DWARF 5", ["gcc"], "gcc -g -gsplit-dwarf -O2 chain.c -o program && \(whole("gcc -g -O2 chain.c"))"),
    Recipe(
        "split, gcc, DWARF 4", ["gcc"],
        "gcc -gdwarf-4 -gsplit-dwarf -O2 chain.c -o program && \(whole("gcc -gdwarf-4 -O2 chain.c"))"),
    Recipe(
        "split, gcc, a section for each function", ["gcc"],
        """
        gcc -gdwarf-4 -gsplit-dwarf -ffunction-sections -O2 chain.c -o program \
        && \(whole("gcc -gdwarf-4 -ffunction-sections -O2 chain.c"))
        """),
    Recipe(
        "split, clang, DWARF 5", ["clang", "llvm-symbolizer"],
        "clang -g -gsplit-dwarf -O2 -c chain.c && clang chain.o -o program && \(whole("clang -g -O2 chain.c"))",
        reference: llvm),
    Recipe(
        "split, clang, DWARF 4", ["clang"],
        """
        clang -gdwarf-4 -gsplit-dwarf -O2 -c chain.c && clang chain.o -o program \
        && \(whole("clang -gdwarf-4 -O2 chain.c"))
        """),
    Recipe(
        "split, g++", ["g++"], "g++ -g -gsplit-dwarf -O2 shapes.cc -o program && \(whole("g++ -g -O2 shapes.cc"))",
        namesToo: false),
    // llvm-dwp 14 never ends over gcc's.
    Recipe(
        "split, package, DWARF 5", ["clang", "llvm-dwp", "llvm-symbolizer"],
        """
        clang -g -gsplit-dwarf -O2 -c chain.c \(second) && clang chain.o second.o -o program \
        && timeout 60 llvm-dwp -e program -o program.dwp && rm *.dwo && \(whole("clang -g -O2 chain.c \(second)"))
        """, reference: llvm),
    Recipe(
        "split, package, DWARF 4", ["gcc", "dwp"],
        """
        gcc -gdwarf-4 -gsplit-dwarf -O2 chain.c \(second) -o program && dwp -e program -o program.dwp && rm *.dwo \
        && \(whole("gcc -gdwarf-4 -O2 chain.c \(second)"))
        """),
    Recipe("Rust", ["rustc"], "rustc -g -O lines.rs -o program && \(same)", agreement: 0.97),
    Recipe(
        "Rust, v0", ["rustc"], "rustc -g -O -C symbol-mangling-version=v0 lines.rs -o program && \(same)",
        agreement: 0.97),
    Recipe("Swift", ["swiftc"], "swiftc -g -O work.swift -o program && \(same)", namesToo: false),
]

private func table(_ program: String, debug: String?, alternate: String?) throws -> SymbolTable {
    let file = try OwnedDescriptor.open(program)
    let source = try DescriptorSource(file.rawValue)
    let debugFile = try debug.map { try Kept($0) }
    let alternateFile = try alternate.map { try Kept($0) }
    let object = try ObjectFile(source)
    let folder = program.prefix(through: program.lastIndex(of: "/") ?? program.startIndex)
    var split: [SplitReference: Kept] = [:]
    for reference in ModuleTable.splitReferences(object, from: source, debug: debugFile?.source) {
        split[reference] = try? Kept(folder + reference.name)
    }
    let package = try? Kept(program + ".dwp")
    return try withExtendedLifetime((split, package)) {
        try ModuleTable.build(
            object, from: source, debug: debugFile?.source, alternate: alternateFile?.source,
            split: SplitSources(files: split.mapValues(\.source), package: package?.source))
    }
}

/// A source that keeps its descriptor.
private final class Kept {
    let file: OwnedDescriptor
    let source: DescriptorSource

    init(_ path: String) throws {
        file = try OwnedDescriptor.open(path)
        source = try DescriptorSource(file.rawValue)
    }
}

@Suite struct DebugInformationTests {
    @Test(arguments: recipes)
    fileprivate func `each address has the functions, files and lines that other tools find`(recipe: Recipe) throws {
        for tool in recipe.tools + ["addr2line", "objdump"] where !hasTools(tool) {
            print("skipped, \(tool) is missing: \(recipe.testDescription)")
            return
        }
        let folder = try Workshop()
        try folder.write("second.c", secondSource)
        try #require(folder.run(recipe.command) != nil, "\(recipe.command)")
        let built = try table(
            folder.path + "/program", debug: recipe.debug.map { folder.path + "/" + $0 },
            alternate: recipe.alternate.map { folder.path + "/" + $0 })
        #expect(built.quality == .debugInformation)
        #expect(built.gaps == [])
        let decoded = try SymbolTable(decoding: built.encoded())
        // The instructions of .text, at most some ten thousand of them.
        let disassembly =
            "objdump -d -j .text --no-show-raw-insn full | awk '/^ *[0-9a-f]+:/{sub(\":\",\"\",$1); print $1}'"
        var addresses = (folder.run(disassembly) ?? "").split(separator: "\n").compactMap { UInt64($0, radix: 16) }
        if addresses.count > 20_000 {
            let step = addresses.count / 10_000
            addresses = stride(from: 0, to: addresses.count, by: step).map { addresses[$0] }
        }
        try #require(addresses.count > 100)
        let expected = try reference(recipe.reference, addresses, in: folder)
        var compared = 0
        var different: [String] = []
        for address in addresses {
            // Without DWARF addr2line names the file that the symbol table does.
            guard let theirs = expected[address], theirs.contains(where: { $0.line > 0 }) else { continue }
            let ours = decoded.frames(at: address)
            // Padding between functions belongs to none.
            if ours.isEmpty { continue }
            compared += 1
            let places = ours.map { "\($0.file):\($0.line)" } == theirs.map { "\($0.file):\($0.line)" }
            let inlined =
                !recipe.namesToo
                || ours.dropLast().map { comparable($0.name) } == theirs.dropLast().map { comparable($0.name) }
            #expect(ours.dropLast().allSatisfy(\.isInlined) && ours.last?.isInlined == false)
            if !places || !inlined {
                different.append(
                    "\(String(address, radix: 16))\n  ours \(ours.map { "\($0.name) \($0.file):\($0.line)" })\n  theirs \(theirs)"
                )
            }
        }
        #expect(compared > 30)
        let share = Double(compared - different.count) / Double(max(compared, 1))
        print("\(recipe.testDescription): \(compared - different.count) of \(compared) addresses agree")
        #expect(share >= recipe.agreement, "\(different.prefix(3).joined(separator: "\n"))")
    }
}
