import Foundation
import Testing

/// python3's arguments for starting a program that needs its children's SIGCHLD, as perf and gdb do: threads of a test's
/// program may have blocked it for their children.
let unblocked = [
    "-c",
    "import os, signal, sys; signal.pthread_sigmask(signal.SIG_SETMASK, []); os.execv(sys.argv[1], sys.argv[1:])",
]

/// `perf record --call-graph dwarf` of a process.
struct PerfRecord {
    private let folder: Folder
    private let perf: Running

    init(process: Int32, rate: Int, seconds: Int) throws {
        folder = try Folder()
        perf = try Running(
            "/usr/bin/python3",
            unblocked + [
                "/usr/bin/perf", "record", "-q", "--buildid-mmap", "-e", "cpu-clock", "-F", "\(rate)",
                "--call-graph", "dwarf,16384", "-o", folder.path("perf.data"), "-p", "\(process)", "--", "sleep",
                "\(seconds)",
            ])
    }

    /// Waits for its end. Without the kernel's frames; names as `Names` has them.
    func stacks() throws -> [(frames: [String], value: Double)] {
        let recorded = perf.wait(seconds: 30)
        try #require(recorded.status == 0, "\(recorded.errors)")
        let script = try Program.run(
            "/usr/bin/perf",
            ["script", "--no-inline", "--no-demangle", "-i", folder.path("perf.data"), "-F", "comm,ip,sym,dso"])
        try #require(script.status == 0, "\(script.errors)")
        // A sample is a header line and one line a frame, leaf first, up to an empty line.
        let samples = script.output.components(separatedBy: "\n\n").compactMap { sample -> [String]? in
            let frames = sample.split(separator: "\n").dropFirst()
            guard !frames.isEmpty else { return nil }
            return frames.reversed().compactMap { line -> String? in
                guard let match = line.firstMatch(of: #/^\s*[0-9a-f]+ (.+) \((.*)\)$/#), !match.2.hasPrefix("[kernel")
                else { return nil }
                return String(match.1)
            }
        }
        let names = try Names(Set(samples.joined()))
        return samples.map { ($0.map { names[$0] }, 1) }
    }
}

/// gdb, which reads memory and all debug information at leisure.
enum Debugger {
    /// The stacks at each entry into a function whose symbol contains a word, of a program that runs from its start to its end.
    static func stacks(of program: String, at part: String, arguments: [String]) throws -> Set<[String]> {
        let folder = try Folder()
        let symbols = try Program.run("/usr/bin/nm", [program]).output.split(separator: "\n")
        let function = try #require(symbols.compactMap { $0.split(separator: " ").last }.first { $0.contains(part) })
        let script = """
            set pagination off
            set confirm off
            set width 0
            set debuginfod enabled off
            set backtrace past-main on
            set print demangle off
            set print asm-demangle off
            set print frame-arguments none
            break *&'\(function)'
            commands
            silent
            echo stack\\n
            backtrace
            continue
            end
            run \(arguments.joined(separator: " "))

            """
        try script.write(toFile: folder.path("script"), atomically: true, encoding: .utf8)
        let outcome = try Program.run(
            "/usr/bin/python3",
            unblocked + ["/usr/bin/gdb", "-q", "-nx", "-batch", "-x", folder.path("script"), program], seconds: 30)
        try #require(outcome.status == 0, "\(outcome.errors)")
        let stacks = outcome.output.components(separatedBy: "\nstack\n").dropFirst().map { stack in
            // `#2  0x000055555555543a in NAME (…) …`; without the address what the one before is inlined into.
            var frames: [String] = []
            for line in stack.split(separator: "\n") {
                guard let match = line.firstMatch(of: #/^#\d+ +(?:0x([0-9a-f]+) in )?(.+?) \(/#),
                    match.1?.contains(where: { $0 != "0" }) != false
                else { continue }
                if match.1 == nil, !frames.isEmpty { frames.removeLast() }
                frames.append(match.2 == "??" ? "[unknown]" : String(match.2))
            }
            return frames
        }
        let names = try Names(Set(stacks.joined()))
        return Set(stacks.map { $0.reversed().map { names[$0] } })
    }
}

/// Symbols as other tools' demanglers write them, in full.
struct Names {
    private var names: [String: String] = [:]

