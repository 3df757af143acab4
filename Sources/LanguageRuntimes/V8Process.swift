public import LinuxSystem

/// A process that runs V8, whose JavaScript frames are read from outside while it runs on: see `V8Reader`.
public struct V8Process: Sendable {
    public let process: Int32
    /// The executable addresses of the program or library with V8 in it.
    public let image: Range<UInt64>
    public var reader: V8Reader<ProcessMemory>

    /// Finds V8 in what is mapped in a process: in its program, or in a library, as Debian ships it. Reads memory, opens
    /// no file; some hundreds of system calls.
    public init(process: Int32) throws(V8Error) {
        guard let text = ProcFile.read("/proc/\(process)/maps") else { throw .unreadable(what: "the memory map") }
        let program = ProcFile.executable(of: process)
        let mappings = ProcessMaps.parse(text)
        // A process may map as many files of such names as it likes.
        let candidates = mappings.lazy.filter {
            $0.fileOffset == 0 && ($0.path == program || Self.mayHoldV8($0.path))
        }
        for start in candidates.prefix(8) {
            let reader: V8Reader<ProcessMemory>
            do throws(V8Error) {
                reader = try V8Reader(ProcessMemory(process: process), imageStart: start.start)
            } catch {
                switch error {
                case .notV8, .unreadable: continue
                case .unknownVersion, .compressedPointers: throw error
                }
            }
            let code = mappings.filter { $0.path == start.path && $0.isExecutable }
            guard let first = code.first, let last = code.last, first.start < last.end else { continue }
            self.process = process
            self.reader = reader
            image = first.start..<last.end
            return
        }
        throw .notV8
    }

    /// By its path: a program or library with V8 in it.
    public static func mayHoldV8(_ path: String) -> Bool {
        guard let slash = path.utf8.lastIndex(of: 0x2F) else { return false }
        let name = path.utf8[path.utf8.index(after: slash)...]
        return ["node", "libnode.so", "libv8", "electron"].contains { name.starts(with: $0.utf8) }
    }
}
