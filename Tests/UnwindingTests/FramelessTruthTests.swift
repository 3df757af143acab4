import Testing
import ToolOutput

@testable import Unwinding

/// Functions that have call frame information, analysed as if they had none: what the code shows must be what the
/// compiler says.
struct FramelessTruthTests {
    struct Library: Sendable, CustomStringConvertible {
        let path: String
        /// Most shares, in percent, that may be wrong and unknown, with the function's start known.
        let wrong: Double
        let unknown: Double
        /// Most that may be wrong without.
        let wrongWithoutStart: Double
        var description: String { path }
    }

    @Test(arguments: [
        Library(path: "/usr/lib/x86_64-linux-gnu/libc.so.6", wrong: 0.2, unknown: 8, wrongWithoutStart: 0.2),
        Library(path: "/usr/lib/x86_64-linux-gnu/libcrypto.so.3", wrong: 0.2, unknown: 5, wrongWithoutStart: 0.2),
        // Landing pads of C++ end in calls that don't return, behind which another function's landing pads lie. Code with
        // exceptions always has frame information.
        Library(path: "/usr/lib/x86_64-linux-gnu/libstdc++.so.6", wrong: 0.3, unknown: 12, wrongWithoutStart: 1),
    ])
    func `the code of a library shows what its frame information says`(library: Library) throws {
        guard let code = try MeasuredCode(library.path) else { return }
        let rows = FrameTruthRow.read(library.path)
        try #require(rows.count > 1000)
        let tally = FramelessTally(rows, in: code, everyNth: 3)
        print("\(library.path)\n\(tally)")
        #expect(tally.withStart.share(.wrong) <= library.wrong)
        #expect(tally.withStart.share(.unknown) <= library.unknown)
        #expect(tally.withoutStart.share(.wrong) <= library.wrongWithoutStart)
        #expect(tally.withStart.count > 5000 && tally.withoutStart.share(.right) > 70)
    }

    /// `swiftc -O` without `-g` leaves functions that can't unwind without frame information; with `-g` it makes the
    /// same code and describes it.
    @Test func `a Swift program without frame information is followed as its twin with -g says`() throws {
        let program = """
            final class Node { var next: Node?; var value: Int; init(_ v: Int, _ n: Node?) { value = v; next = n } }
            @inline(never) func sum(_ n: Node?, _ scale: (Int) -> Int) -> Int {
                var total = 0, n = n
                while let m = n { total &+= scale(m.value); if m.value == 77 { print("77", total) }; n = m.next }
                return total
            }
            @inline(never) func words(_ text: String) -> [String: Int] {
                var counts: [String: Int] = [:]
                for w in text.split(separator: " ") { counts[String(w), default: 0] += 1 }
                return counts
            }
            @inline(never) func fib(_ n: Int) -> Int { n < 2 ? n : fib(n - 1) &+ fib(n - 2) }
            enum E: Error { case odd(Int) }
            @inline(never) func half(_ n: Int) throws -> Int { if n % 2 == 1 { throw E.odd(n) }; return n / 2 }
            var list: Node? = nil
            for i in 0..<100 { list = Node(i, list) }
            let k = CommandLine.arguments.count
            print(sum(list) { $0 &* k }, words("a b a c b a").sorted { $0.key < $1.key }, fib(20), (try? half(k)) ?? -1)
            """
        let folder = output(of: "mktemp -d").split(separator: "\n").first.map(String.init) ?? ""
        try #require(folder.hasPrefix("/"))
        defer { _ = output(of: "rm -rf \(folder)") }
        let made = output(
            of: """
                cd \(folder) && cat >main.swift <<'END' && swiftc -O -module-name twin main.swift -o plain 2>&1 && \
                swiftc -O -g -module-name twin main.swift -o described 2>&1 && echo made
                \(program)
                END
                """)
        try #require(made.hasSuffix("made\n"), "\(made)")
        let plain = try #require(try MeasuredCode(folder + "/plain"))
        let described = try #require(try MeasuredCode(folder + "/described"))
        // The same functions in another order; distances to data differ.
        let covered = Set(FrameTruthRow.read(folder + "/plain").map(\.function))
        let places = functionAddresses(folder + "/plain")
        let names = Dictionary(
            functionAddresses(folder + "/described").map { ($0.value, $0.key) }, uniquingKeysWith: { first, _ in first }
        )
        var rows: [FrameTruthRow] = []
        for var row in FrameTruthRow.read(folder + "/described") {
            guard let name = names[row.function], let place = places[name], !covered.contains(place),
                haveSameInstructions(described, plain, row.function, place, count: row.functionEnd - row.function)
            else { continue }
            let distance = place &- row.function
            row.function &+= distance
            row.functionEnd &+= distance
            row.address &+= distance
            row.end &+= distance
            rows.append(row)
        }
        try #require(rows.count > 40)
        let tally = FramelessTally(rows, in: plain, everyNth: 1)
        print("swiftc -O\n\(tally)")
        #expect(tally.withStart.number(.wrong) == 0)
        #expect(tally.withStart.share(.unknown) < 5)
        #expect(tally.withoutStart.number(.wrong) == 0)
        #expect(tally.withoutStart.share(.unknown) < 15)
        #expect(tally.together.share(.unknown) < 2)
    }