    init(_ symbols: Set<String>) throws {
        let plain = symbols.sorted().map { (symbol: $0, name: String($0.prefix { $0 != "@" })) }
        let isSwift = { (name: String) in name.hasPrefix("$s") }
        let isD = { (name: String) in name.wholeMatch(of: #/_D(\d.*|main)/#) != nil }
        for (tool, arguments, isIts) in [
            ("/usr/bin/c++filt", ["--no-verbose", "--"], { !isSwift($0) && !isD($0) }),
            ("/usr/bin/c++filt", ["-s", "dlang", "--"], isD),
            (NativeProgram.swiftDemangler, ["-compact", "-no-sugar"], isSwift),
        ] {
            let its = plain.filter { isIts($0.name) }
            guard !its.isEmpty else { continue }
            // Names on the command line are all that c++filt takes whole.
            let outcome = try Program.run(tool, arguments + its.map(\.name))
            let lines = outcome.output.split(separator: "\n").map(String.init)
            try #require(outcome.status == 0 && lines.count == its.count, "\(outcome.output)\(outcome.errors)")
            for (one, line) in zip(its, lines) { names[one.symbol] = Self.plain(line) }
        }
    }

    subscript(_ symbol: String) -> String { names[symbol] ?? symbol }

    /// Without what tools write differently of the same function.
    static func plain(_ name: String) -> String {
        name.replacing(#/::h[0-9a-f]{16}$/#, with: "").replacing(#/\.llvm\.\d+| \[clone [^\]]*\]/#, with: "")
            .replacing(#/^(__GI_|__)(?=clone3$)/#, with: "").replacing(
                #/^__libc_start_main_impl$/#, with: "__libc_start_main"
            )
            .replacing(#/^\[unknown.*\]$/#, with: "[unknown]")
            // Go, which leaves type arguments out of its own table.
            .replacing(#/\.abi0$/#, with: "").replacing(#/(\(\*\w+)\[.*\]\)/#) { "\($0.1)[...])" }
    }
}

/// The stacks of three tools that end in the function at which the debugger stops.
struct Comparison {
    /// Those that the debugger doesn't know, with their shares.
    var oursAlone: [String: Double] = [:]
    var theirsAlone: [String: Double] = [:]
    /// Those that perf and the debugger know.
    var agreed: [String: Double] = [:]
    /// And we don't.
    var missing: [String: Double] = [:]

    /// What fewer samples have may be a moment of the program's start.
    private static let leastShare = 0.02

    init(
        ours: [(frames: [String], value: Double)], theirs: [(frames: [String], value: Double)], truth: Set<[String]>
    ) {
        let leaves = Set(truth.compactMap(\.last))
        let (our, their) = (Self.shares(ours, leaves), Self.shares(theirs, leaves))
        for (stack, share) in our where !truth.contains(stack) && share >= Self.leastShare {
            oursAlone[stack.joined(separator: ";")] = share
        }
        for (stack, share) in their where share >= Self.leastShare {
            guard truth.contains(stack) else {
                theirsAlone[stack.joined(separator: ";")] = share
                continue
            }
            agreed[stack.joined(separator: ";")] = share
            if our[stack] == nil { missing[stack.joined(separator: ";")] = share }
        }
    }

    private static func shares(
        _ stacks: [(frames: [String], value: Double)], _ leaves: Set<String>
    ) -> [[String]: Double] {
        let named = stacks.map { (frames: $0.frames.map(Names.plain), value: $0.value) }
            .filter { $0.frames.last.map(leaves.contains) == true }
        let all = named.reduce(0) { $0 + $1.value }
        var shares: [[String]: Double] = [:]
        for (frames, value) in named { shares[frames, default: 0] += value / all }
        return shares
    }
}
