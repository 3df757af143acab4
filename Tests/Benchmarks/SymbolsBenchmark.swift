import Foundation
import ObjectFiles
import Profiles
import SymbolSources
import SymbolTables

/// What symbol tables of well-known files cost: to build, each in a process of its own, to send and to look up in.
func symbolsBenchmark(_ report: inout Report) throws {
    let libraries = "/usr/lib/x86_64-linux-gnu"
    let files = [
        ("libc", "\(libraries)/libc.so.6"), ("libstdc++", "\(libraries)/libstdc++.so.6"),
        ("libpython3.11", "\(libraries)/libpython3.11.so.1.0"),
        ("swift-frontend", "/opt/swift/usr/bin/swift-frontend"),
    ]
    for (name, path) in report.isSmoke ? Array(files.prefix(1)) : files {
        guard FileManager.default.isReadableFile(atPath: path) else {
            report.absent(name, because: "\(path) is not there")
            continue
        }
        let module = try MeasuredModule(path)
        try tell(name, module, debug: nil, &report)
        if let debug = module.debugFile { try tell("\(name) with its debug file", module, debug: debug, &report) }
    }
}

private func tell(_ name: String, _ module: MeasuredModule, debug: String?, _ report: inout Report) throws {
    let folder = try TemporaryFolder()
    // Alone, so that the peak of memory is this table's.
    func run(_ arguments: [String]) throws -> (seconds: Double, peakMiB: Double)? {
        let command = try Command("/proc/self/exe", ["--table"] + arguments, output: folder.path("peak"))
        let result = command.waitForResult()
        guard result.code == 0, let data = FileManager.default.contents(atPath: folder.path("peak")),
            let peak = Double(String(decoding: data, as: UTF8.self))
        else { return nil }
        return (result.cpuSeconds, peak)
    }
    guard let alone = try run([module.path] + (debug.map { [$0] } ?? [])), let idle = try run([]) else {
        return report.absent(name, because: "its table could not be built")
    }
    let table = try module.table(debug: debug)
    let bytes = try ModuleTable.encode(table)
    var dice = Dice(state: 5)
    let addresses = module.addresses(1 << 16, &dice)
    var frames: [SymbolTable.FrameIndices] = []
    var found = 0
    let spent = leastThreadSeconds(of: 5) {
        found = 0
        for address in addresses {
            frames.removeAll(keepingCapacity: true)
            table.appendFrames(at: address, to: &frames)
            found += frames.count
        }
    }
    report.line(
        "\(name), \(text(Double(module.byteCount) / 1e6, "MB")): build and encode",
        text(max(0, alone.seconds - idle.seconds) * 1e3, "ms"),
        "\(text(alone.peakMiB - idle.peakMiB, "MiB")) above the \(text(idle.peakMiB, "MiB")) of an idle process")
    report.line(
        "\(name): encoded", text(Double(bytes.count) / 1e3, "kB"),
        "\(table.rangeCount) functions, \(table.lineCount) lines, \(table.inlinedCallCount) inlined calls; "
            + text(Double(table.memoryBytes) / 1e6, "MB in memory"))
    report.line(
        "\(name): look-up", text(spent / Double(addresses.count) * 1e9, "ns"),
        "\(text(Double(found) / Double(addresses.count), "")) frames each")
    report.keep(bytes.count)
    report.keep(found)
}

/// An object file, read as the helper process reads it.
struct MeasuredModule {
    let path: String
    private let file: FileHandle
    private let source: DescriptorSource
    private let object: ObjectFile

    init(_ path: String) throws {
        self.path = path
        file = try FileHandle(forReadingFrom: URL(filePath: path))
        source = try DescriptorSource(file.fileDescriptor)
        object = try ObjectFile(source)
    }

    var byteCount: UInt64 { source.byteCount }

    var debugFile: String? {
        guard object.identity.kind == .buildID, let path = DebugFileSearch.path(ofBuildID: object.identity.bytes),
            FileManager.default.isReadableFile(atPath: path)
        else { return nil }
        return path
    }

    func table(debug: String?) throws -> SymbolTable {
        let debugFile = try debug.map { try FileHandle(forReadingFrom: URL(filePath: $0)) }
        let debugSource = try debugFile.map { try DescriptorSource($0.fileDescriptor) }
        defer { try? debugFile?.close() }
        // Debian's debug files share one among the libraries of a package.
        var alternateFile: FileHandle?
        if let debug, let debugSource, let links = try? DebugLinks(ObjectFile(debugSource), from: debugSource),
            let alternate = links.alternate
        {
            for path in DebugFileSearch.alternatePaths(alternate, debugFilePath: debug) where alternateFile == nil {
                alternateFile = try? FileHandle(forReadingFrom: URL(filePath: path))
            }
        }
        defer { try? alternateFile?.close() }
        let alternateSource = try alternateFile.map { try DescriptorSource($0.fileDescriptor) }
        return try ModuleTable.build(object, from: source, debug: debugSource, alternate: alternateSource)
    }

    /// Anywhere in its code.
    func addresses(_ count: Int, _ dice: inout Dice) -> [UInt64] {
        let segments = object.loadSegments.filter(\.isExecutable)
        guard let code = segments.max(by: { $0.fileSize < $1.fileSize }), code.fileSize > 0 else { return [] }
        return (0..<count).map { _ in code.virtualAddress + UInt64(dice.below(Int(code.fileSize))) }
    }

    /// `benchmarks --table [PATH [DEBUG]]`: builds and encodes, or does nothing; prints its peak of memory in MiB.
    static func run(_ arguments: [String]) -> Never {
        if let path = arguments.first {
            do {
                let table = try MeasuredModule(path).table(debug: arguments.dropFirst().first)
                guard try !ModuleTable.encode(table).isEmpty else { exit(1) }
            } catch {
                exit(1)
            }
        }
        // Not the one of wait4: that begins with what the parent had.
        let status = FileManager.default.contents(atPath: "/proc/self/status") ?? Data()
        for line in String(decoding: status, as: UTF8.self).split(separator: "\n") where line.hasPrefix("VmHWM:") {
            let words = line.split(whereSeparator: \.isWhitespace)
            print((words.dropFirst().first.flatMap { Double($0) } ?? 0) / 1024, terminator: "")
        }
        fflush(nil)
        exit(0)
    }
}