    private func functionAddresses(_ path: String) -> [String: UInt64] {
        var found: [String: UInt64] = [:]
        for line in output(of: "nm \(path) | awk '$2 == \"t\" || $2 == \"T\" { print $1, $3 }'").split(separator: "\n")
        {
            let parts = line.split(separator: " ")
            guard parts.count == 2, let address = UInt64(parts[0], radix: 16) else { continue }
            found[String(parts[1])] = address
        }
        return found
    }

    private func haveSameInstructions(
        _ one: MeasuredCode, _ other: MeasuredCode, _ start: UInt64, _ otherStart: UInt64, count: UInt64
    ) -> Bool {
        guard start >= one.address, otherStart >= other.address else { return false }
        var offset = 0
        while offset < count {
            let first = unsafe Instruction.decode(one.bytes.span.bytes, at: Int(start - one.address) + offset, .x86_64)
            let second = unsafe Instruction.decode(
                other.bytes.span.bytes, at: Int(otherStart - other.address) + offset, .x86_64)
            guard first.length > 0, first.length == second.length, first.effect == second.effect,
                first.register == second.register
            else { return false }
            offset += Int(first.length)
        }
        return true
    }
}

/// What frame information says of one place: a row of `readelf --debug-dump=frames-interp`.
struct FrameTruthRow {
    var function: UInt64
    var functionEnd: UInt64
    var address: UInt64
    /// The next row's address, or the function's end.
    var end: UInt64
    /// CFA = register + offset; "exp" for an expression.
    var register: Substring
    var offset: Int32
    /// Where rbp is, from the CFA; nil: in the register.
    var framePointer: Int32?
    /// The first row says what the ABI says of a function's first instruction.
    var beginsAtEntry: Bool

