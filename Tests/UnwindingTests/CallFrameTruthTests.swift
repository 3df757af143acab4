import Glibc
import ObjectFiles
import Testing
import ToolOutput

@testable import Unwinding

/// `readelf --debug-dump=frames-interp` prints the table of rules that call frame information stands for.
private struct FrameTable {
    struct Row {
        var address: UInt64
        var frameAddress: String
        /// By readelf's names of registers.
        var cells: [String: String]
    }

    /// By frame description: its range and rows.
    var descriptions: [(start: UInt64, end: UInt64, rows: [Row])] = []

    init(_ text: String) {
        var commons: [String: [Row]] = [:]
        var common: String?
        var names: [String] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            // A register is printed twice: "r9 (r9)"; the second is its name.
            var words: [String] = []
            for word in line.split(separator: " ").map(String.init) {
                guard word.hasPrefix("("), !words.isEmpty, word.hasSuffix(")") else {
                    words.append(word)
                    continue
                }
                words[words.count - 1] = String(word.dropFirst().dropLast())
            }
            if words.count > 3, words[3] == "CIE" {
                common = words[0]
                commons[words[0]] = []
            } else if words.count > 5, words[3] == "FDE", words[5].hasPrefix("pc=") {
                common = nil
                let bounds = words[5].dropFirst(3).split(separator: ".")
                let owner = commons[String(words[4].dropFirst(4))] ?? []
                let start = UInt64(bounds[0], radix: 16) ?? 0
                // A description without instructions of its own is printed without rows.
                let rows = owner.map { Row(address: start, frameAddress: $0.frameAddress, cells: $0.cells) }
                descriptions.append((start, UInt64(bounds[1], radix: 16) ?? 0, rows))
                names = []
            } else if words.first == "LOC" {
                names = Array(words.dropFirst(2))
                if common == nil { descriptions[descriptions.count - 1].rows = [] }
            } else if words.count == names.count + 2, let address = UInt64(words[0], radix: 16) {
                let row = Row(
                    address: address, frameAddress: words[1],
                    cells: Dictionary(zip(names, words.dropFirst(2)), uniquingKeysWith: { first, _ in first }))
                if let common {
                    commons[common]?.append(row)
                } else {
                    descriptions[descriptions.count - 1].rows.append(row)
                }
            }
        }
    }
}

@Suite struct CallFrameTruthTests {
    static let files = [
        "/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libstdc++.so.6", "/lib64/ld-linux-x86-64.so.2",
        "/usr/lib/x86_64-linux-gnu/libcrypto.so.3", "/bin/bash", "/usr/aarch64-linux-gnu/lib/libc.so.6",
        "/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1",
    ]

    @Test(arguments: files.filter { access($0, R_OK) == 0 }) func `each row is readelf's`(path: String) throws {
        try compare(path, section: "frames-interp")
    }

    @Test func `rows of .debug_frame are readelf's`() throws {
        let folder = try ScratchFolder()
        try folder.write(
            "p.c",
            "int leaf(int*);\nint f(int n){int a[40];a[n]=leaf(a);return a[n]+leaf(a);}\nint leaf(int*a){return a[1];}")
        let log = output(
            of: "gcc -O1 -fno-inline -fno-asynchronous-unwind-tables -g -fPIC -shared -nostdlib -o \(folder.path)/p.so "
                + "\(folder.path)/p.c 2>&1")
        try #require(access("\(folder.path)/p.so", R_OK) == 0, "\(log)")
        try compare("\(folder.path)/p.so", section: "frames-interp")
    }

    @Test(.enabled(if: access("/usr/bin/aarch64-linux-gnu-gcc", X_OK) == 0, "gcc-aarch64-linux-gnu is needed"))
    func `signed return addresses of aarch64 do not disturb the rows`() throws {
        let folder = try ScratchFolder()
        try folder.write(
            "p.c",
            "int leaf(int*);\nint f(int n){int a[40];a[n]=leaf(a);return a[n]+leaf(a);}\nint leaf(int*a){return a[1];}")
        let log = output(
            of: "aarch64-linux-gnu-gcc -O1 -fno-inline -mbranch-protection=standard -fPIC -shared -nostdlib "
                + "-o \(folder.path)/p.so \(folder.path)/p.c 2>&1")
        try #require(access("\(folder.path)/p.so", R_OK) == 0, "\(log)")
        try compare("\(folder.path)/p.so", section: "frames-interp")
    }

