package import LinuxSystem

/// Whether a process runs CPython.
public enum PythonDetection: Sendable {
    case notPython
    /// CPython of a version that can't be read: older than 3.8, or newer than what is known.
    case unsupported(PythonVersion?)
    /// CPython 3.8 to 3.12 whose version, and so its structures, can't be told.
    case unknownVersion
    case python(PythonProcess)
}

/// What is known of an interpreter before a stack is read.
package struct PythonInterpreter {
    var version: PythonVersion
    var layout: PythonLayout
    var runtime: UInt64
    var codeType: UInt64
    var evaluation: Range<UInt64>?
    var path: String
}

extension PythonInterpreter {
    enum Found {
        case none
        case unsupported(PythonVersion?)
        case unknownVersion
        case interpreter(PythonInterpreter)
    }

    /// Files mapped at their beginning whose name speaks of Python, then the program itself, which may have it built in.
    static func candidates(_ mappings: [ProcessMapping]) -> [ProcessMapping] {
        var seen: Set<String> = []
        let files = mappings.filter {
            $0.fileOffset == 0 && $0.path.utf8.first == 0x2F && seen.insert($0.path).inserted
        }
        let named = files.filter {
            let name = $0.path.utf8.split(separator: 0x2F).last.map { String(Substring($0)) } ?? ""
            return name.hasPrefix("libpython") || name.hasPrefix("python")
        }
        return named + (mappings.first { $0.path.utf8.first == 0x2F }.map { [$0] } ?? []).filter { !named.contains($0) }
    }

    static func find(
        memory: some PythonMemory, mappings: [ProcessMapping], symbol: ((_ path: String, _ name: String) -> UInt64?)?
    ) -> Found {
        var result = Found.none
        for candidate in candidates(mappings).prefix(16) {
            let image = PythonImage(memory: memory, start: candidate.start)
            func address(_ name: String) -> UInt64? {
                image?.symbol(name)?.address ?? symbol?(candidate.path, name)
            }
            let runtime = address("_PyRuntime") ?? runtimeByCookie(memory, mappings, candidate.path)
            guard let runtime else {
                // Python 2 and up to 3.6 have no _PyRuntime.
                if let old = PythonVersion(fileName: fileName(candidate.path)), address("PyFrame_Type") != nil {
                    result = .unsupported(old)
                }
                continue
            }
            let codeType = address("PyCode_Type") ?? 0
            var evaluation: Range<UInt64>?
            if let loop = image?.symbol("_PyEval_EvalFrameDefault"), loop.byteCount > 0,
                loop.address <= UInt64.max - loop.byteCount
            {
                evaluation = loop.address..<loop.address + loop.byteCount
            }
            let hexadecimal = address("Py_Version").flatMap { read($0, 8, memory)?.littleEndianWord(0) }
            if let bytes = read(runtime, PythonDebugOffsets.byteCount, memory),
                bytes.starts(with: PythonDebugOffsets.cookie)
            {
                guard let table = PythonDebugOffsets(bytes), let layout = PythonLayout(table) else {
                    return .unsupported(PythonVersion(hexadecimal: bytes.littleEndianWord(8)))
                }
                return .interpreter(
                    PythonInterpreter(
                        version: table.version, layout: layout, runtime: runtime, codeType: codeType,
                        evaluation: evaluation, path: candidate.path))
            }
            let version =
                hexadecimal.map { PythonVersion(hexadecimal: $0) } ?? PythonVersion(fileName: fileName(candidate.path))
                ?? bySize(image?.symbol("_PyRuntime")?.byteCount)
            guard let version else { return .unknownVersion }
            guard let layout = PythonLayout(version) else { return .unsupported(version) }
            return .interpreter(
                PythonInterpreter(
                    version: version, layout: layout, runtime: runtime, codeType: codeType, evaluation: evaluation,
                    path: candidate.path))
        }
        return result
    }

    private static func fileName(_ path: String) -> String {
        path.utf8.split(separator: 0x2F).last.map { String(Substring($0)) } ?? ""
    }

    /// 3.8 to 3.10 have no Py_Version, and a program that has them built in no telling name; the runtime's size on
    /// 64-bit Linux tells them apart (1,464, 656 and 672 bytes; the last two differ by one field).
    private static func bySize(_ byteCount: UInt64?) -> PythonVersion? {
        switch byteCount {
        case 1464: PythonVersion(3, 8)
        case 656: PythonVersion(3, 9)
        case 672: PythonVersion(3, 10)
        default: nil
        }
    }

    private static func read(_ address: UInt64, _ count: Int, _ memory: some PythonMemory) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: count)
        let ranges = [MemoryRange(address: address, byteCount: count)]
        return (try? memory.read(ranges, into: &buffer, at: 0)) == count ? buffer : nil
    }

    /// Bytes of a file's writable mappings that are searched for the cookie.
    private static var maximumSearch: Int { 8 << 20 }

    /// Where the file's symbols are gone, 3.13 and later are still found by the cookie at the runtime's start, which
    /// is aligned to 8 bytes at least.
    package static func runtimeByCookie(
        _ memory: some PythonMemory, _ mappings: [ProcessMapping], _ path: String
    ) -> UInt64? {
        var searched = 0
        for mapping in mappings where mapping.path == path && !mapping.isExecutable {
            var address = mapping.start
            while address < mapping.end, searched < maximumSearch {
                let count = Int(min(mapping.end - address, 1 << 20))
                searched += count
                guard let bytes = read(address, count, memory) else { break }
                let cookie = PythonDebugOffsets.cookie.littleEndianWord(0)
                for offset in stride(from: 0, through: count - 8, by: 8)
                where bytes.littleEndianWord(offset) == cookie {
                    // The same bytes stand wherever else the cookie is named: only a table behind it counts.
                    let found = address + UInt64(offset)
                    if let table = read(found, PythonDebugOffsets.byteCount, memory), PythonDebugOffsets(table) != nil {
                        return found
                    }
                }
                address += UInt64(count)
            }
        }
        return nil
    }
}