    /// Functions of signal trampolines are left out: their frames are the kernel's.
    static func read(_ path: String) -> [FrameTruthRow] {
        let script = #"""
            function out() { if (loc != "") print lo, hi, loc, cfa, fp }
            / CIE / { out(); loc = ""; fde = 0; signal[$1] = ($0 ~ /"[^"]*S/) }
            / FDE / { out(); loc = ""; split($0, p, /cie=| pc=|\.\./); lo = p[3]; hi = p[4]; fde = !signal[p[2]]; first = 1 }
            $1 == "LOC" { c = 0; f = 0; for (i = 2; i <= NF; i++) { if ($i == "CFA") c = i; if ($i == "rbp") f = i } }
            fde && length($1) == 16 && $1 ~ /^[0-9a-f]+$/ { out(); loc = $1; cfa = $c; fp = f ? $f : "u" }
            END { out() }
            """#
        let text = output(of: "readelf --debug-dump=frames-interp \(path) 2>/dev/null | awk '\(script)'")
        var rows: [FrameTruthRow] = []
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: " ")
            guard parts.count == 5, let function = UInt64(parts[0], radix: 16), let end = UInt64(parts[1], radix: 16),
                let address = UInt64(parts[2], radix: 16), address < end
            else { continue }
            let sign = parts[3].firstIndex { $0 == "+" || $0 == "-" }
            let register = sign.map { parts[3][..<$0] } ?? "exp"
            let offset = sign.flatMap { Int32(parts[3][$0...]) } ?? 0
            let framePointer = parts[4].hasPrefix("c") ? Int32(parts[4].dropFirst()) : nil
            var begins = register == "rsp" && offset == 8
            if let last = rows.last, last.function == function {
                begins = last.beginsAtEntry
                rows[rows.count - 1].end = address
                // A split-off part: one byte for show, then the frame of the function that it belongs to.
                if address == function + 1, last.address == function, !(register == "rsp" && offset == 16) {
                    rows[rows.count - 1].beginsAtEntry = false
                    begins = false
                }
            }
            rows.append(
                FrameTruthRow(
                    function: function, functionEnd: end, address: address, end: end, register: register,
                    offset: offset, framePointer: framePointer, beginsAtEntry: begins))
        }
        return rows
    }
}

/// How often the analysis is right, at each row's first address and behind each call.
struct FramelessTally: CustomStringConvertible {
    enum Verdict: Int { case right, unknown, wrong, wrongFramePointer, incomparable }

    struct Counts: CustomStringConvertible {
        private var numbers = [Int](repeating: 0, count: 5)
        private(set) var examples: [String] = []

        mutating func add(_ verdict: Verdict, _ address: UInt64) {
            numbers[verdict.rawValue] += 1
            if verdict == .wrong || verdict == .wrongFramePointer, examples.count < 8 {
                examples.append(String(address, radix: 16))
            }
        }
        var count: Int { numbers.reduce(0, +) }
        func number(_ verdict: Verdict) -> Int { numbers[verdict.rawValue] }
        func share(_ verdict: Verdict) -> Double { 100 * Double(number(verdict)) / Double(max(count, 1)) }
        var description: String {
            let shares = [Verdict.right, .unknown, .wrong, .wrongFramePointer, .incomparable].map {
                "\($0) \((share($0) * 1000).rounded() / 1000) %"
            }
            return "\(count): \(shares.joined(separator: ", ")) \(examples)"
        }
    }

    var withStart = Counts()
    var withoutStart = Counts()
    var together = Counts()

    init(_ rows: [FrameTruthRow], in code: MeasuredCode, everyNth: Int) {
        let span = unsafe code.bytes.span.bytes
        var functions = 0
        var last: UInt64 = 0
        for row in rows {
            if row.function != last { functions += 1 }
            last = row.function
            guard functions % everyNth == 0, row.function >= code.address,
                row.functionEnd <= code.address + UInt64(code.bytes.count),
                row.register == "rsp" || row.register == "rbp"
            else { continue }
            judge(row, at: row.address, followsCall: false, span, code)
            var position = Int(row.address - code.address)
            while code.address + UInt64(position) < row.end {
                let instruction = Instruction.decode(span, at: position, .x86_64)
                guard instruction.length > 0 else { break }
                position += Int(instruction.length)
                let address = code.address + UInt64(position)
                if instruction.effect == .call, address <= row.end {
                    judge(row, at: address, followsCall: true, span, code)
                }
            }
        }
    }

    private mutating func judge(
        _ row: FrameTruthRow, at address: UInt64, followsCall: Bool, _ span: RawSpan, _ code: MeasuredCode
    ) {
        let position = Int(address - code.address)
        if row.beginsAtEntry {
            // By the register that the compiler chose, so that the two compare.
            let rule = FramelessAnalysis.fromStart(
                Int(row.function - code.address), to: position, span, .x86_64,
                prefersFramePointer: row.register == "rbp")
            withStart.add(verdict(rule, row), address)
        }
        let left = FramelessAnalysis.toReturn(from: position, span, .x86_64, followsCall: followsCall)
        withoutStart.add(verdict(left, row), address)
        let rule = FramelessAnalysis.rule(
            at: address, code: span, codeAddress: code.address,
            functionStart: row.beginsAtEntry ? row.function : nil, architecture: .x86_64, followsCall: followsCall)
        together.add(verdict(rule, row), address)
    }

    private func verdict(_ rule: FramelessRule?, _ row: FrameTruthRow) -> Verdict {
        guard let rule else { return .unknown }
        guard rule.isFromFramePointer == (row.register == "rbp") else { return .incomparable }
        guard rule.callFrameOffset == row.offset else { return .wrong }
        // Compilers don't say when a register is taken back: it is in both places then.
        let isRight =
            rule.framePointerOffset == row.framePointer
            || (rule.framePointerOffset == nil && !rule.isFramePointerLost)
        return isRight ? .right : .wrongFramePointer
    }

    var description: String { "  with start: \(withStart)\n  without: \(withoutStart)\n  together: \(together)" }
}