    private func compare(_ path: String, section: String) throws {
        let truth = FrameTable(output(of: "readelf --debug-dump=\(section) -wN \(path) 2>/dev/null"))
        let table = try unwindTable(ofFile: path)
        let architecture = table.architecture
        var unwinder = Unwinder(architecture)
        var rows = 0
        var wholeRows = 0
        var wrong = 0
        for description in truth.descriptions where description.start < description.end {
            for (index, row) in description.rows.enumerated() {
                let isLast = index + 1 == description.rows.count
                let end = isLast ? description.end : description.rows[index + 1].address
                guard row.address < end else { continue }
                for address in Set([row.address, end - 1]) {
                    unwinder.instructionsLeft = Unwinder.instructionsPerStack
                    let distance = UInt32(address - table.view.base)
                    let rule = withUnsafePointer(to: table.view) { view in
                        unsafe unwinder.makeRule(view, distance, isReturnAddress: false)
                    }
                    rows += 1
                    if rule.kind == .row { wholeRows += 1 }
                    let difference = Self.difference(unwinder.program.row, rule, row, architecture)
                    guard let difference else { continue }
                    wrong += 1
                    if wrong < 10 { Issue.record("\(path) at \(String(address, radix: 16)): \(difference)") }
                }
            }
        }
        print("\(path): \(truth.descriptions.count) descriptions, \(rows) rows, \(wholeRows) without a shape")
        #expect(wrong == 0)
        #expect(rows > 1)
    }

    private static func difference(
        _ row: CallFrameRow, _ rule: UnwindRule, _ truth: FrameTable.Row, _ architecture: UserArchitecture
    ) -> String? {
        let frameAddress: String =
            switch row.frameAddress {
            case .none: "none"
            case .register: name(Int(row.register), architecture) + signed(row.value)
            case .expression: "exp"
            }
        guard frameAddress == truth.frameAddress else { return "CFA \(frameAddress), readelf \(truth.frameAddress)" }
        if rule.kind == .register, frameAddress != "exp" {
            let shape = name(Int(rule.base), architecture) + signed(Int64(rule.offset))
            guard shape == frameAddress else { return "the shape's CFA is \(shape), readelf's \(frameAddress)" }
        }
        for number in 0..<architecture.registerCount {
            let name = number == architecture.returnAddressNumber ? "ra" : name(number, architecture)
            let expected = truth.cells[name] ?? "u"
            let found = row.rules[number]
            let cell: String =
                switch found.kind {
                case .unspecified, .undefined: "u"
                case .sameValue: "s"
                case .offset: "c" + signed(found.value)
                case .valueOffset: "v" + signed(found.value)
                case .register: Self.name(Int(found.value), architecture)
                case .expression: "exp"
                case .valueExpression: "vexp"
                }
            guard cell == expected else { return "\(name) is \(cell), readelf \(expected)" }
            if rule.kind == .register, let slot = RegisterSlots.slot(ofRegister: number, architecture) {
                let isSaved = rule.saved >> UInt16(slot) & 1 != 0
                let shape = isSaved ? "c" + signed(Int64(rule.offsets[slot]) * 8) : expected == "s" ? "s" : "u"
                guard shape == expected else { return "the shape's \(name) is \(shape), readelf \(expected)" }
            }
        }
        switch rule.kind {
        case .register, .indirect, .realigned, .row, .signalContext: return nil
        case .end: return truth.cells["ra"] == "u" ? nil : "no return address"
        case .none: return "no rule"
        case .failed: return "failed: \(rule.offset)"
        }
    }

    private static func signed(_ value: Int64) -> String { value < 0 ? "\(value)" : "+\(value)" }

    private static func name(_ number: Int, _ architecture: UserArchitecture) -> String {
        if architecture == .aarch64 { return number < 31 ? "x\(number)" : number == 31 ? "sp" : "pc" }
        let names = ["rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp"]
        return number < 8 ? names[number] : number < 16 ? "r\(number)" : "ra"
    }
}
